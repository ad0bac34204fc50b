/*
 * Ids of calls.
 */
#include "event/call_id.h"

#include "net/digest.h"

void
call_id(struct span event, struct span webhook, struct buf *scratch,
    char id[CALL_ID_BYTES])
{
	scratch->len = 0;
	buf_u64(scratch, event.len);
	buf_putc(scratch, ':');
	buf_span(scratch, event);
	buf_u64(scratch, webhook.len);
	buf_putc(scratch, ':');
	buf_span(scratch, webhook);
	memcpy(id, "msg_", 4);
	digest_hex(buf_bytes(scratch), id + 4, CALL_ID_BYTES - 4);
}
