/*
 * Are two JSON values the same, as JSON Schema has it (core 4.2.2): numbers by
 * value, strings by characters, objects whatever their members' order.
 */
#ifndef JSON_EQUAL_H
#define JSON_EQUAL_H

#include <stdbool.h>
#include <stdint.h>

#include "json/reader.h"

bool json_equal(const struct json *, uint32_t, const struct json *, uint32_t);

/*
 * Equal values have equal hashes; keyed by the reader's seed. The contents of
 * *scratch are replaced.
 */
uint64_t json_hash(const struct json *, uint32_t, struct buf *scratch);

#endif
