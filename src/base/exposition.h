/*
 * Metrics as text: Prometheus' exposition format 0.0.4. A family is begun, then
 * come its samples, each after its labels. Names, help and labels' names are our
 * own constants and hold nothing to escape but in help; labels' values may be
 * any bytes.
 */
#ifndef BASE_EXPOSITION_H
#define BASE_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE,
	EXPOSITION_HISTOGRAM };

struct exposition {
	struct buf text;
	struct buf labels; /* of the next sample: */
	size_t n_common;   /* so many bytes of all samples */
	const char *name;  /* of the family */
};

/* Durations; zeroed it is empty. */
enum { HISTOGRAM_BOUNDS = 15 };

struct histogram {
	uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* not cumulated */
	uint64_t sum_us;
};

void histogram_add(struct histogram *, int64_t us);

/* Zeroed it is empty. */
void exposition_clear(struct exposition *);

/* The labels so far are those of all samples that follow. */
void exposition_common(struct exposition *);

void exposition_family(struct exposition *, const char *name,
    enum exposition_type, const char *help);

/* A label of the next sample. What is no UTF-8 in the value becomes '?'. */
void exposition_label(struct exposition *, const char *name, struct span value);

/* A sample with this value; with the labels given since the one before. */
void exposition_u64(struct exposition *, uint64_t);
void exposition_seconds(struct exposition *, int64_t us);
void exposition_histogram(struct exposition *, const struct histogram *);

#endif
