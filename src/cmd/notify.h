/*
 * Word to systemd (sd_notify(3), without its library): ready, stopping, alive.
 * Without $NOTIFY_SOCKET nothing happens.
 */
#ifndef CMD_NOTIFY_H
#define CMD_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1", … A lost word is no failure. */
void notify(const char *state);

/* How often "WATCHDOG=1" is wanted, half of $WATCHDOG_USEC; 0: not at all. */
int64_t notify_watchdog_ms(void);

#endif
