#!/usr/bin/env bats
# Connections that are kept, to receivers that do what none should: each call is
# answered by its own answer, and none costs an attempt that the receiver's end of
# a connection is to blame for.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

teardown() {
	stop_all
}

# receiver WHAT: see helpers/receiver.pl. Sets PORT.
receiver() {
	needs perl
	rm -f port
	perl "$REPO/tests/helpers/receiver.pl" port log "$1" 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until test -s port
	PORT=$(<port)
}

# N calls, one after the other; all are delivered at once.
delivers() { # N [BODY]
	local i
	for ((i = 1; i <= $1; i++)); do
		printf '{"url":"http://127.0.0.1:%s/%d","headers":{},"body":%s}\n' \
			"$PORT" "$i" "${2:-[]}"
	done >in
	run_prog ev-deliver --allow-net 127.0.0.0/8 --schedule none --max-line 16M \
		--concurrency 1 in
	want_code 0
	[ "$(jq -r '"\(.outcome) \(.attempt)"' "$OUT" | sort | uniq -c |
		tr -s ' ')" = " $1 delivered 1" ]
}

connections() {
	cut -d' ' -f1 log | sort -u | wc -l
}

@test "one that is closed just when it is used again: the request goes out anew" {
	for what in leave reset; do
		receiver "$what"
		delivers 6
		# Of each connection, one request was answered and one was not.
		[ "$(connections)" -eq 6 ]
		[ "$(cut -d' ' -f2 log | sort -u | wc -l)" -eq 6 ]
		[ "$(wc -l <log)" -eq 11 ]
		stop_all
	done
}

@test "but one that never served is not tried twice" {
	echo reset >steps
	start_sink --script steps
	printf '{"url":"http://127.0.0.1:%s/","headers":{},"body":[]}\n' \
		"$SINK_PORT" >in
	run_prog ev-deliver --allow-net 127.0.0.0/8 --schedule none in
	want_code 1
	[ "$(jq -r '"\(.outcome) \(.reason) \(.error)"' "$OUT")" = \
		"dead connect connection broken before the answer's head was complete: Connection reset by peer" ]
	[ "$(wc -l <"$SINK_LOG")" -eq 1 ]
}

@test "an answer that nobody asked for answers no other request" {
	for what in twice later; do
		receiver "$what"
		delivers 5
		[ "$(wc -l <log)" -eq 5 ]
		stop_all
	done
	receiver twice
	delivers 5
	[ "$(connections)" -eq 5 ]
}

@test "one that is closed behind its answer serves no more" {
	receiver shut
	delivers 5
	[ "$(connections)" -eq 5 ]
	# All at once, too.
	for ((i = 0; i < 300; i++)); do cat in; done >many
	run_prog ev-deliver --allow-net 127.0.0.0/8 --schedule none many
	want_code 0
	[ "$(grep -c '"outcome":"delivered"' "$OUT")" -eq 1500 ]
}

@test "an answer before the body is read counts, and the connection ends" {
	# More than what fits between the two.
	head -c 14000000 /dev/zero | tr '\0' x | sed 's/.*/"&"/' >body
	for what in early away; do
		receiver "$what"
		delivers 3 "$(<body)"
		[ "$(connections)" -eq 3 ]
		stop_all
	done
}

@test "answers in single bytes; interim ones, chunks and trailers" {
	receiver bytes
	delivers 4
	[ "$(connections)" -eq 1 ]
}
