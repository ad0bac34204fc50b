#!/usr/bin/env bats
# shellcheck disable=SC2016 # maps are jq: their $ is not the shell's
# Where maps and filters run in two processes at once: order, deaths, memory.

bats_require_minimum_version 1.5.0
load helpers/common

FIRST=20000 # events of a file: enough for a second worker to be started

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	[ "$(getconf _NPROCESSORS_ONLN)" -ge 2 ] || skip "one processor: one worker"
	mkdir catalog
	echo '{"name":"out","public":true,"payload":{"type":"object"}}' \
		>catalog/out.json
	echo '{"name":"in","public":false,"payload":true,"map":"in.jq"}' \
		>catalog/in.json
	hooks old
	# slow: for a second or so; long: 16 KB; run: for ever.
	cat >catalog/in.jq <<-'END'
	{name: "out", payload: {of: .payload, by: $webhooks[0].id}},
	if .payload == "slow" then reduce range(3e6) as $i (0; . + 1) | empty
	elif .payload == "run" then def f: f; f
	elif .payload == "long" then {name: "out", payload: {x: (reduce range(14) as $i ("x"; . + .))}}
	else empty end
	END
}

hooks() { # ID: of the one webhook
	echo '[{"id":"'"$1"'","url":"http://a.example/","subscriptions":["out"],"attributes":{}}]' >new
	mv new webhooks.json
}

events() { # PAYLOAD…: one with each; those of a file or pipe for -
	if [ "$1" = - ]; then cat; else printf '%s\n' "$@"; fi |
		sed 's/.*/{"name":"in","payload":&}/'
}

payloads() { # FILE…: of what was mapped
	sed -n 's/.*"of":\("\{0,1\}[a-z0-9]*"\{0,1\}\).*/\1/p' "$@"
}

n_workers() { # N
	[ "$(pgrep -P "$pid" | wc -l)" -eq "$1" ]
}

n_busy() { # N
	local w n=0
	for w in $(pgrep -P "$pid"); do
		[ "$(awk '{ print $3 }' "/proc/$w/stat")" != R ] || n=$((n + 1))
	done
	[ "$n" -eq "$1" ]
}

has_lines() { # N
	[ "$(wc -l <out)" -ge "$1" ]
}

# stream [OPTION…]: ev-map, past its first events, with two workers; fd 5 feeds it.
stream() {
	seq "$FIRST" | events - >first
	mkfifo fifo
	ev-map -c catalog -w webhooks.json -r rejects "$@" first - <fifo >out \
		2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	exec 5>fifo
	wait_until has_lines "$FIRST"
	n_workers 2
}

@test "lines typed need one worker; a stream gets two, whose answers keep their order" {
	mkfifo fifo
	ev-map -c catalog -w webhooks.json -r rejects <fifo >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	exec 5>fifo
	for n in {1..20}; do
		events "$n" >&5
		wait_until has_lines "$n"
	done
	n_workers 1
	seq 21 30000 | awk '$1 % 7000 == 0 { $1 = "\"slow\"" } { print }' >some
	events - <some >&5
	wait_until has_lines 30000
	n_workers 2
	exec 5>&-
	wait "$pid"
	seq 20 | cat - some >want
	payloads out >got
	same want got
	run ! test -s err
}

@test "a worker that is killed, or two: nothing is lost, nothing comes out of its place" {
	stream --timeout 1h
	seq 1000 >fast
	n=$FIRST
	ls "/proc/$pid/fd" | wc -l >before
	cp first want
	# Both have one that is slow; or the first one, and the second all others.
	for run in '2 1' '2 2' '2 1,2' '1 1' '1 2'; do
		slow=${run% *}
		{
			yes '"slow"' | head -n "$slow"
			cat fast
		} | events - >burst
		cat burst >>want
		n=$((n + $(wc -l <burst)))
		cat burst >&5
		wait_until n_busy "$slow"
		# shellcheck disable=SC2046 # one or two
		kill -9 $(pgrep -P "$pid" | sort -n | sed -n "${run#* }p")
		wait_until has_lines "$n"
	done
	cat first >&5
	cat first >>want
	wait_until has_lines $((n + FIRST))
	n_workers 2
	ls "/proc/$pid/fd" | wc -l >after
	same before after
	exec 5>&-
	wait "$pid"
	payloads out >got
	jq -c .payload want >want.of
	same want.of got
	run ! test -s err
	run ! test -s rejects
}

@test "an idle worker that was killed is no zombie once events come" {
	stream
	kill -9 "$(pgrep -P "$pid" | sort -n | tail -n 1)"
	n=$FIRST
	is_alone() {
		events 0 >&5
		wait_until has_lines $((n += 1))
		n_workers 1
	}
	wait_until is_alone
	# And is replaced.
	cat first >&5
	wait_until has_lines $((n + FIRST))
	n_workers 2
	exec 5>&-
	wait "$pid"
	run ! test -s err
}

@test "runaways late in a stream, side by side: each is one reject, order is kept" {
	seq "$FIRST" | awk '/^(9000|9001|9002|15000)$/ { $1 = "\"run\"" }
		{ print }' >some
	events - <some >in
	run_prog ev-map -c catalog -w webhooks.json -r rejects --timeout 100ms in
	want_code 1
	grep -v run some >want
	payloads "$OUT" >got
	same want got
	jq -r '[.line, .reason] | @tsv' rejects >got
	printf '%s\tmap-timeout\n' 9000 9001 9002 15000 >want
	same want got
}

@test "a barrier comes behind what either worker had before it" {
	seq 0 "$FIRST" | awk '$1 % 1000 == 0 {
		printf "{\"barrier\":\"s.%d\"}\n", n++ }
		{ printf "{\"name\":\"in\",\"payload\":%d}\n", $1 }' >in
	run_prog ev-map -c catalog -w webhooks.json -r rejects in
	want_code 0
	sed 's/.*"barrier":"\([^"]*\)".*/\1/; s/.*"payload":\([0-9]*\).*/\1/' \
		in >want
	sed 's/.*"barrier":"\([^"]*\)".*/\1/; s/.*"of":\([0-9]*\).*/\1/' \
		"$OUT" >got
	same want got
}

@test "a registry that changed is new to both workers" {
	stream
	hooks new
	n=$FIRST
	is_new() {
		events 0 >&5
		wait_until has_lines $((n += 1))
		tail -n 1 out | grep -q '"by":"new"'
	}
	wait_until is_new
	n_workers 1
	cat first >&5
	wait_until has_lines $((n + FIRST))
	n_workers 2
	exec 5>&-
	wait "$pid"
	test "$(tail -n "$FIRST" out | grep -c '"by":"new"')" -eq "$FIRST"
	run ! test -s err
}

@test "both workers die with their program" {
	stream --timeout 1h
	disown "$pid"
	events '"run"' '"run"' >&5
	wait_until n_busy 2
	workers=$(pgrep -P "$pid")
	# shellcheck disable=SC2206 # two
	EV_STARTED+=($workers)
	kill -9 "$pid"
	for worker in $workers; do
		wait_until gone "$worker"
	done
	exec 5>&-
}

@test "answers that wait for one before them take no memory" {
	[ -z "$EV_SAN" ] || skip "sanitizers use more"
	stream
	{
		events '"slow"'
		yes '"long"' | head -n 2000 | events -
	} >burst
	cat burst >&5
	wait_until has_lines $((FIRST + 4001))
	hwm=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
	exec 5>&-
	wait "$pid"
	echo "# $hwm KiB at its peak" >&3
	[ "$hwm" -lt 10240 ]
}

@test "where no second process can be started, one does all" {
	[ -z "$EV_SAN" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o fault.so "$REPO/tests/helpers/fault.c" -ldl
	seq "$FIRST" >want
	events - <want >in
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FORK=2 \
		FAULT_MARK="$PWD/fired" ev-map -c catalog -w webhooks.json in
	want_code 0
	[ -e fired ]
	payloads "$OUT" >got
	same want got
	# The first one can't be done without.
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FORK=1 \
		ev-map -c catalog -w webhooks.json in
	want_code 3
	grep -q 'cannot start a process for jq: ' "$ERR"
}

@test "ev-route: filters and transforms of a stream, in order" {
	cat >webhooks.json <<-'END'
	[{"id":"a","url":"http://a.example/","subscriptions":["out"],
	  "filter":".payload.of % 3 == 0"},
	 {"id":"b","url":"http://b.example/","subscriptions":["out"]},
	 {"id":"c","url":"http://c.example/","subscriptions":["out"],
	  "transform":".payload.of"}]
	END
	seq "$FIRST" | sed 's/.*/{"name":"out","id":"&","payload":{"of":&}}/' >in
	run_prog ev-route -c catalog -w webhooks.json in
	want_code 0
	sed -n 's/.*"webhook":"\([abc]\)".*"event":"\([0-9]*\)".*/\2 \1/p' \
		"$OUT" >got
	seq "$FIRST" | awk '{ if ($1 % 3 == 0) print $1, "a"
		print $1, "b"; print $1, "c" }' >want
	same want got
	jq -c 'select(.webhook == "c").body' "$OUT" >got
	seq "$FIRST" >want
	same want got
}
