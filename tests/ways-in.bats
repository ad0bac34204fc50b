#!/usr/bin/env bats
# The examples that bring events in from elsewhere.

load helpers/common

setup() {
	LOG=$BATS_TEST_TMPDIR/log Q=$BATS_TEST_TMPDIR/events
}

from_log() {
	"$REPO/examples/from-log.sh" "$LOG" "$Q"
}

lines() {
	sqlite3 "$Q" 'SELECT text FROM event ORDER BY seq' |
		jq -r .payload.line | tr '\n' ' '
}

@test "from-log.sh: each line once, whole lines only, through a rotation" {
	printf 'one\ntwo\nthr' >"$LOG"
	from_log
	[ "$(lines)" = "one two " ]
	from_log
	[ "$(lines)" = "one two " ]
	printf 'ee\nfo\303\274r "q" \\\nrest' >>"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ ' ]
	printf ' of it\n' >>"$LOG"
	mv "$LOG" "$LOG.1"
	printf 'new\n' >"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ rest of it new ' ]
	: >"$LOG"
	from_log
	printf 'cut\n' >>"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ rest of it new cut ' ]
}

@test "from-log.sh: killed before it saved how far it came, it repeats nothing" {
	printf 'one\ntwo\n' >"$LOG"
	from_log
	cp "$LOG.pushed" "$LOG.saved"
	printf 'three\n' >>"$LOG"
	from_log
	cp "$LOG.saved" "$LOG.pushed"
	printf 'four\n' >>"$LOG"
	from_log
	[ "$(lines)" = "one two three four " ]
}

@test "from-log.sh: a queue that can't be written: nothing is passed over" {
	printf 'one\n' >"$LOG"
	Q=$BATS_TEST_TMPDIR/no/such
	CODE=0
	from_log 2>/dev/null || CODE=$?
	[ "$CODE" -eq 2 ]
	Q=$BATS_TEST_TMPDIR/events
	from_log
	[ "$(lines)" = "one " ]
}
