#!/usr/bin/env bats
# ev-deliver -q: what is taken, sent, repeated, held and recorded, by whom, and
# what is left when a process ends badly.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	: >rejects
}

# script STEP…: a receiver that takes them one by one.
script() {
	printf '%s\n' "$@" >steps
	start_sink --script steps
}

# call ID [MEMBERS]: a bare call to the receiver.
call() {
	printf '{"url":"http://127.0.0.1:%s/%s","headers":{},"body":{"k":1},"id":"%s"%s}\n' \
		"$SINK_PORT" "$1" "$1" "${2:+,$2}"
}

# hooked ID WEBHOOK: a call of a webhook.
hooked() {
	printf '{"url":"http://gone.example/","headers":{},"body":{"k":1},"id":"%s","webhook":"%s"}\n' \
		"$1" "$2"
}

# registry WEBHOOK [MEMBERS]: one webhook, to the receiver.
registry() {
	printf '[{"id":"%s","url":"http://127.0.0.1:%s/%s","subscriptions":["ping"]%s}]\n' \
		"$1" "$SINK_PORT" "$1" "${2:+,$2}" >w.new
	mv w.new w.json
}

deliver() {
	ev-deliver -q q $LOOPBACK "$@"
}

# in_background NAME ARGUMENTS…: its output to NAME.out, its id to PID.
in_background() {
	local name=$1
	shift
	ev-deliver -q q $LOOPBACK "$@" >"$name.out" 2>"$name.err" \
		</dev/null 3>&- 4>&- &
	PID=$!
	EV_STARTED+=("$PID")
}

# ended PID CODE
ended() {
	local code=0
	wait "$1" || code=$?
	[ "$code" -eq "$2" ] || {
		echo "exit code $code, not $2" >&2
		cat ./*.err >&2
		return 1
	}
}

# outcomes FILE WANT: "retry:http-5xx delivered:" and so on.
outcomes() {
	local got
	got=$(jq -r '"\(.outcome):\(.reason // "")"' "$1" | paste -sd' ')
	[ "$got" = "$2" ] || {
		echo "outcomes $got, not $2" >&2
		cat "$1" ./*.err >&2
		return 1
	}
}

tally() { # the same, in any order
	jq -sc 'sort_by(.outcome)[]' "$1" >sorted
	outcomes sorted "$2"
}

lines() { # FILE AT_LEAST
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# sorted N: so many calls are in the table call.
sorted() {
	[ "$(sql 'SELECT count(*) FROM call')" = "$1" ]
}

# arrived WANT: the paths that the receiver saw, in order.
arrived() {
	local got
	got=$(jq -r .target "$SINK_LOG" | tr -d / | paste -sd' ')
	[ "$got" = "$1" ] || {
		echo "arrived: $got, not $1" >&2
		return 1
	}
}

sql() {
	sqlite3 -cmd '.timeout 5000' q "$1"
}

whole() {
	[ "$(sql 'PRAGMA integrity_check')" = ok ]
}

@test "plain: what is read is stored, sent and on record" {
	start_sink
	{ call a; call b; } | deliver >out
	outcomes out "delivered: delivered:"
	arrived "a b"
	[ "$(sql 'SELECT count(*), sum(outcome), count(due) FROM call')" = "2|2|" ] ||
		[ "$(sql 'SELECT count(*), sum(outcome), count(due) FROM call')" = "2|2|0" ]
	[ "$(sql 'SELECT count(*) FROM payload')" = 0 ]
	[ "$(sql 'SELECT call, n, outcome, status FROM attempt' | paste -sd' ')" = "1|1|1|204 2|1|1|204" ]
	[ "$(sql 'SELECT delivered, retry, dead FROM hour')" = "2|0|0" ]
	whole
}

@test "--enqueue sends nothing and needs no registry; --drain sends it all" {
	start_sink
	{ hooked a one; call b; } >in
	run_prog ev-deliver -q q --enqueue in
	want_code 0
	[ ! -s "$OUT" ]
	[ ! -s "$SINK_LOG" ]
	registry one
	deliver -w w.json --drain </dev/null >out
	outcomes out "delivered: delivered:"
	[ "$(jq -r .target "$SINK_LOG" | sort | paste -sd' ')" = "/b /one" ]
}

@test "repeats are absorbed, with word of another body, and --force bypasses" {
	start_sink
	call a >in
	call a | sed 's/"k":1/"k":2/' >>in
	printf '{"url":"http://127.0.0.1:%s/p","headers":{}}\n' "$SINK_PORT" |
		tee -a in >>in
	deliver in >out
	outcomes out "duplicate: delivered: delivered: delivered:"
	[ "$(jq -c 'select(.outcome=="duplicate") | [.id,.conflict]' out)" = '["a",true]' ]
	deliver in >out
	[ "$(jq -c '[.outcome,.conflict]' out | paste -sd' ')" = '["duplicate",null] ["duplicate",true] ["delivered",null] ["delivered",null]' ]
	deliver --force in >out
	outcomes out "delivered: delivered: delivered: delivered:"
	deliver --retention 0 in >out
	[ "$(jq -c 'select(.outcome=="duplicate")' out | wc -l)" = 1 ]
}

@test "repeats are told by the one who delivers, whoever stored them" {
	start_sink
	call a | ev-deliver -q q --enqueue
	{ call a; call a | sed 's/"k":1/"k":2/'; call b; } >again
	run_prog ev-deliver -q q --enqueue again
	want_code 0
	[ ! -s "$OUT" ]
	deliver --drain </dev/null >out
	tally out "delivered: delivered: duplicate: duplicate:"
	[ "$(jq -c 'select(.conflict).id' out)" = '"a"' ]
	in_background serve --serve
	ev-deliver -q q --enqueue again
	wait_until lines serve.out 3
	outcomes serve.out "duplicate: duplicate: duplicate:"
	arrived "a b"
}

@test "a repeat in one row with its call: one is sent, the other one told" {
	start_sink
	call z | deliver >out # its lane is known now
	{ call a; call a; call b; } >in
	deliver in >out
	tally out "delivered: delivered: duplicate:"
	arrived "z a b"
	[ "$(sql 'SELECT count(*) FROM todo')" = 0 ]
}

@test "in hand: what is over is on record, though one of its row hangs" {
	script 'status 204' 'status 204' 'status 204' hang 'status 204'
	call z | deliver >out
	{ call a; call b; call c; } >in
	in_background serve --serve --concurrency 1 --timeout 60s
	ev-deliver -q q --enqueue in
	wait_until lines serve.out 2
	[ "$(sql 'SELECT count(*) FROM todo')" = 0 ]
	[ "$(sql 'SELECT id, due, outcome FROM call WHERE seq > 1' |
		paste -sd' ')" = "a||1 b||1 c|0|0" ]
	[ "$(sql 'SELECT seq FROM payload')" = 4 ]
	kill -9 "$PID"
	wait "$PID" || true
	deliver --drain </dev/null >out
	outcomes out "delivered:"
	arrived "z a b c c"
	[ "$(sql 'SELECT count(*) FROM payload')" = 0 ]
	whole
}

@test "in hand: of a webhook that is disabled meanwhile, held" {
	start_sink
	registry one
	hooked a one | deliver -w w.json >out
	registry one '"disabled":true'
	hooked b one | deliver -w w.json >out
	[ ! -s out ]
	[ "$(sql 'SELECT id, due FROM call' | paste -sd' ')" = "a| b|0" ]
	registry one
	deliver -w w.json --drain </dev/null >out
	outcomes out "delivered:"
	arrived "one one"
}

@test "hook-admin sorts in what was stored, and leaves the repeats to be told" {
	start_sink
	{ call a; call a; call b; } | ev-deliver -q q --enqueue
	hook-admin -q q deliveries >out
	[ "$(jq -r '.id + .outcome' out | paste -sd' ')" = "bwaiting awaiting" ]
	hook-admin -q q deliveries >again
	same out again
	[ "$(sql 'SELECT count(*), max(repeats) FROM todo')" = "1|-1" ]
	deliver --drain </dev/null >out
	tally out "delivered: delivered: duplicate:"
	[ "$(sql 'SELECT count(*) FROM todo')" = 0 ]
	deliver --drain </dev/null >out
	[ ! -s out ]
}

@test "hook-admin sorts nothing in while one delivers" {
	start_sink
	in_background serve --serve
	call z | ev-deliver -q q --enqueue
	wait_until lines serve.out 1
	kill -STOP "$PID"
	call a | ev-deliver -q q --enqueue
	run_prog hook-admin -q q deliveries
	want_code 0
	[ ! -s "$ERR" ]
	[ "$(jq -r .id "$OUT")" = z ]
	kill -CONT "$PID"
	wait_until lines serve.out 2
	arrived "z a"
	kill "$PID"
	ended "$PID" 0
	call b | ev-deliver -q q --enqueue
	hook-admin -q q deliveries >out
	[ "$(jq -r .id out | paste -sd' ')" = "b a z" ]
}

@test "more than hook-admin sorts in at a time: it says so, and goes on next time" {
	printf '{"url":"http://127.0.0.1:9/","headers":{}}\n' |
		ev-deliver -q q --enqueue
	sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
			WHERE i < 2100)
		INSERT INTO todo(taken, repeats, calls)
		SELECT taken, repeats, calls FROM todo, n'
	run_prog hook-admin -q q stats
	want_code 0
	grep -q 'not all calls that were stored are shown yet' "$ERR"
	[ "$(jq .waiting "$OUT")" = 2000 ]
	run_prog hook-admin -q q stats
	want_code 0
	[ ! -s "$ERR" ]
	[ "$(jq .waiting "$OUT")" = 2101 ]
}

@test "a damaged row of what was stored is exit 3, and no reason to show nothing" {
	start_sink
	call a | deliver >out
	call b | ev-deliver -q q --enqueue
	sql "UPDATE todo SET calls = zeroblob(99)"
	run_prog ev-deliver -q q $LOOPBACK --drain /dev/null
	want_code 3
	grep -q 'q: damaged: row 1 of the table todo' "$ERR"
	run_prog hook-admin -q q deliveries
	want_code 0
	grep -q 'are not shown: q: damaged' "$ERR"
	[ "$(jq -r .id "$OUT")" = a ]
	call c | ev-deliver -q q --enqueue
	bash -c "$(sed -n 's/.*what it held: //p' "$ERR")"
	deliver --drain </dev/null >out
	[ "$(jq -r .id out)" = c ]
}

@test "a retry waits in the queue, over the end of the program" {
	script 'status 500' 'status 204'
	call a >in
	run_prog ev-deliver -q q $LOOPBACK --schedule 300ms in
	want_code 0
	outcomes "$OUT" "retry:http-5xx"
	deliver --schedule 300ms --drain </dev/null >out
	outcomes out "delivered:"
	[ "$(jq -r .attempt out)" = 2 ]
	[ "$(sql 'SELECT n, outcome, status FROM attempt' | paste -sd' ')" = "1|3|500 2|1|204" ]
}

@test "a dead call keeps its payload, is exit 1, and is taken again" {
	script 'status 500' 'status 500' 'status 204'
	call a >in
	run_prog ev-deliver -q q $LOOPBACK --schedule 10ms --drain in
	want_code 1
	outcomes "$OUT" "retry:http-5xx dead:http-5xx"
	[ "$(jq 'select(.outcome=="dead") | has("call")' "$OUT")" = false ]
	[ "$(sql 'SELECT text FROM payload')" = "$(cat in)" ]
	[ "$(sql 'SELECT outcome, reason, attempts FROM call')" = "4|http-5xx|2" ]
	deliver in >out
	outcomes out "delivered:"
}

@test "kill -9 in mid-flight: the call is sent again" {
	script hang 'status 204'
	call a >in
	ev-deliver -q q --enqueue in
	in_background first --serve
	wait_until lines "$SINK_LOG" 1
	kill -9 "$PID"
	wait "$PID" || true
	whole
	deliver --drain </dev/null >out
	outcomes out "delivered:"
	arrived "a a"
}

@test "one delivers; another stores at once, and delivers when the lock is free" {
	start_sink
	in_background first --serve
	first=$PID
	call a | ev-deliver -q q --enqueue
	wait_until lines first.out 1
	in_background second --serve
	second=$PID
	call b | deliver >out
	[ ! -s out ]
	wait_until lines first.out 2
	kill -9 "$first"
	wait "$first" || true
	call c | ev-deliver -q q --enqueue
	wait_until lines second.out 1
	outcomes second.out "delivered:"
	arrived "a b c"
	kill "$second"
	ended "$second" 0
}

@test "an idle server makes no wake-ups and hears of what others store" {
	start_sink
	in_background serve --serve
	call a | ev-deliver -q q --enqueue
	wait_until lines serve.out 1
	switches() {
		awk '/^(non)?voluntary_ctxt/ { n += $2 } END { print n }' \
			"/proc/$PID/status"
	}
	still() {
		local before
		before=$(switches)
		sleep 1
		[ "$(switches)" = "$before" ]
	}
	wait_until still
	call b | ev-deliver -q q --enqueue
	wait_until lines serve.out 2
	kill "$PID"
	ended "$PID" 0
}

@test "order: one of a key at a time, in the order of commit, over a retry" {
	script 'status 500' 'status 204'
	{
		call a1 '"key":"a"'
		call a2 '"key":"a"'
		call b1 '"key":"b"'
		call n1
		call a3 '"key":"a"'
	} >in
	deliver --schedule 200ms --per-webhook 1 --drain in >out
	arrived "a1 b1 n1 a1 a2 a3"
}

@test "order: a dead head lets the next go; a restart keeps the order" {
	script 'status 500' 'status 204'
	for i in 1 2 3; do call a$i '"key":""'; done >in
	run_prog ev-deliver -q q $LOOPBACK --schedule 100ms in
	want_code 0
	arrived "a1"
	call a4 '"key":""' | ev-deliver -q q --enqueue
	deliver --schedule 100ms --drain </dev/null >out
	arrived "a1 a1 a2 a3 a4"
	script 'status 500' 'status 204'
	for i in 5 6; do call a$i '"key":""'; done >in
	run_prog ev-deliver -q q $LOOPBACK --schedule none --drain in
	want_code 1
	arrived "a5 a6"
}

@test "calls of a disabled webhook are held, and go when it is enabled" {
	start_sink
	registry one '"disabled":true'
	hooked a one >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --drain in
	want_code 0
	[ ! -s "$OUT" ]
	in_background serve -w w.json --serve
	registry one
	wait_until lines serve.out 1
	outcomes serve.out "delivered:"
	kill "$PID"
	ended "$PID" 0
}

@test "calls held too long end dead, expired; of a removed webhook, removed" {
	start_sink
	registry one '"disabled":true'
	{ hooked a one; hooked b other; } >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json in
	want_code 1
	outcomes "$OUT" "dead:removed"
	run_prog ev-deliver -q q $LOOPBACK -w w.json --hold 0 --drain /dev/null
	want_code 1
	outcomes "$OUT" "dead:expired"
	[ "$(sql 'SELECT reason FROM call' | paste -sd' ')" = "expired removed" ]
}

@test "410 disables the webhook: its calls are held until it is enabled" {
	script 'status 410' 'status 204'
	registry one
	{ hooked a one; hooked b one; } >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --per-webhook 1 in
	want_code 1
	outcomes "$OUT" "disabled:gone dead:gone"
	[ "$(jq -r 'select(.outcome=="disabled").webhook' "$OUT")" = one ]
	deliver -w w.json --drain </dev/null >out
	[ ! -s out ]
	[ "$(sql 'SELECT state, why FROM change')" = "2|answered 410" ]
	hook-admin -w w.db import w.json
	in_background serve -w w.db --serve
	hook-admin -w w.db -q q enable one
	wait_until lines serve.out 1
	outcomes serve.out "delivered:"
	kill "$PID"
	ended "$PID" 0
}

@test "enabled again in the queue, where the registry is a JSON file" {
	script 'status 410' 'status 204'
	registry one
	{ hooked a one; hooked b one; } | deliver -w w.json --per-webhook 1 >out || true
	[ "$(sql 'SELECT state FROM lane')" = 2 ]
	run_prog hook-admin -q q -w w.json enable one
	want_code 0
	[ "$(sql 'SELECT state FROM lane')" = 0 ]
	deliver -w w.json --drain </dev/null >out
	outcomes out delivered:
	run_prog hook-admin -q q -w w.json enable nobody
	[ "$CODE" -ne 0 ]
	grep -q nobody "$ERR"
	registry one '"disabled":true'
	run_prog hook-admin -q q -w w.json enable one
	want_code 2
	grep -q 'a JSON file, which is not written to' "$ERR"
}

@test "a receiver asks: disable, abort-message" {
	script 'status 200 webhook-delivery: disable' 'status 204'
	registry one
	{ hooked a one; hooked b one; } >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --per-webhook 1 in
	want_code 0
	outcomes "$OUT" "disabled: delivered:"
	script 'status 500 webhook-delivery: abort-message' 'status 204'
	{ call c; call d; } >in
	run_prog ev-deliver -q q2 $LOOPBACK --per-webhook 1 in
	want_code 1
	outcomes "$OUT" "dead:aborted delivered:"
}

@test "Retry-After pauses the whole webhook, and one call probes it" {
	script 'status 429 Retry-After: 1' 'status 204'
	registry one
	{ hooked a one; hooked b one; hooked c one; } >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --per-webhook 1 \
		--schedule 10ms in
	want_code 0
	outcomes "$OUT" "paused:http-4xx retry:http-4xx"
	[ "$(sql 'SELECT count(*) FROM call WHERE due IS NOT NULL')" = 3 ]
	deliver -w w.json --schedule 10ms --drain </dev/null >out
	[ "$(jq -r .outcome out | sort | uniq -c | tr -s ' ' | paste -sd,)" = " 3 delivered, 1 resumed" ]
	[ "$(sql 'SELECT state FROM change' | paste -sd' ')" = "1 0" ]
}

@test "Retry-After pauses under the policy network, too, which settles the call" {
	script 'status 429 Retry-After: 1' 'status 204'
	registry one
	{ hooked a one; hooked b one; } >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --per-webhook 1 \
		--policy network in
	want_code 0
	outcomes "$OUT" "paused:http-4xx answered:http-4xx"
	[ "$(sql 'SELECT count(*) FROM call WHERE due IS NOT NULL')" = 1 ]
	deliver -w w.json --policy network --drain </dev/null >out
	[ "$(jq -r .outcome out | sort | paste -sd' ')" = "delivered resumed" ]
}

@test "failures in a row pause the webhook; the others are not held up" {
	script 'status 500'
	registry one
	for i in $(seq 30); do hooked "x$i" one; done >in
	bad=$SINK_PORT
	start_sink
	for i in 1 2 3; do call "y$i"; done >>in
	run_prog ev-deliver -q q $LOOPBACK -w w.json --schedule 1h in
	want_code 0
	[ "$(jq -r 'select(.outcome=="paused").error' "$OUT")" = "10 in a row, the last: answered 500" ]
	[ "$(jq -r 'select(.outcome=="delivered").id' "$OUT" | sort | paste -sd' ')" = "y1 y2 y3" ]
	[ "$(jq -r 'select(.outcome=="retry").id' "$OUT" | wc -l)" -lt 15 ]
}

@test "SIGTERM: what is under way ends, the rest stays, exit 0" {
	script 'delay 500ms then status 204'
	for i in 1 2 3 4; do call "a$i"; done >in
	ev-deliver -q q --enqueue in
	in_background serve --serve --per-webhook 1
	wait_until lines "$SINK_LOG" 1
	kill "$PID"
	ended "$PID" 0
	[ "$(sql 'SELECT count(*) FROM call WHERE due IS NOT NULL')" -ge 2 ]
	[ "$(jq -r .outcome serve.out | sort -u)" = delivered ]
	whole
}

@test "out of retention: pruned, but never what is unsettled" {
	start_sink
	for i in 1 2 3; do call "a$i"; done | deliver >out
	registry one '"disabled":true'
	hooked h one | deliver -w w.json >out
	call last | deliver --retention 0 -w w.json >out
	deliver --retention 0 -w w.json --drain </dev/null >out
	[ "$(sql "SELECT group_concat(id) FROM call")" = "h,last" ]
	[ "$(sql 'SELECT count(*) FROM attempt')" -le 1 ]
	call kept | deliver --keep 1d -w w.json >out
	[ "$(sql 'SELECT count(*) FROM payload')" = 2 ]
}

@test "a barrier passes when what came before it is on disk" {
	start_sink
	s=0123456789abcdef0123456789abcdef
	{
		echo "{\"barrier\":\"$s.0\"}"
		call a
		echo nonsense
		echo "{\"barrier\":\"$s.1\"}"
	} >in
	run_prog ev-deliver -q q --enqueue in
	want_code 1
	printf '{"barrier":"%s.0"}\n{"barrier":"%s.1"}\n' $s $s >want
	same want "$OUT"
	sort_in q
	[ "$(sql 'SELECT count(*) FROM call')" = 1 ]
	[ "$(wc -l <rejects)" = 1 ]
}

@test "a barrier out of sequence, without rejects, without a queue" {
	start_sink
	printf '{"barrier":"abc.%s"}\n' 0 2 >in
	run_prog ev-deliver -q q --enqueue in
	want_code 3
	grep -q 'barrier 2 after barrier 0' "$ERR"
	printf '{"barrier":"abc.5"}\n' >in
	run_prog ev-deliver -q q --enqueue in
	want_code 3
	[ ! -s "$OUT" ]
	run_prog ev-deliver in
	want_code 2
	unset EV_REJECTS
	printf '{"barrier":"abc.0"}\n' >in
	run_prog ev-deliver -q q --enqueue in
	want_code 2
	[ ! -s "$OUT" ]
}

@test "what is no queue, or of a newer version, is left as it is" {
	call a >in
	sqlite3 other 'CREATE TABLE t(a)'
	cp other before
	run_prog ev-deliver -q other --enqueue in
	want_code 2
	grep -q 'no delivery queue' "$ERR"
	cmp other before
	ev-deliver -q q --enqueue </dev/null
	sql 'PRAGMA user_version = 99' >/dev/null
	run_prog ev-deliver -q q --enqueue in
	want_code 2
	grep -q newer "$ERR"
	run_prog ev-deliver -q none/q --enqueue in
	want_code 2
	head -c 5000 /dev/zero | tr '\0' x >junk
	run_prog ev-deliver -q junk --enqueue in
	want_code 2
	grep -q 'no SQLite file, and so no delivery queue;.*recover' "$ERR"
}

@test "names that mean something else to SQLite are names of files" {
	start_sink
	call 1 >in
	for name in :memory: 'file:x?mode=memory'; do
		run_prog ev-deliver $LOOPBACK -q "$name" --enqueue in
		want_code 0
		run_prog ev-deliver $LOOPBACK -q "$name" --drain
		want_code 0
		[ "$(jq -r .outcome "$OUT")" = delivered ]
	done
}

@test "a folder without the right to write is exit 3, with what to do" {
	[ "$(id -u)" -ne 0 ] || skip "root may write everywhere"
	mkdir d
	chmod 500 d
	call a >in
	run_prog ev-deliver -q d/q --enqueue in
	want_code 3
}

@test "wrong options" {
	for args in "--serve" "--drain" "--enqueue" "-q q --serve --drain" \
		"-q q --serve in" "-q q --keep x"; do
		run_prog ev-deliver $args
		want_code 2
	done
	hooked a one >in
	ev-deliver -q q --enqueue in
	run_prog ev-deliver -q q
	want_code 2
	grep -q 'there is no registry' "$ERR"
}

@test "a rate is kept, and a plain end waits for it" {
	start_sink
	registry one '"rate":10'
	for i in 1 2 3 4 5 6; do hooked "a$i" one; done >in
	start=$(date +%s%N)
	deliver -w w.json in >out
	took=$((($(date +%s%N) - start) / 1000000))
	[ "$(wc -l <out)" = 6 ]
	[ "$took" -ge 350 ]
}

@test "several store at once, line by line, while another delivers" {
	start_sink
	in_background serve --serve
	writer() {
		local i
		for i in $(seq 40); do
			call "$1$i" | ev-deliver -q q --enqueue
		done
	}
	writer a & one=$!
	writer b & two=$!
	wait $one
	wait $two
	wait_until lines serve.out 80
	kill "$PID"
	ended "$PID" 0
	[ "$(jq -r .target "$SINK_LOG" | sort -u | wc -l)" = 80 ]
	whole
}

@test "systemd is told of readiness, life and the end" {
	command -v python3 >/dev/null || skip "no python3 to listen with"
	start_sink
	cat >listen.py <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
	s.bind("notify")
	s.settimeout(20)
	open("bound", "w").close()
	while True:
	    word = s.recv(100).decode()
	    print(word, flush=True)
	    if word == "STOPPING=1":
	        break
	END
	python3 listen.py >words 3>&- 4>&- &
	EV_STARTED+=("$!")
	wait_until test -e bound
	export NOTIFY_SOCKET=$PWD/notify WATCHDOG_USEC=200000
	in_background serve --serve
	wait_until lines words 3
	kill "$PID"
	ended "$PID" 0
	wait_until grep -q STOPPING=1 words
	[ "$(sort -u words | paste -sd' ')" = "READY=1 STOPPING=1 WATCHDOG=1" ]
}

@test "webhooks that hang hold up nobody else" {
	local i slow
	enough() {
		[ "$(grep -c '"id":"y.*"delivered"' serve.out)" = 200 ]
	}
	script hang
	slow=$SINK_PORT
	for i in $(seq 60); do hooked "x$i" "slow$((i % 30))"; done >in
	start_sink
	for i in $(seq 200); do hooked "y$i" "good$((i % 20))"; done >>in
	jq -n --arg slow "$slow" --arg good "$SINK_PORT" '
		[range(30) | {id: "slow\(.)", url: "http://127.0.0.1:\($slow)/"}] +
		[range(20) | {id: "good\(.)", url: "http://127.0.0.1:\($good)/"}] |
		map(. + {subscriptions: ["ping"]})' >w.json
	ev-deliver -q q --enqueue in
	in_background serve -w w.json --serve --concurrency 8 --grace 0 \
		--timeout 300ms --schedule 1h
	wait_until enough
	kill "$PID"
	ended "$PID" 0
}

@test "repeats of a call that dies before they are looked at are repeats" {
	script 'status 204' 'status 410'
	registry hook
	hooked a hook | deliver -w w.json >out
	for _ in 1 2 3; do hooked b hook; done >in
	run_prog ev-deliver -q q $LOOPBACK -w w.json in
	want_code 1
	[ "$(jq -r 'select(.id).outcome' "$OUT" | sort | paste -sd' ')" = \
		"dead duplicate duplicate" ]
	[ "$(sql 'SELECT count(*) FROM call')" = 2 ]
}

@test "large calls to a webhook that hangs take no memory" {
	[ -z "${EV_SAN:-}" ] || skip "a sanitizer's memory is not ours"
	script hang
	registry slow
	perl -e 'printf "{\"url\":\"http://x/\",\"headers\":{}," .
		"\"id\":\"%d\",\"webhook\":\"slow\",\"body\":\"%s\"}\n",
		$_, "x" x 3e6 for 1..50' >in
	ev-deliver -q q --enqueue in
	in_background serve -w w.json --serve --grace 0
	wait_until sorted 50
	[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$PID/status")" -lt 80000 ]
	kill "$PID"
	ended "$PID" 0
}
