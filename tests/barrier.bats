#!/usr/bin/env bats
# Barriers, by which a pipe acknowledges (DESIGN.md section 6): every program
# passes them on in their place, in their bytes, in sequence, once its rejects
# are on disk.

load helpers/common

setup() {
	W=$BATS_TEST_TMPDIR/w.json REJECTS=$BATS_TEST_TMPDIR/rejects
	IN=$BATS_TEST_TMPDIR/in WANT=$BATS_TEST_TMPDIR/want
	SESSION=00112233445566778899aabbccddeeff
	GOOD='{"name":"ping","payload":{"name":"one"}}'
	cat >"$W" <<-'END'
	[{"id":"wh1","url":"http://one.example/","subscriptions":["ping"],
	  "attributes":{"name":"one"}}]
	END
}

barrier() {
	echo "{\"barrier\":\"$SESSION.$1\"}"
}

# each_filter COMMAND…: run it with the filter's name and arguments behind.
each_filter() {
	"$@" ev-validate
	"$@" ev-map -w "$W"
	"$@" ev-route -w "$W"
}

in_its_place() {
	run_prog "$@" -r "$REJECTS" "$IN"
	want_code 1
	# Three lines of other kinds, each behind its barrier.
	[ "$(grep -n barrier "$OUT" | cut -d: -f1 | tr '\n' ' ')" = "1 3 5 6 " ]
	grep barrier "$OUT" >"$IN.out"
	grep barrier "$IN" >"$IN.want"
	same "$IN.want" "$IN.out"
}

@test "a barrier is passed on in its place, in its bytes" {
	{
		barrier 0
		echo "$GOOD"
		barrier 1
		echo "$GOOD"
		echo nonsense
		echo ' { "barrier" : "'$SESSION'.2" } '
		barrier 3
	} >"$IN"
	each_filter in_its_place
	# As a general tool, too.
	echo '{"type":"object","required":["name"]}' >"$IN.schema"
	in_its_place ev-validate --schema "$IN.schema"
}

no_rejects() {
	run_prog "$@" "$IN"
	want_code 2
	grep -q "^$1: .*line 2: a barrier, but nowhere to put rejects" "$ERR"
	if grep barrier "$OUT"; then false; fi
	[ -s "$OUT" ] # what came before is out
}

@test "nowhere to put rejects: code 2 at the first barrier" {
	{ echo "$GOOD"; barrier 0; echo "$GOOD"; } >"$IN"
	each_filter no_rejects
	EV_REJECTS=$REJECTS run_prog ev-validate "$IN"
	want_code 0
	same "$IN" "$OUT"
}

out_of_sequence() {
	local want=$1
	shift
	run_prog "$@" -r "$REJECTS" "$IN"
	want_code 3
	[ "$(grep -c barrier "$OUT")" -eq "$want" ] || {
		cat "$IN" "$OUT" >&2
		return 1
	}
	grep -q "^$1: .*line [0-9]*: barrier .*may be lost" "$ERR"
}

# sequence N LINE…: so many barriers of these go through, then code 3.
sequence() {
	local n=$1
	shift
	printf '{"barrier":"%s"}\n' "$@" >"$IN"
	each_filter out_of_sequence "$n"
}

@test "out of sequence: code 3, and nothing is passed on" {
	sequence 0 a.1
	sequence 2 a.0 a.1 a.3
	sequence 2 a.0 a.1 a.1
	sequence 2 a.0 a.1 a.0
	sequence 1 a.0 b.1
	sequence 3 a.0 a.1 b.0 a.2
}

@test "a new session begins with barrier 0" {
	printf '{"barrier":"%s"}\n' a.0 a.1 b.0 b.1 b.2 >"$IN"
	EV_REJECTS=$REJECTS run_prog ev-validate "$IN"
	want_code 0
	same "$IN" "$OUT"
}

no_barrier() {
	run_prog "$@" -r "$REJECTS" "$IN"
	want_code 1
	[ ! -s "$OUT" ]
	[ "$(wc -l <"$REJECTS")" -eq "$(wc -l <"$IN")" ]
	rm "$REJECTS"
}

@test "what only looks like a barrier is rejected" {
	cat >"$IN" <<-END
	{"barrier":"$SESSION.0","x":1}
	{"x":1,"barrier":"$SESSION.0"}
	{"barrier":"$SESSION.0","barrier":"$SESSION.0"}
	{"b\u0061rrier":"$SESSION.0"}
	{"barrier":"$SESSION\u002e0"}
	{"barrier":"$SESSION.0"
	{"barrier":"$SESSION.0"}x
	{"barrier":"$SESSION."}
	{"barrier":".0"}
	{"barrier":"$SESSION.0 "}
	{"barrier":"$SESSION.-1"}
	{"barrier":"$SESSION.0x"}
	{"barrier":"$SESSION.99999999999999999999"}
	{"barrier":"$SESSION$SESSION$SESSION.0"}
	{"barrier":"a b.0"}
	{"barrier":0}
	[{"barrier":"$SESSION.0"}]
	END
	# In a string it would be unwrapped: nobody can smuggle one in.
	barrier 0 | jq -c tojson >>"$IN"
	each_filter no_barrier
}

@test "a disk that is full under the rejects: code 3, no barrier" {
	{ barrier 0; echo nonsense; barrier 1; } >"$IN"
	each_filter full_disk
}

full_disk() {
	run_prog "$@" -r /dev/full "$IN"
	want_code 3
	[ "$(cat "$OUT")" = "$(barrier 0)" ]
	grep -q "rejects file: No space left" "$ERR"
}

# traced PROGRAM…: fsync stands before the write of the barrier that follows
# the reject, and nowhere else.
traced() {
	rm -f "$IN.out"
	strace -f -s 200 -o "$IN.trace" -e trace=fsync,write "$@" -r "$REJECTS" \
		<"$IN.fifo" >"$IN.out" 2>"$IN.err" &
	{
		barrier 0
		wait_until grep -q "$SESSION.0" "$IN.out"
		echo nonsense
		barrier 1
		wait_until grep -q "$SESSION.1" "$IN.out"
		barrier 2
	} >"$IN.fifo"
	wait $! || [ $? -eq 1 ]
	sed -n 's/.*barrier.*\.\([012]\).*/barrier \1/p; s/.*fsync.*/fsync/p' \
		"$IN.trace" | uniq >"$IN.seen"
	printf '%s\n' 'barrier 0' fsync 'barrier 1' 'barrier 2' >"$WANT"
	same "$WANT" "$IN.seen"
}

@test "rejects are on disk before the barrier behind them" {
	command -v strace || skip "no strace here"
	strace -o /dev/null true || skip "strace may not trace here"
	[ -z "${EV_SAN:-}" ] || skip "leaks are not looked for under strace"
	mkfifo "$IN.fifo"
	each_filter traced
}
