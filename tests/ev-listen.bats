#!/usr/bin/env bats
# ev-listen: events by HTTP. 202 means on disk, whatever happens next; anything
# else means that nothing of the request is.

load helpers/common

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	LINES=application/x-ndjson
}

teardown() {
	stop_all
	umount -l "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
}

# start_listen [OPTION…]: on a port of its own. Sets URL and PID.
start_listen() {
	rm -f port
	ev-listen -q events --listen 127.0.0.1:0 --port-file port "$@" \
		>said.out 2>said </dev/null 3>&- 4>&- &
	PID=$!
	EV_STARTED+=("$PID")
	wait_until test -s port || { cat said >&2; return 1; }
	URL=http://127.0.0.1:$(<port)
}

# ended CODE: PID ends with it, soundly.
ended() {
	local code=0
	wait "$PID" || code=$?
	sound "$code" said ev-listen
	[ "$code" -eq "$1" ] || { echo "code $code"; cat said; } >&2
	[ "$code" -eq "$1" ]
}

# post TYPE BODY [CURL-OPTION…]: the status; what came is in the file answer.
post() {
	curl -sS -m $((DEADLINE * 3)) -o answer -w '%{http_code}' -H "Content-Type: $1" \
		--data-binary "$2" "${@:3}" "$URL/events" 3>&- 4>&-
}

texts() {
	sqlite3 events 'SELECT text FROM event ORDER BY seq'
}

# raw BYTES…: printf's, to the server; what it answers until it closes.
raw() {
	# shellcheck disable=SC2059
	printf "$@" >bytes
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	# It may close before the end.
	cat bytes >&5 || true
	timeout $((DEADLINE * 3)) cat <&5 || true
	exec 5>&-
}

@test "one event in its bytes, with an id of its own or a new one" {
	start_listen
	[ "$(post application/json '{"name":"ping","id":"mine","payload":{"n":1.10}}')" = 202 ]
	[ "$(cat answer)" = '{"ids":["mine"]}' ]
	[ "$(post 'Application/JSON; charset=utf-8' $'{\r\n "name":"ping" ,\n "payload":{}}\n')" = 202 ]
	jq -r '.ids[0]' answer >id
	grep -Ex '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}' id
	texts >got
	{
		echo '{"name":"ping","id":"mine","payload":{"n":1.10}}'
		echo "{\"id\":\"$(<id)\",   \"name\":\"ping\" ,  \"payload\":{}}"
	} >want
	# The line end behind the text is not of the event.
	same want <(sed 's/ *$//' got)
	kill "$PID"
	ended 0
	[ ! -s said ]
}

@test "lines: as ev-push reads them; ids in their order" {
	start_listen
	printf '%s\n' '{"name":"a","id":"1"}' '' '"{\"name\":\"b\",\"id\":\"2\"}"' \
		'  {"name":"c"}  ' >in
	printf '{"name":"d","id":"\\u0034"}' >>in
	[ "$(post "$LINES" @in)" = 202 ]
	[ "$(jq -c '.ids | [.[0], .[1], .[3], length]' answer)" = '["1","2","4",4]' ]
	[ "$(texts | jq -r .name | tr '\n' ' ')" = 'a b c d ' ]
	[ "$(texts | jq -r .id)" = "$(jq -r '.ids[]' answer)" ]
}

@test "a request is taken as a whole or not at all; faults show no values" {
	start_listen -v
	printf '%s\n' '{"name":"a","id":"1"}' 'fiscal AAAAAA00A00A000A' \
		'{"barrier":"0123456789abcdef0123456789abcdef.0"}' \
		'{"name":"AAAAAA00A00A000A","id":""}' >in
	[ "$(post "$LINES" @in)" = 400 ]
	[ "$(jq -c '[.rejected, (.rejects[] | .line, .reason)]' answer)" = \
		'[3,2,"not-json",3,"invalid-event",4,"invalid-event"]' ]
	if grep -q AAAAAA answer said; then false; fi
	same <(echo 'ev-listen: 400: line 2: not-json: unexpected character at byte 1') said
	[ -z "$(texts)" ]
	[ "$(post application/json '')" = 400 ]
	[ "$(post "$LINES" $'\n \n')" = 400 ]
	[ "$(post application/json '{"name":"a"}{"name":"b"}')" = 400 ]
	for _ in {1..250}; do echo x; done >in
	[ "$(post "$LINES" @in)" = 400 ]
	[ "$(jq -c '[.rejected, (.rejects | length)]' answer)" = '[250,100]' ]
	[ -z "$(texts)" ]
	kill "$PID"
	ended 0
}

@test "traceparent comes from the request, where the event has none" {
	local trace=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
	local own=00-11111111111111111111111111111111-2222222222222222-00
	start_listen
	printf '%s\n' '{"name":"a","id":"1"}' \
		'{"name":"b","id":"2","traceparent":"'$own'"}' >in
	[ "$(post "$LINES" @in -H "traceparent: $trace")" = 202 ]
	[ "$(texts | jq -r .traceparent | tr '\n' ' ')" = "$trace $own " ]
	[ "$(post application/json '{"name":"c"}' -H 'traceparent: 00-"}')" = 202 ]
	[ "$(texts | tail -n 1 | jq 'has("traceparent")')" = false ]
	# It is not the producer's: a repeat is known all the same.
	[ "$(post "$LINES" @in -H "traceparent: ${trace/b7/b8}")" = 202 ]
	[ "$(texts | wc -l)" -eq 3 ]
	# And by ev-push.
	ev-push -v -q events in 2>pushed
	grep -q '2 events are on disk, 2 of them from an earlier push' pushed
}

@test "what is no POST of events: 404, 405, 413, 415" {
	start_listen --max-body 1000 --max-line 100 -v
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/events")" = 405 ]
	[ "$(curl -s -o answer -w '%{http_code}' -X PUT -d x "$URL/")" = 405 ]
	curl -sD head -o answer "$URL/events"
	grep -qi '^allow: POST' head
	[ "$(curl -s -o answer -w '%{http_code}' -d x "$URL/other")" = 404 ]
	[ "$(post text/plain '{"name":"a"}')" = 415 ]
	[ "$(post application/jsonx '{"name":"a"}')" = 415 ]
	[ "$(post '' '{"name":"a"}')" = 415 ]
	[ "$(post application/json '{"name":"a"}' -H 'Content-Encoding: gzip')" = 415 ]
	grep -q application/x-ndjson answer
	head -c 1001 /dev/zero | tr '\0' ' ' >long
	[ "$(post application/json @long)" = 413 ]
	[ "$(post application/json @long -H 'Transfer-Encoding: chunked')" = 413 ]
	[ "$(grep -c 413 said)" -eq 2 ]
	head -c 90 /dev/zero | tr '\0' ' ' >long
	echo '{"name":"aaaaaaa"}' >>long
	[ "$(post application/json @long)" = 400 ]
	[ "$(jq -r '.rejects[0].reason' answer)" = too-long ]
	[ -z "$(texts)" ]
}

@test "broken and ambiguous requests are refused; the next ones are served" {
	start_listen --timeout 2
	raw 'POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{"name":"a"}\r\n0\r\n\r\n' >got
	grep -q '^HTTP/1.1 400' got
	raw 'POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 12\r\nContent-Length: 3\r\n\r\n{"name":"a"}' >got
	if grep -q '^HTTP/1.1 202' got; then false; fi
	raw 'POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n' >got
	if grep -q '^HTTP/1.1 202' got; then false; fi
	raw 'POST /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{"name":"a"}\r\n0\r\n\r\n' >got
	if grep -q '^HTTP/1.1 202' got; then false; fi
	raw 'nonsense\r\n\r\n' >got
	raw '\0\0\0\r\n\r\n' >got
	{ printf 'GET /health HTTP/1.1\r\nHost: a\r\nX: '; head -c 40000 /dev/zero | tr '\0' x; printf '\r\nConnection: close\r\n\r\n'; } >big
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	cat big >&5 || true
	timeout $((DEADLINE * 3)) cat <&5 >got || true
	exec 5>&-
	grep -q '^HTTP/1.1 431' got
	[ -z "$(texts)" ]
	# A body that breaks off.
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nContent-Length: 100\r\n\r\n{"name":"a"}\n' >&5
	exec 5>&-
	# Two in one go.
	raw 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"name":"a","id":"1"}POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"name":"a","id":"2"}' >got
	[ "$(grep -c '^HTTP/1.1 202' got)" -eq 2 ]
	[ "$(texts | jq -r .id | tr '\n' ' ')" = '1 2 ' ]
	kill "$PID"
	ended 0
}

# framed LINE FIELD…: what is answered to a POST of {"name":"a"} in one chunk.
framed() {
	raw '%s\r\nContent-Type: application/json\r\n%b\r\n\r\nc\r\n{"name":"a"}\r\n0\r\n\r\n' \
		"$1" "$2" >got
}

@test "where a request ends is no matter of opinion" {
	start_listen --timeout 2
	local chunked='Transfer-Encoding: chunked' field
	framed 'POST /events HTTP/1.1' "Host: a\\r\\nConnection: close\\r\\n$chunked"
	grep -q '^HTTP/1.1 202' got
	for field in "$chunked\\r\\nContent-Length: 12" \
		'Transfer-Encoding : chunked' 'Content-Length : 12' \
		'Transfer-Encoding: xchunked' 'Transfer-Encoding: gzip, chunked' \
		'Transfer-Encoding: chunked, chunked' "$chunked\\r\\nHost: b" \
		"X: y\\r\\n $chunked"; do
		framed 'POST /events HTTP/1.1' "Host: a\\r\\n$field"
		grep -q '^HTTP/1.1 400' got || { echo "$field" >&2; false; }
		grep -q '"reason":"protocol"' got
		[ "$(grep -c '^HTTP/' got)" -eq 1 ]
	done
	[ "$(texts | wc -l)" -eq 1 ]
	# A proxy's form of a target.
	framed 'POST http://a/events HTTP/1.1' "Host: a\\r\\nConnection: close\\r\\n$chunked"
	grep -q '^HTTP/1.1 202' got
	framed 'POST http://a/other HTTP/1.1' "Host: a\\r\\nConnection: close\\r\\n$chunked"
	grep -q '^HTTP/1.1 404' got
	framed 'POST HTTP://a HTTP/1.1' "Host: a\\r\\nConnection: close\\r\\n$chunked"
	grep -q '^HTTP/1.1 202' got
}

@test "a line of a chunk that never ends costs a connection, and no work" {
	start_listen --timeout 3
	sockets() { find "/proc/$PID/fd" -lname 'socket:*' | wc -l; }
	local before
	before=$(sockets)
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	{
		printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nc;'
		head -c 40000 /dev/zero | tr '\0' a
	} >long
	cat long >&5
	[ "$(post application/json '{"name":"a"}')" = 202 ]
	timeout $((DEADLINE * 3)) cat <&5 >got
	exec 5>&-
	[ ! -s got ]
	# Of some 300 ticks that have passed.
	[ "$(awk '{ print $14 + $15 }' "/proc/$PID/stat")" -lt 60 ]
	# Nor is it kept, whatever came before it.
	freed() { [ "$(sockets)" -eq "$before" ]; }
	wait_until freed
	needs python3
	python3 - "$(<port)" <<-'END'
	import socket, sys
	for _ in range(5):
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	    s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + open("long", "rb").read())
	    s.shutdown(socket.SHUT_WR)
	    s.recv(1)
	    s.close()
	END
	wait_until freed
	kill "$PID"
	ended 0
}

@test "tokens: who has one, in constant words; the file is read again" {
	local good=0123456789abcdefghij
	printf '# who may send\n\nshop %s\n  other\tAAAAAAAAAAAAAAAAAAAAAAAA==  \n' $good >tokens
	chmod 600 tokens
	start_listen --tokens tokens -v
	[ "$(post application/json '{"name":"a"}')" = 401 ]
	curl -sD head -o answer -d x "$URL/events"
	grep -qi '^www-authenticate: Bearer' head
	for field in "Bearer ${good}x" "Bearer ${good%j}" "Bearer " "Basic $good" \
		"Bearer  $good" "Bearer shop" "$good"; do
		[ "$(post application/json '{"name":"a"}' -H "Authorization: $field")" = 401 ]
	done
	# The body of one without a token is not waited for.
	head -c 3000000 /dev/zero >long
	[ "$(post application/json @long)" = 401 ]
	[ "$(post application/json '{"name":"a"}' -H "Authorization: bearer $good")" = 202 ]
	[ "$(post application/json '{"name":"a"}' -H "Authorization: Bearer AAAAAAAAAAAAAAAAAAAAAAAA==")" = 202 ]
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 200 ]

	echo "shop short" >tokens
	told() { [ "$(grep -c 'stay in use' said)" -eq 1 ]; }
	asks() { [ "$(post application/json '{"name":"b"}' -H "Authorization: Bearer $good")" = 202 ] && told; }
	wait_until asks
	echo "shop ${good}new" >tokens
	renewed() { [ "$(post application/json '{"name":"c"}' -H "Authorization: Bearer ${good}new")" = 202 ]; }
	wait_until renewed
	[ "$(post application/json '{"name":"d"}' -H "Authorization: Bearer $good")" = 401 ]
	if grep -e "$good" -e AAAA said; then false; fi
}

@test "token files that others may read, or that are none: code 2" {
	local line='shop 0123456789abcdefghij'
	refused() { # PATTERN
		run_prog ev-listen -q events --listen 127.0.0.1:0 --tokens tokens
		want_code 2
		grep -q "$1" "$ERR" || { cat "$ERR" >&2; false; }
	}
	refused 'No such file'
	echo "$line" >tokens
	chmod 640 tokens
	refused 'chmod 600'
	chmod 600 tokens
	: >tokens
	refused 'no tokens in it'
	echo shop >tokens
	refused "line 1 is not 'NAME TOKEN'"
	echo 'shop 0123 4567' >tokens
	refused "line 1 is not 'NAME TOKEN'"
	printf '\nshop 0123456789"abcdefghij\n' >tokens
	refused 'token of line 2'
	rm tokens && mkfifo tokens
	refused 'no file'
	# systemd's copies belong to root, and to the service's group.
	rm tokens && mkdir credentials
	echo "$line" >credentials/tokens
	chmod 440 credentials/tokens
	export CREDENTIALS_DIRECTORY=$PWD/credentials
	start_listen --tokens "$PWD/credentials/tokens"
	kill "$PID"
	ended 0
	rm -f events*
	run_prog ev-listen -q events --listen 127.0.0.1:0 --open --tokens tokens
	want_code 2
}

@test "without tokens only this machine is listened to, unless --open" {
	run_prog ev-listen -q events --listen 0.0.0.0:0
	want_code 2
	grep -q -- '--tokens FILE, or --open' "$ERR"
	run_prog ev-listen -q events
	want_code 2
	grep -q 'nowhere to listen' "$ERR"
	run_prog ev-listen --listen 127.0.0.1:0
	want_code 2
	run_prog ev-listen -q events --listen 127.0.0.1:70000
	want_code 2
	run_prog ev-listen -q no/such --listen 127.0.0.1:0
	want_code 2
	start_listen --listen '[::1]:0' --listen 0.0.0.0:0 --open
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 200 ]
	kill "$PID"
	ended 0
}

@test "a local socket; one that was left behind is replaced, one in use is not" {
	ev-listen -q events --listen "$PWD/sock" 2>said 3>&- 4>&- &
	PID=$!
	EV_STARTED+=("$PID")
	wait_until test -S sock
	try() {
		[ "$(curl -sS -o answer -w '%{http_code}' --unix-socket "$PWD/sock" \
			-H 'Content-Type: application/json' -d '{"name":"a"}' http://x/events)" = 202 ]
	}
	wait_until try
	run_prog ev-listen -q events --listen "$PWD/sock"
	want_code 2
	kill -9 "$PID"
	wait "$PID" || true
	ev-listen -q events --listen "$PWD/sock" 2>said 3>&- 4>&- &
	PID=$!
	EV_STARTED+=("$PID")
	wait_until try
}

@test "sockets that systemd passes" {
	python=$(command -v python3) || skip "no python3 to pass a socket"
	"$python" - "$EV_BIN/ev-listen" >said 2>&1 3>&- 4>&- <<-'END' &
	import os, socket, sys
	s = socket.socket()
	s.set_inheritable(True)
	s.bind(("127.0.0.1", 0))
	s.listen(5)
	with open("port.new", "w") as f: print(s.getsockname()[1], file=f)
	os.rename("port.new", "port")
	if s.fileno() != 3: os.dup2(s.fileno(), 3)
	os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
	os.execv(sys.argv[1], ["ev-listen", "-q", "events"])
	END
	PID=$!
	EV_STARTED+=("$PID")
	wait_until test -s port
	URL=http://127.0.0.1:$(<port)
	[ "$(post application/json '{"name":"a"}')" = 202 ]
	kill "$PID"
	ended 0
	# No socket there.
	run_prog env LISTEN_FDS=2 bash -c 'export LISTEN_PID=$$; exec ev-listen -q events 3</dev/null'
	want_code 2
	grep -q 'descriptor 3' "$ERR"
}

# Ids that were answered by 202, in the file acked; ends when the server does.
poster() { # NAME
	local i=0
	while [ -e running ]; do
		i=$((i + 1))
		[ "$(curl -s -m "$DEADLINE" -o "$1.answer" -w '%{http_code}' \
			-H 'Content-Type: application/json' \
			-d '{"name":"ping","id":"'"$1.$i"'"}' "$URL/events")" = 202 ] &&
			jq -r '.ids[]' "$1.answer" >>"$1.acked"
	done
}

@test "kill -9: all that was answered by 202 is in the queue" {
	local round posters i
	for round in 1 2 3; do
		start_listen
		: >running
		posters=()
		for i in 1 2 3 4; do
			poster "p$round.$i" 3>&- 4>&- &
			posters+=($!)
		done
		some() { [ "$(cat "p$round".*.acked | wc -l)" -gt $((round * 15)) ]; }
		wait_until some
		kill -9 "$PID"
		wait "$PID" || true
		rm running
		wait "${posters[@]}" || true
	done
	cat p*.acked | sort >acked
	sqlite3 events "SELECT json_extract(CAST(text AS TEXT), '\$.id') FROM event" |
		sort >stored
	[ -s acked ]
	[ -z "$(comm -23 acked stored)" ]
	[ "$(sqlite3 events 'PRAGMA integrity_check')" = ok ]
}

@test "SIGTERM: what is under way is answered, idle connections are closed" {
	start_listen
	# An idle one, and one in the middle of its body.
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)" 6<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&5
	IFS= read -r -t "$DEADLINE" line <&5
	[[ $line == *' 200 '* ]]
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n' >&6
	IFS= read -r -t "$DEADLINE" line <&6
	[[ $line == *' 100 '* ]]
	kill "$PID"
	timeout "$DEADLINE" cat <&5 >rest
	printf '{"name":"a"}' >&6
	timeout "$DEADLINE" cat <&6 >got
	exec 5>&- 6>&-
	grep -q '^HTTP/1.1 202' got
	grep -qi '^connection: close' got
	ended 0
	[ "$(texts | wc -l)" -eq 1 ]
}

@test "SIGTERM while it stores: what came meanwhile is answered" {
	needs strace
	strace -o /dev/null true || skip "strace may not trace here"
	[ -z "${EV_SAN:-}" ] || skip "leaks are not looked for under strace"
	start_listen
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&5
	until IFS= read -r -t "$DEADLINE" line <&5 && [[ $line == *'"ok"'* ]]; do :; done
	strace -o trace -p "$PID" -e trace=fdatasync,fsync \
		-e inject=fdatasync,fsync:delay_enter=2000000 2>/dev/null 3>&- 4>&- 5>&- &
	EV_STARTED+=($!)
	wait_until grep -q '^TracerPid:.*[1-9]' "/proc/$PID/status"
	post application/json '{"name":"a"}' >code &
	wait_until grep -q sync trace
	kill "$PID"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"name":"b"}' >&5
	timeout "$DEADLINE" cat <&5 >got
	exec 5>&-
	grep -q '^HTTP/1.1 202' got
	ended 0
	[ "$(texts | wc -l)" -eq 2 ]
}

@test "SIGTERM: a request that does not come has the grace time; a second one ends it" {
	start_listen --grace 300ms
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n' >&5
	IFS= read -r -t "$DEADLINE" line <&5
	kill "$PID"
	ended 0
	exec 5>&-
	start_listen --grace 1h
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n' >&5
	IFS= read -r -t "$DEADLINE" line <&5
	kill "$PID"
	stopped() { ! curl -s -m 1 "$URL/health"; }
	wait_until stopped
	kill "$PID"
	ended 0
	exec 5>&-
}

@test "clients that dawdle are cut off; others are served meanwhile" {
	start_listen --timeout 500ms --connections 3
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)" 6<>"/dev/tcp/127.0.0.1/$(<port)" \
		7<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /ev' >&5
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nX' >&6
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{' >&7
	# The fourth waits until one is cut off.
	[ "$(post application/json '{"name":"a"}')" = 202 ]
	timeout "$DEADLINE" cat <&5 >got
	timeout "$DEADLINE" cat <&6 >got
	timeout "$DEADLINE" cat <&7 >got
	exec 5>&- 6>&- 7>&-
	[ "$(texts | wc -l)" -eq 1 ]
	[ -z "$(grep -v '^HTTP' got || true)" ]
}

@test "whoever waits to be taken is: the one that was idle longest is closed" {
	start_listen --connections 3
	local fd
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)" 6<>"/dev/tcp/127.0.0.1/$(<port)" \
		7<>"/dev/tcp/127.0.0.1/$(<port)"
	# The first is the last one served.
	for fd in 6 7 5; do
		printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&"$fd"
		IFS= read -r -t "$DEADLINE" line <&"$fd"
		[[ $line == *' 200 '* ]]
		sleep 0.002 # it counts in ms
	done
	# One of them may be about to send: it is busy.
	printf 'POST /events HTTP/1.1\r\n' >&7
	exec 8<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&8
	IFS= read -r -t "$DEADLINE" line <&8
	[[ $line == *' 200 '* ]]
	timeout "$DEADLINE" cat <&6 >got
	printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&5
	printf 'Host: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{"name":"a"}' >&7
	timeout "$DEADLINE" cat <&7 >got
	grep -q '^HTTP/1.1 202' got
	printf 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' >&5
	timeout "$DEADLINE" cat <&5 >got
	[ "$(grep -c '^HTTP/1.1 200' got)" -eq 2 ]
	exec 5>&- 6>&- 7>&- 8>&-
}

@test "who has left unseen keeps no place" {
	needs python3
	start_listen --connections 2
	python3 - "$(<port)" <<-'END'
	import socket, sys
	for _ in range(4):
	    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	    s.sendall(b"OPTIONS /events HTTP/1.1\r\nHost: a\r\n\r\n")
	    s.shutdown(socket.SHUT_WR)
	    s.recv(1000)
	    s.close()
	END
	[ "$(curl -sS -m "$DEADLINE" -o answer -w '%{http_code}' "$URL/health")" = 200 ]
}

@test "bodies that are held: 503 when they are too many, and it passes" {
	start_listen --max-body 1000
	local fd fds=()
	for _ in {1..8}; do
		exec {fd}<>"/dev/tcp/127.0.0.1/$(<port)"
		fds+=("$fd")
		printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n%980s' '' >&"$fd"
	done
	busy() { [ "$(post application/json '{"name":"a","payload":{"n":"'"$(printf '%300s' x)"'"}}' -D head)" = 503 ]; }
	wait_until busy
	grep -qi '^retry-after: [1-9]' head
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	free() { [ "$(post application/json '{"name":"b"}')" = 202 ]; }
	wait_until free
}

@test "a full disk: 503, and then it goes on" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o fault.so "$REPO/tests/helpers/fault.c" -ldl
	rm -f port
	# Each write from the 60th on fails, as long as the mark is not removed.
	LD_PRELOAD=$PWD/fault.so FAULT_FILE=$PWD/events FAULT_AT=60 \
		FAULT_ERRNO=28 FAULT_LAST=1 FAULT_MARK=$PWD/fired \
		ev-listen -q events --listen 127.0.0.1:0 --port-file port \
		2>said 3>&- 4>&- &
	PID=$!
	EV_STARTED+=("$PID")
	wait_until test -s port
	URL=http://127.0.0.1:$(<port)
	local n=0 code=202
	while [ "$code" = 202 ] && [ $n -lt 200 ]; do
		n=$((n + 1))
		code=$(post application/json '{"name":"a","id":"'$n'"}' -D head)
	done
	[ "$code" = 503 ]
	grep -qi '^retry-after' head
	[ -e fired ]
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 503 ]
	[ "$(grep -c 'answered by 503' said)" -eq 1 ]
	kill "$PID"
	ended 0
	# All that was promised is there, and no more than was asked.
	[ "$(sqlite3 events 'PRAGMA integrity_check')" = ok ]
	[ "$(texts | wc -l)" -ge $((n - 1)) ] && [ "$(texts | wc -l)" -le "$n" ]
	start_listen
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 200 ]
	[ "$(post application/json '{"name":"a","id":"'$n'"}')" = 202 ]
	[ "$(texts | jq -r .id | sort -un | wc -l)" -eq "$n" ]
}

@test "a small disk is full: not well again before there is room" {
	mkdir small
	mount -t tmpfs -o size=8m none small 2>/dev/null || skip "may not mount"
	ln -s small/events events
	head -c 6M /dev/zero >small/filler
	start_listen
	health() { curl -s -o answer -w '%{http_code}' "$URL/health"; }
	local n=0 code=202 end
	head -c 6000 /dev/zero | tr '\0' x >long
	while [ "$code" = 202 ] && [ $n -lt 2000 ]; do
		n=$((n + 1))
		code=$(post application/json '{"name":"a","id":"'$n'","payload":{"x":"'"$(<long)"'"}}')
	done
	[ "$code" = 503 ]
	# It is tried again after a second.
	end=$((SECONDS + 3))
	while [ $SECONDS -lt $end ]; do
		[ "$(health)" = 503 ]
		sleep 0.2
	done
	[ "$(wc -l <said)" -eq 1 ]
	rm small/filler
	well() { [ "$(health)" = 200 ]; }
	wait_until well
	[ "$(post application/json '{"name":"a","id":"'$n'"}')" = 202 ]
	kill "$PID"
	ended 0
	[ "$(texts | wc -l)" -eq "$n" ]
}

@test "a queue that another process holds: 503 after a while, and then it goes on" {
	start_listen
	mkfifo held
	sqlite3 events <held >holder 3>&- 4>&- &
	exec 7>held
	printf 'BEGIN IMMEDIATE;\nSELECT 1;\n' >&7
	wait_until test -s holder
	# Who sends meanwhile waits, and keeps nobody else waiting.
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 21\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n' >&5
	IFS= read -r -t "$DEADLINE" line <&5
	[[ $line == *' 100 '* ]]
	printf '{"name":"a","id":"0"}' >&5
	for _ in {1..5}; do
		[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 200 ]
	done
	printf 'COMMIT;\n' >&7
	timeout "$DEADLINE" cat <&5 >got
	exec 5>&-
	grep -q '^HTTP/1.1 202' got
	[ ! -s said ]
	printf 'BEGIN IMMEDIATE;\nSELECT 1;\n' >&7
	wait_until eval '[ "$(wc -l <holder)" -eq 2 ]'
	[ "$(post application/json '{"name":"a","id":"1"}' -D head)" = 503 ]
	grep -qi '^retry-after' head
	grep -q 'answered by 503' said
	printf 'COMMIT;\n' >&7
	exec 7>&-
	[ "$(post application/json '{"name":"a","id":"1"}')" = 202 ]
	grep -q 'can be written to again' said
	[ "$(texts | wc -l)" -eq 2 ]
}

@test "SIGTERM while another process holds the queue: 503 after the grace time" {
	start_listen --grace 300ms
	mkfifo held
	sqlite3 events <held >holder 3>&- 4>&- &
	exec 7>held
	printf 'BEGIN IMMEDIATE;\nSELECT 1;\n' >&7
	wait_until test -s holder
	exec 5<>"/dev/tcp/127.0.0.1/$(<port)"
	printf 'POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n' >&5
	IFS= read -r -t "$DEADLINE" line <&5
	printf '{"name":"a"}' >&5
	kill "$PID"
	ended 0
	timeout "$DEADLINE" cat <&5 >got
	exec 5>&-
	grep -q '^HTTP/1.1 503' got
	printf 'COMMIT;\n' >&7
	exec 7>&-
	[ -z "$(texts)" ]
}

@test "a queue that is moved away: nothing more is promised, code 3" {
	start_listen
	[ "$(post application/json '{"name":"a"}')" = 202 ]
	mv events elsewhere
	[ "$(post application/json '{"name":"b"}')" = 503 ]
	ended 3
	grep -q 'moved away' said
}

@test "many connections at a time: each event once" {
	start_listen
	local i
	for i in {1..1000}; do
		printf 'url = "%s/events"\nheader = "Content-Type: application/json"\ndata = "{\\"name\\":\\"a\\",\\"id\\":\\"%d\\"}"\noutput = /dev/null\nwrite-out = "%%{http_code}\\n"\nnext\n' "$URL" "$i"
	done | sed '$d' >config
	curl -sS -Z --parallel-max 300 -K config >codes 3>&- 4>&-
	[ "$(sort codes | uniq -c | tr -s ' ')" = " 1000 202" ]
	[ "$(texts | jq -r .id | sort -u | wc -l)" -eq 1000 ]
	[ "$(texts | wc -l)" -eq 1000 ]
}

@test "out of descriptors: those that are connected are served, others later" {
	(
		ulimit -n 40
		exec ev-listen -q events --listen 127.0.0.1:0 --port-file port \
			--connections 1000 2>said 3>&- 4>&-
	) &
	PID=$!
	EV_STARTED+=("$PID")
	wait_until test -s port
	URL=http://127.0.0.1:$(<port)
	local fd fds=()
	for _ in {1..60}; do
		exec {fd}<>"/dev/tcp/127.0.0.1/$(<port)"
		fds+=("$fd")
	done
	printf 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n' >&"${fds[0]}"
	IFS= read -r -t "$DEADLINE" line <&"${fds[0]}"
	[[ $line == *' 200 '* ]]
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	[ "$(post application/json '{"name":"a"}')" = 202 ]
}

@test "what it takes ev-pull feeds, woken by the commit" {
	ev-pull -q events -- sh -c 'while IFS= read -r l; do echo "$l"; done' \
		>pulled 2>said 3>&- 4>&- &
	EV_STARTED+=($!)
	start_listen
	[ "$(post application/json '{"name":"a","id":"x"}')" = 202 ]
	fed() { grep -q '"id":"x"' pulled; }
	wait_until fed
}

@test "idle it is not woken" {
	start_listen
	[ "$(curl -s -o answer -w '%{http_code}' "$URL/health")" = 200 ]
	switches() { awk '/^(non)?voluntary_ctxt/ { n += $2 } END { print n }' "/proc/$PID/status"; }
	quiet() {
		local before
		before=$(switches)
		sleep 1.5
		[ "$(awk '/^voluntary_ctxt/ { print $2 }' "/proc/$PID/status")" -le "$before" ] &&
			[ "$(switches)" -eq "$before" ]
	}
	wait_until quiet
}

@test "metrics: requests by status, what was pushed" {
	start_listen --metrics listen.prom
	[ "$(post "$LINES" $'{"name":"a","id":"1"}\n{"name":"b"}\n')" = 202 ]
	[ "$(post application/json '{"name":"a","id":"1"}')" = 202 ]
	[ "$(post application/json x)" = 400 ]
	[ "$(post text/plain x)" = 415 ]
	kill "$PID"
	ended 0
	value() { grep "^evpipe_$1" listen.prom | grep -F "${2:-}" | sed 's/.* //'; }
	[ "$(value 'http_requests_total{' 'status="202"')" = 2 ]
	[ "$(value 'http_requests_total{' 'status="400"')" = 1 ]
	[ "$(value 'http_requests_total{' 'status="415"')" = 1 ]
	[ "$(value 'http_request_duration_seconds_count{')" = 4 ]
	[ "$(value 'events_pushed_total{')" = 2 ]
	[ "$(value 'events_repeated_total{')" = 1 ]
	awk -f "$REPO/tests/helpers/metrics.awk" listen.prom >&2
}

@test "the EXAMPLES of the manual page run, in their order" {
	ln -sfn "$REPO/examples" examples
	manual_examples ev-listen.1
	for n in 1 2; do
		timeout 60 bash -e -o pipefail "example.$n" >"out.$n" 2>"err.$n" ||
			{ cat "example.$n" "err.$n" >&2; false; }
		rm -f port
	done
	[ "$(grep -c '^{"ids":' out.1)" -eq 2 ]
	[ "$(grep -c '"name":"ping' out.1)" -gt 1 ]
	[ "$(cat out.2)" = '{"ids":["order-17"]}' ]
}
