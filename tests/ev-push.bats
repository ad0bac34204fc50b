#!/usr/bin/env bats
# ev-push: events on disk, or it says how many are.

load helpers/common

setup() {
	Q=$BATS_TEST_TMPDIR/events IN=$BATS_TEST_TMPDIR/in
	REJECTS=$BATS_TEST_TMPDIR/rejects
}

# The texts in the queue, in its order.
texts() {
	sqlite3 "$Q" 'SELECT text FROM event ORDER BY seq'
}

pings() { # FROM TO [MEMBERS]
	seq "$1" "$2" | jq -c '{name: "ping", payload: {n: .}}'
}

pings_with_ids() { # FROM TO
	seq "$1" "$2" | jq -c '{id: "order-\(.)", name: "ping", payload: {n: .}}'
}

@test "events are kept in their bytes and their order; without an id they get one" {
	cat >"$IN" <<-'END'
	{"name":"ping","id":"mine","payload":{"n":1.10,"s":"\u0041\/"}}
	{ "payload":{"n":12345678901234567890} , "name":"ping" }
	{"name":"ping"}

	{"n\u0061me":"ping","\u0069d":"also mine"}
	END
	run_prog ev-push -q "$Q" "$IN"
	want_code 0
	[ ! -s "$ERR" ] && [ ! -s "$OUT" ]
	texts >"$IN.got"
	[ "$(sed -n 1p "$IN.got")" = "$(sed -n 1p "$IN")" ]
	[ "$(sed -n 4p "$IN.got")" = "$(sed -n 5p "$IN")" ]
	# Taken away again, the id leaves what was there.
	sed -nE '2,3s/"id":"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",//p' \
		"$IN.got" >"$IN.without"
	sed -n 2,3p "$IN" >"$IN.want"
	same "$IN.want" "$IN.without"
	[ "$(jq -r .id "$IN.got" | sort -u | wc -l)" -eq 4 ]
	[ "$(stat -c %a "$Q")" = 600 ]
}

@test "ids begin with their time, and come in order" {
	local before after
	before=$(date +%s%3N)
	pings 1 5000 | ev-push -q "$Q"
	after=$(date +%s%3N)
	texts | jq -r '.id[0:13] | sub("-"; "")' >"$IN.times"
	LC_ALL=C sort -c "$IN.times"
	[ $((16#$(head -n 1 "$IN.times"))) -ge "$before" ]
	[ $((16#$(tail -n 1 "$IN.times"))) -le "$after" ]
	[ "$(texts | jq -r .id | sort -u | wc -l)" -eq 5000 ]
}

@test "an event in a string is unwrapped" {
	echo '{"name":"ping","id":"a","payload":{"n":1.0}}' >"$IN"
	jq -Rc . "$IN" | run_prog ev-push -q "$Q"
	texts >"$IN.got"
	same "$IN" "$IN.got"
}

@test "what is no event, or a forged barrier, is refused; the rest is on disk" {
	cat >"$IN" <<-'END'
	{"name":"ping","id":"a"}
	{"barrier":"0123456789abcdef0123456789abcdef.0"}
	"{\"barrier\":\"0123456789abcdef0123456789abcdef.0\"}"
	{"b\u0061rrier":"0123456789abcdef0123456789abcdef.0"}
	nonsense
	{"payload":{}}
	{"name":"ping","id":""}
	5
	{"name":"ping","id":"b"}
	END
	run_prog ev-push -q "$Q" -r "$REJECTS" "$IN"
	want_code 1
	[ "$(texts | jq -r .id | tr '\n' ' ')" = "a b " ]
	[ "$(wc -l <"$REJECTS")" -eq 7 ]
	tail -n 1 "$ERR" | grep -q '^ev-push: 2 events are on disk'
}

@test "a push with ids of one's own can be repeated" {
	pings_with_ids 1 1000 >"$IN"
	head -n 300 "$IN" | ev-push -q "$Q"
	run_prog ev-push -v -q "$Q" "$IN"
	want_code 0
	grep -q '1000 events are on disk, 300 of them from an earlier push' "$ERR"
	run_prog ev-push -v -q "$Q" "$IN"
	want_code 0
	grep -q '1000 events are on disk, 1000 of them' "$ERR"
	texts >"$IN.got"
	same "$IN" "$IN.got"
	# Also when the events are gone meanwhile.
	timeout 60 ev-pull -q "$Q" --drain -- cat >"$IN.out"
	same "$IN" "$IN.out"
	ev-push -q "$Q" "$IN"
	[ "$(texts | wc -l)" -eq 0 ]
	# Other bytes with that id are another event, and nothing is lost.
	sed 's/"n":7}/"n":8}/' "$IN" | ev-push -q "$Q"
	[ "$(texts)" = '{"id":"order-7","name":"ping","payload":{"n":8}}' ]
}

@test "within one push, too" {
	pings_with_ids 1 10 >"$IN"
	cat "$IN" "$IN" | ev-push -q "$Q"
	texts >"$IN.got"
	same "$IN" "$IN.got"
}

@test "several push at once: all of each, in its order" {
	local i pids=()
	for i in 1 2 3 4; do
		pings $((i * 10000)) $((i * 10000 + 4999)) >"$IN.$i"
		ev-push -q "$Q" "$IN.$i" 3>&- 4>&- &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	texts | jq .payload.n >"$IN.got"
	[ "$(wc -l <"$IN.got")" -eq 20000 ]
	for i in 1 2 3 4; do
		grep "^$i" "$IN.got" >"$IN.of"
		sort -n "$IN.of" >"$IN.sorted"
		same "$IN.sorted" "$IN.of"
		[ "$(wc -l <"$IN.of")" -eq 5000 ]
	done
}

@test "several make the queue at once, over and over" {
	local i j pids
	for i in $(seq 30); do
		rm -f "$Q"*
		pids=()
		for j in 1 2 3 4 5 6; do
			ev-push -q "$Q" <<<'{"name":"ping"}' 3>&- 4>&- &
			pids+=($!)
		done
		for j in "${pids[@]}"; do wait "$j"; done
		[ "$(texts | wc -l)" -eq 6 ]
	done
}

@test "a line is on disk while the pipe is still open" {
	mkfifo "$IN.fifo"
	ev-push -q "$Q" <"$IN.fifo" 3>&- 4>&- &
	exec 7>"$IN.fifo"
	pings 1 1 >&7
	wait_until test -s "$Q"
	on_disk() { [ "$(texts | wc -l)" -eq "$1" ]; }
	wait_until on_disk 1
	pings 2 4 >&7
	wait_until on_disk 4
	exec 7>&-
	wait $!
}

@test "kill -9 at random moments: repeated until 0, each event is there once" {
	local i code n=0 pid
	pings_with_ids 1 20000 >"$IN"
	for i in $(seq 200); do
		ev-push -q "$Q" "$IN" 3>&- 4>&- &
		pid=$!
		disown $pid
		sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
		if kill -9 $pid 2>/dev/null; then n=$((n + 1)); else break; fi
		[ "$i" -lt 12 ] || break
	done
	wait_until gone $pid
	ev-push -q "$Q" "$IN"
	echo "# killed $n times" >&3
	texts >"$IN.got"
	same "$IN" "$IN.got"
	[ "$(sqlite3 "$Q" 'PRAGMA integrity_check')" = ok ]
}

@test "the disk was told before exit 0" {
	command -v strace || skip "no strace here"
	strace -o /dev/null true || skip "strace may not trace here"
	[ -z "${EV_SAN:-}" ] || skip "leaks are not looked for under strace"
	pings 1 1 | ev-push -q "$Q"
	pings 2 2 | strace -f -o "$IN.trace" -e trace=fsync,fdatasync,pwrite64 \
		ev-push -q "$Q"
	# The last write to the log is followed by a sync of it.
	grep -n -E 'fdatasync|fsync' "$IN.trace"
}

@test "a full disk: code 3, says how many are on disk, and these are" {
	local dir=$BATS_TEST_TMPDIR/small n
	mkdir "$dir"
	mount -t tmpfs -o size=2m none "$dir" 2>/dev/null || skip "may not mount"
	Q=$dir/events
	pings 1 40000 | CODE=0 run_prog ev-push -q "$Q" || true
	n=$(sed -n 's/^ev-push: \([0-9]*\) events are on disk.*/\1/p' \
		"$BATS_TEST_TMPDIR/err")
	cat "$BATS_TEST_TMPDIR/err" >&2
	texts >"$IN.got" || true
	umount "$dir"
	grep -q 'the disk is full' "$BATS_TEST_TMPDIR/err"
	grep -q "go on from line $((n + 1)) of stdin$" "$BATS_TEST_TMPDIR/err"
	[ "$n" -gt 0 ] && [ "$n" -lt 40000 ]
	[ "$(wc -l <"$IN.got")" -eq "$n" ]
	[ "$(tail -n 1 "$IN.got" | jq .payload.n)" -eq "$n" ]
}

@test "whatever ends it, it says how many are on disk, and these are the first" {
	pings 1 10000 >"$IN"
	echo nonsense >>"$IN"
	pings 1 10 >>"$IN"
	run_prog ev-push -q "$Q" -r /dev/full "$IN"
	want_code 3
	n=$(sed -n 's/^ev-push: \([0-9]*\) events are on disk.*/\1/p' "$ERR")
	[ "$(texts | wc -l)" -eq "$n" ]
	[ "$(texts | tail -n 1 | jq .payload.n)" -eq "$n" ]
	CODE=0
	ev-push -q "$Q.2" <&- 2>"$ERR" || CODE=$?
	[ "$CODE" -eq 3 ]
	grep -q '^ev-push: 0 events are on disk' "$ERR"
}

@test "a line that is too long is refused, its neighbours are on disk" {
	pings 1 1 >"$IN"
	printf '{"name":"ping","x":"%*s"}\n' 1048576 '' >>"$IN"
	pings 2 2 >>"$IN"
	run_prog ev-push -q "$Q" -r "$REJECTS" "$IN"
	want_code 1
	[ "$(jq -r .reason "$REJECTS")" = too-long ]
	[ "$(texts | jq .payload.n | tr '\n' ' ')" = "1 2 " ]
}

@test "wrong set-ups: code 2, in words" {
	echo '{"name":"ping"}' >"$IN"
	run_prog ev-push "$IN"
	want_code 2
	grep -q 'give one with -q' "$ERR"
	run_prog ev-push -q "$BATS_TEST_TMPDIR/no/such" "$IN"
	want_code 2
	run_prog ev-push -q "$BATS_TEST_TMPDIR" "$IN"
	want_code 2
	sqlite3 "$IN.db" 'CREATE TABLE t(a)'
	run_prog ev-push -q "$IN.db" "$IN"
	want_code 2
	grep -q 'no event queue' "$ERR"
	run_prog ev-push -q 'amqps://me:secret@rabbit.example/v?queue=%zz' "$IN"
	want_code 2
	if grep -q secret "$ERR"; then false; fi
	run_prog ev-push -q "$Q" "$IN.none"
	want_code 2
	grep -q '0 events are on disk' "$ERR"
	echo text >"$IN.text"
	run_prog ev-push -q "$IN.text" "$IN"
	want_code 2
	grep -q 'no SQLite file, and so no event queue' "$ERR"
	[ "$(cat "$IN.text")" = text ]
}

@test "a build without librabbitmq says what to do about amqp://" {
	local bin=$BATS_TEST_TMPDIR/without
	env -u MAKEFLAGS -u MAKELEVEL make -s -C "$REPO" CFLAGS=-O0 RABBITMQ=no \
		BUILD="$BATS_TEST_TMPDIR/build" BIN="$bin" "$bin/ev-push" >"$bin.made" 2>&1 3>&- ||
		{ cat "$bin.made" >&2; false; }
	echo '{"name":"ping"}' >"$IN"
	run_prog "$bin/ev-push" -q 'amqps://me:secret@rabbit.example/v' "$IN"
	want_code 2
	grep -q "install librabbitmq ('make deps' does) and build again, without RABBITMQ=no" "$ERR"
	if grep -q secret "$ERR"; then false; fi
	run_prog "$bin/ev-push" -q "$Q" "$IN"
	want_code 0
}
