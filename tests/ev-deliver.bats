#!/usr/bin/env bats
# ev-deliver against real receivers: what is sent, what becomes of it, and what
# no peer and no line may do to it.

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

# call PATH [MEMBERS]: a bare call to the receiver.
call() {
	printf '{"url":"http://127.0.0.1:%s%s","headers":{},"body":{"k":1}%s}\n' \
		"$SINK_PORT" "$1" "${2:+,$2}"
}

# results FILTER: of the last run, a line each.
results() {
	jq -r "$1" "$OUT"
}

# outcomes WANT: "retry:http-5xx delivered:" and so on.
outcomes() {
	local got
	got=$(results '"\(.outcome):\(.reason // "")"' | paste -sd' ')
	[ "$got" = "$1" ] || {
		echo "outcomes $got, not $1" >&2
		cat "$OUT" "$ERR" >&2
		return 1
	}
}

# answered WANT STEP…: what one attempt at such a receiver comes to.
answered() {
	local want=$1
	shift
	script "$@"
	call /x >in
	run_prog ev-deliver $LOOPBACK --schedule none --timeout 1s in
	outcomes "$want"
	stop_all
}

# one_reject REASON LINE
one_reject() {
	printf '%s\n' "$2" >in
	: >rejects
	run_prog ev-deliver $LOOPBACK in
	want_code 1
	[ ! -s "$OUT" ]
	[ "$(jq -r .reason rejects)" = "$1" ]
	[ "$(jq -r .input rejects)" = "$2" ]
}

lines() { # FILE AT_LEAST
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# background ARGUMENTS…: ev-deliver that reads from the descriptor 8.
background() {
	mkfifo pipe
	ev-deliver $LOOPBACK "$@" <pipe >out 2>err 3>&- 4>&- &
	DELIVER=$!
	exec 8>pipe
}

# ended CODE: of background.
ended() {
	local code=0
	wait "$DELIVER" || code=$?
	sound "$code" err ev-deliver
	OUT=out ERR=err
	[ "$code" -eq "$1" ]
}

@test "a call arrives in its own bytes, with the fields it asked for" {
	start_sink
	printf '%s\n' '{"url":"http://127.0.0.1:'"$SINK_PORT"'/w?t=s","headers":{"X-B":"","x-a":"é","X-A":"2"},"body":{"n": 1.50,"b":1e400, "s":"\u00e9"},"id":"e1","event":"ev","name":"ping","traceparent":"00-1-2-01"}' >in
	run_prog ev-deliver $LOOPBACK in
	want_code 0
	jq -r '.method, .target, .body, (.headers[] | join(": "))' \
		"$SINK_LOG" >got
	cat >want <<-END
		POST
		/w?t=s
		{"n": 1.50,"b":1e400, "s":"\u00e9"}
		Host: 127.0.0.1:$SINK_PORT
		traceparent: 00-1-2-01
		X-B: 
		x-a: é
		X-A: 2
		Content-Type: application/json
		User-Agent: $(ev-deliver -V | tr ' ' / | sed s/ev-deliver/evpipe/)
		Content-Length: $(printf %s '{"n": 1.50,"b":1e400, "s":"\u00e9"}' | wc -c)
	END
	same want got
	results 'keys_unsorted | join(" ")' >got
	echo id event name url attempt outcome status duration_ms time >want
	same want got
	[ "$(results .url)" = "http://127.0.0.1:$SINK_PORT/w" ]
}

@test "fields of the call replace the defaults, Host too" {
	start_sink
	printf '{"url":"http://127.0.0.1:%s/","headers":{"content-type":"text/x","USER-AGENT":"","Accept":"*/*","host":"inner.example"},"body":null}\n' \
		"$SINK_PORT" >in
	run_prog ev-deliver $LOOPBACK in
	want_code 0
	jq -r '.body, (.headers[] | join(": "))' "$SINK_LOG" >got
	printf '%s\n' '{}' 'host: inner.example' 'content-type: text/x' \
		'USER-AGENT: ' 'Accept: */*' 'Content-Length: 2' >want
	sort want >want.sorted
	sort got | same want.sorted /dev/stdin
}

@test "no proxy of the environment is used" {
	start_sink
	call / | env http_proxy=http://127.0.0.1:9 ALL_PROXY=http://127.0.0.1:9 \
		ev-deliver $LOOPBACK >out
	[ "$(jq -r .outcome out)" = delivered ]
}

@test "a string that holds a call is unwrapped once, line breaks and all" {
	start_sink
	call / | jq . | jq -Rs . >once
	jq -R . once >twice
	run_prog ev-deliver $LOOPBACK once
	want_code 0
	outcomes delivered:
	run_prog ev-deliver $LOOPBACK twice
	want_code 1
	[ "$(jq -r .reason rejects)" = invalid-call ]
	stop_all
	run_prog ev-deliver $LOOPBACK --schedule none once
	want_code 1
	[ "$(wc -l <"$OUT")" = 1 ]
	[ "$(results .call.body.k)" = 1 ]
}

@test "connections are kept" {
	start_sink
	for i in 1 2 3 4 5 6 7 8; do call "/$i"; done >in
	run_prog ev-deliver $LOOPBACK --concurrency 1 in
	want_code 0
	[ "$(jq .connection "$SINK_LOG" | sort -u)" = 1 ]
	jq -r .target "$SINK_LOG" | tr -d '/\n' >got
	[ "$(<got)" = 12345678 ]
}

# Calls to N origins, in their order, so often.
origins() { # N TIMES
	local i
	call / | jq -c --argjson n "$1" 'range($n) as $i | .url |=
		sub("127.0.0.1"; "127.0.\(1 + $i / 200 | floor).\(1 + $i % 200)")
		' >once
	for ((i = 0; i < $2; i++)); do cat once; done
}

@test "connections to hundreds of origins are kept, whatever the concurrency" {
	start_sink --listen 0.0.0.0:0
	origins 300 3 >in
	run_prog ev-deliver $LOOPBACK --concurrency 4 in
	want_code 0
	[ "$(jq .connection "$SINK_LOG" | sort -u | wc -l)" -eq 300 ]
}

@test "few open files: fewer connections are kept, and all is delivered" {
	start_sink --listen 0.0.0.0:0
	origins 300 2 >in
	(ulimit -n 60 && run_prog ev-deliver $LOOPBACK --concurrency 4 in &&
		want_code 0)
	[ "$(wc -l <"$SINK_LOG")" -eq 600 ]
	[ "$(jq .connection "$SINK_LOG" | sort -u | wc -l)" -gt 300 ]
}

@test "fewer open files than --concurrency needs: no receiver is blamed" {
	start_sink
	for i in {1..600}; do
		call "/$i"
	done >in
	(ulimit -n 64 && run_prog ev-deliver $LOOPBACK --concurrency 300 \
		--per-webhook 300 --schedule none in && want_code 0)
	[ "$(wc -l <"$SINK_LOG")" -eq 600 ]
}

@test "after a thousand origins, a connection is kept for who comes back soon" {
	start_sink --listen 0.0.0.0:0
	background
	origins 1200 1 >&8
	wait_until lines out 1200
	for i in 1201 1202 1203; do
		call /mine | sed s/127.0.0.1/127.0.9.9/ >&8
		wait_until lines out "$i"
	done
	exec 8>&-
	ended 0
	jq -r 'select(.target == "/mine").connection' "$SINK_LOG" >got
	[ "$(wc -l <got)" -eq 3 ]
	[ "$(sort -u got | wc -l)" -eq 1 ]
}

@test "policy failures: anything but 2xx is tried again, 410 is not" {
	script 'status 500' 'redirect http://127.0.0.1:9/' 'status 404' 'status 201'
	call / >in
	run_prog ev-deliver $LOOPBACK --schedule 10ms,10ms,10ms in
	want_code 0
	outcomes "retry:http-5xx retry:http-3xx retry:http-4xx delivered:"
	[ "$(results .attempt | paste -sd' ')" = "1 2 3 4" ]
	[ "$(results 'select(.outcome == "retry") | .next >= .time' |
		sort -u)" = true ]
	[ ! -s "$ERR" ]
	stop_all
	answered dead:gone 'status 410'
	want_code 1
}

@test "without a queue Retry-After makes the wait longer, never shorter" {
	script 'status 429 Retry-After: 1' 'status 503 Retry-After: 0' \
		'status 500 Retry-After: 3600' 'status 204'
	call / >in
	run_prog ev-deliver $LOOPBACK --schedule 10ms,10ms,10ms in
	want_code 0
	outcomes "retry:http-4xx retry:http-5xx retry:http-5xx delivered:"
	jq -s -e 'map(.time[0:19] + "Z" | fromdate) | .[1] - .[0] >= 1' "$OUT"
}

@test "policy network: any answer settles, failures to get one are tried again" {
	script drop 'status 503'
	call / >in
	run_prog ev-deliver $LOOPBACK --policy network --schedule 10ms,10ms in
	want_code 0
	outcomes "retry:connect answered:http-5xx"
	grep -q '^ev-deliver: in: line 1: answered: http-5xx: answered 503$' "$ERR"
}

@test "what ends dead is input again" {
	script 'status 500' 'status 500' 'status 200'
	call '/x?secret=s3cret' '"extra":[1.0],"id":"i"' >in
	run_prog ev-deliver $LOOPBACK --schedule 10ms in
	want_code 1
	outcomes "retry:http-5xx dead:http-5xx"
	[ "$(grep -c s3cret "$ERR")" = 0 ]
	[ "$(results 'select(.outcome == "retry").call')" = null ]
	# The very bytes.
	grep -qF "\"call\":$(<in)}" "$OUT"
	results 'select(.outcome == "dead").call | tojson' >again
	run_prog ev-deliver $LOOPBACK again
	want_code 0
	outcomes delivered:
}

@test "an answer counts once its head is complete" {
	answered delivered: close-early
	answered delivered: endless
	answered delivered: 'drip 50ms'
	answered delivered: 'raw-string "HTTP/1.1 103 x\r\nLink: y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"'
	answered delivered: 'raw-string "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"'
	answered delivered: 'raw-string "HTTP/1.0 200 OK\r\n\r\nhello"'
	answered delivered: 'headers 16000'
}

@test "what is no answer has its reason" {
	answered dead:connect drop
	answered dead:connect reset
	answered dead:timeout hang
	answered dead:protocol garbage
	answered dead:too-large 'headers 20000'
	answered dead:too-large 'headers 1MiB'
	answered dead:connect 'raw-string "HTTP/1.1 103 x\r\n\r\n"'
	answered dead:connect 'raw-string "HTTP/1.1 200 OK\r\nX: y"'
	answered dead:protocol 'raw-string "HTTP/1.1 101 x\r\nUpgrade: y\r\n\r\n"'
	answered dead:protocol 'raw-string "HTTP/2 200\r\n\r\n"'
	answered dead:protocol 'raw-string "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"'
	answered dead:protocol 'raw-string "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"'
	answered dead:protocol 'raw-string "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"'
	answered dead:http-5xx 'status 999'
	want_code 1
}

@test "nobody there, no such host, no TLS" {
	start_sink
	printf '{"url":"%s","headers":{},"body":1}\n' \
		http://127.0.0.1:9/ http://nowhere.invalid/ \
		"https://127.0.0.1:$SINK_PORT/" >in
	run_prog ev-deliver $LOOPBACK --schedule none --concurrency 1 in
	want_code 1
	[ "$(results .reason | sort | paste -sd' ')" = "connect dns tls" ]
	grep -q 'line 1: dead: connect: cannot connect: Connection refused$' "$ERR"
}

@test "certificates are verified, --ca names others" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
		-days 2 -subj /CN=hook.example \
		-addext subjectAltName=DNS:hook.example 2>/dev/null
	openssl s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www \
		>tls.log 2>&1 </dev/null 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until grep -q '^ACCEPT' tls.log
	port=$(sed -n 's/^ACCEPT.*:\([0-9]*\).*/\1/p' tls.log | head -n 1)
	echo '{"url":"https://hook.example/","headers":{},"body":1}' >in
	run_prog ev-deliver $LOOPBACK --connect-to "hook.example:443:127.0.0.1:$port" \
		--schedule none in
	outcomes dead:tls
	# s_server -www does not understand POST; that it was asked is enough.
	run_prog ev-deliver $LOOPBACK --connect-to "hook.example:443:127.0.0.1:$port" \
		--ca cert.pem --schedule none --timeout 2s in
	[ "$(results .reason)" != tls ]
	run_prog ev-deliver $LOOPBACK --ca absent.pem in
	want_code 2
}

# A server that speaks TLS, but does not understand POST, and says nothing. It
# serves one after the other. Sets PORT.
mute_server() { # LOG
	openssl s_server -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www \
		>"$1" 2>&1 </dev/null 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until grep -q '^ACCEPT' "$1"
	PORT=$(sed -n 's/^ACCEPT.*:\([0-9]*\).*/\1/p' "$1" | head -n 1)
}

# A CA file: who reads it again finds nothing there.
read_once() { # NAME
	mkfifo "$1"
	(
		cat cert.pem >"$1"
		while :; do : >"$1"; done
	) 3>&- 4>&- &
	EV_STARTED+=($!)
}

@test "the CA file is read once, however many connections there are" {
	local i detours=()
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem \
		-days 2 -subj /CN=hook.example \
		-addext subjectAltName=DNS:hook.example,IP:127.0.0.1 2>/dev/null
	for i in 1 2 3; do
		mute_server "tls.$i"
		detours+=(--connect-to "hook.example:$i:127.0.0.1:$PORT")
		echo '{"url":"https://hook.example:'$i'/","headers":{},"body":1}'
	done >in
	read_once ca
	run_prog ev-deliver $LOOPBACK "${detours[@]}" --ca ca --schedule none \
		--timeout 2s in
	[ "$(results .reason | sort | uniq -c | tr -s ' ')" = " 3 timeout" ]
	# A proxy's, too.
	sed -i s/https:/http:/ in
	read_once again
	run_prog ev-deliver $LOOPBACK --proxy "https://127.0.0.1:$PORT" --ca again \
		--schedule none --timeout 2s in
	[ "$(results .reason | sort | uniq -c | tr -s ' ')" = " 3 timeout" ]
}

@test "a call of a webhook takes everything from the registry" {
	start_sink
	three_webhooks | jq '.[0].headers = { "X-Key": "k" }' >w.json
	echo '{"url":"http://127.0.0.1:9/forged","headers":{"X-No":"1"},"body":{},"webhook":"wh1","id":"m1"}' >in
	run_prog ev-deliver $LOOPBACK -w w.json in
	want_code 0
	[ "$(results '"\(.webhook) \(.url)"')" = \
		"wh1 http://127.0.0.1:$SINK_PORT/wh1" ]
	[ "$(jq -r '.headers[] | select(.[0] | startswith("X-")) | join(" ")' \
		"$SINK_LOG")" = "X-Key k" ]
	# The same by the environment, and by an escaped id.
	sed 's/wh1/wh\\u0031/' in >in2
	EV_WEBHOOKS=w.json run_prog ev-deliver $LOOPBACK in2
	want_code 0
	outcomes delivered:
}

@test "a webhook's own policy and time limit" {
	script 'status 500' hang
	three_webhooks |
		jq '.[0].retry = "network" | .[0].timeout = "300ms"' >w.json
	printf '{"url":"http://x/","headers":{},"webhook":"wh1"}\n%.0s' 1 2 >in
	run_prog ev-deliver $LOOPBACK -w w.json --schedule none --concurrency 1 in
	outcomes "answered:http-5xx dead:timeout"
}

@test "removed and disabled webhooks" {
	start_sink
	three_webhooks | jq '.[1].disabled = true' >w.json
	printf '{"url":"http://x/","headers":{},"webhook":"%s"}\n' gone wh2 wh1 >in
	run_prog ev-deliver $LOOPBACK -w w.json in
	want_code 1
	[ "$(results '"\(.webhook):\(.outcome):\(.reason)"' | sort |
		paste -sd' ')" = \
		"gone:dead:removed wh1:delivered:null wh2:dead:aborted" ]
	grep -q disabled "$OUT"
}

@test "a named webhook without a registry is wrong usage; the rest is settled" {
	start_sink
	{
		call /1
		echo '{"url":"http://x/","headers":{},"webhook":"wh1"}'
		call /3
	} >in
	run_prog ev-deliver $LOOPBACK in
	want_code 2
	grep -q 'registry' "$ERR"
	[ "$(results 'select(.outcome == "dead").call | tojson' | wc -l)" -ge 1 ]
}

@test "a repaired registry serves what waits" {
	start_sink
	three_webhooks 9 9 9 >w.json
	background -w w.json --schedule 300ms,300ms,300ms,300ms,300ms,300ms,300ms,300ms,300ms
	echo '{"url":"http://x/","headers":{},"webhook":"wh1"}' >&8
	wait_until grep -q '"retry"' out
	three_webhooks >w.new
	mv w.new w.json
	exec 8>&-
	ended 0
	[ "$(tail -n 1 out | jq -r .outcome)" = delivered ]
}

@test "lines that are no calls are rejected, those around them go through" {
	start_sink
	u='"url":"http://127.0.0.1:9/","headers":{}'
	one_reject not-json 'nonsense'
	one_reject not-json "{$u"
	one_reject not-json '"x"'
	one_reject invalid-call '5'
	one_reject invalid-call 'null'
	one_reject invalid-call '[]'
	one_reject invalid-call '{"headers":{}}'
	one_reject invalid-call '{"url":null,"headers":{}}'
	one_reject invalid-call '{"url":"http://127.0.0.1:9/"}'
	one_reject invalid-call '{"url":"http://127.0.0.1:9/","headers":null}'
	one_reject invalid-call '{"url":"http://127.0.0.1:9/","headers":{"a":null}}'
	one_reject invalid-call '{"url":"http://127.0.0.1:9/","headers":{"a":"b\r\nc: d"}}'
	one_reject invalid-call '{"url":"http://127.0.0.1:9/","headers":{"Content-Length":"7"}}'
	one_reject invalid-call '{"url":"http://u:p@127.0.0.1:9/","headers":{}}'
	one_reject invalid-call '{"url":"ftp://127.0.0.1:9/","headers":{}}'
	one_reject invalid-call "{$u,\"id\":1}"
	one_reject invalid-call "{$u,\"id\":\"a\\u0001b\"}"
	one_reject invalid-call "{$u,\"id\":\"\"}"
	one_reject invalid-call "{$u,\"webhook\":\"\"}"
	one_reject invalid-call "{$u,\"traceparent\":\"a\\nb\"}"
	{
		call /1
		echo nonsense
		printf '\n \r\n'
		head -c 5000000 /dev/zero | tr '\0' x
		echo
		call /2 | tr -d '\n'
	} >in
	: >rejects
	run_prog ev-deliver $LOOPBACK in
	want_code 1
	outcomes "delivered: delivered:"
	[ "$(jq -c '[.line, .reason, .bytes]' rejects | paste -sd' ')" = \
		'[2,"not-json",null] [5,"too-long",5000000]' ]
}

@test "a hostile line of 100 MB takes no memory" {
	[ -z "${EV_SAN:-}" ] || skip "a sanitizer's memory is not ours"
	start_sink
	{
		head -c 100000000 /dev/zero | tr '\0' '"'
		echo
		call /
	} >in
	# 32 MB of data and heap, whatever libraries map.
	(ulimit -d 32768 && ev-deliver $LOOPBACK in >out 2>err) || [ $? -eq 1 ]
	[ "$(jq -r .outcome out)" = delivered ]
}

@test "a typed call is delivered and told at once" {
	start_sink
	background
	call /1 >&8
	wait_until grep -q delivered out
	call /2 >&8
	wait_until lines out 2
	exec 8>&-
	ended 0
}

@test "a webhook that hangs holds up no other" {
	script hang
	hanging=$SINK_PORT
	start_sink
	{
		for ((i = 0; i < 200; i++)); do
			echo '{"url":"http://127.0.0.1:'"$hanging"'/","headers":{}}'
		done
		for ((i = 0; i < 100; i++)); do call "/$i"; done
	} >calls
	background --schedule none --timeout 60s
	cat calls >&8
	exec 8>&-
	wait_until lines out 100
	[ "$(jq -r .outcome out | sort | uniq -c | tr -s ' ')" = " 100 delivered" ]
	kill "$DELIVER"
	wait_until grep -q aborted out # or the two could come as one
	kill "$DELIVER"
	ended 1
	[ "$(jq -r 'select(.reason == "aborted") | .outcome' out | wc -l)" = 200 ]
}

@test "--per-webhook bounds what is in flight" {
	script hang
	for i in 1 2 3 4 5 6; do call "/$i"; done >calls
	background --per-webhook 2 --schedule none
	cat calls >&8
	wait_until lines "$SINK_LOG" 2
	kill "$DELIVER"
	wait_until grep -q aborted out # or the two could come as one
	kill "$DELIVER"
	exec 8>&-
	ended 1
	[ "$(wc -l <"$SINK_LOG")" = 2 ]
	[ "$(jq -r .reason out | sort | uniq -c | tr -s ' ')" = " 6 aborted" ]
}

@test "SIGTERM: what is in flight finishes, the rest is aborted with its call" {
	script 'delay 500ms status 204'
	for i in 1 2 3; do call "/$i"; done >calls
	background --concurrency 1
	cat calls >&8
	wait_until sink_connected
	kill -TERM "$DELIVER"
	ended 1
	exec 8>&-
	[ "$(jq -r .outcome out | sort | uniq -c | tr -s ' ' | paste -sd,)" = \
		" 2 dead, 1 delivered" ]
	[ "$(jq -r 'select(.outcome == "dead").call.url' out | wc -l)" = 2 ]
	grep -q 'stopped: 2 calls ended dead, aborted' err
}

# The receiver took a connection: a request is in flight.
sink_connected() {
	grep -q "$(printf ':%04X ' "$SINK_PORT").* 01 " /proc/net/tcp
}

@test "SIGTERM: a wait for the next attempt is over" {
	script 'status 500'
	background --schedule 1h
	call / >&8
	wait_until grep -q retry out
	kill -TERM "$DELIVER"
	ended 1
	exec 8>&-
	[ "$(tail -n 1 out | jq -r '.outcome + ":" + .reason')" = dead:aborted ]
}

@test "a second signal beside an answer: what was answered is told" {
	script "delay 300ms status 204"
	set -m # so that SIGINT is not ignored
	background
	set +m
	call / >&8
	wait_until lines "$SINK_LOG" 1
	kill -STOP "$DELIVER"
	# The answer was written when another request's can be.
	curl -s "http://127.0.0.1:$SINK_PORT/"
	kill -TERM "$DELIVER"
	kill -INT "$DELIVER"
	kill -CONT "$DELIVER"
	ended 0
	exec 8>&-
	outcomes delivered:
}

@test "a call can't take an origin's place by naming it as its webhook" {
	start_sink
	echo '[]' >w.json
	{
		call /1
		call /2 '"webhook":"http://127.0.0.1:'"$SINK_PORT"'"'
		call /3
	} >in
	run_prog ev-deliver $LOOPBACK -w w.json in
	want_code 1
	[ "$(jq -r '.outcome + .url' "$OUT" | sed 's/http.*:[0-9]*//' | sort | paste -sd' ')" = \
		'dead delivered/1 delivered/3' ]
}

@test "the grace time ends" {
	script hang
	background --grace 100ms
	call / >&8
	wait_until lines "$SINK_LOG" 1
	kill "$DELIVER"
	ended 1
	exec 8>&-
	outcomes dead:aborted
}

@test "a reader that is gone is a quiet end" {
	start_sink
	for ((i = 0; i < 3000; i++)); do call "/$i"; done >in
	ev-deliver $LOOPBACK in 2>err | head -n 1 >out
	[ "${PIPESTATUS[0]}" -le 1 ]
	[ ! -s err ]
	[ "$(jq -r .outcome out)" = delivered ]
}

@test "many calls, several files, a non-blocking stdin" {
	start_sink
	for ((i = 0; i < 12000; i++)); do call "/$i" "\"id\":\"$i\""; done >a
	call /last '"id":"last"' >b
	run_prog ev-deliver $LOOPBACK a b
	want_code 0
	[ "$(results 'select(.outcome == "delivered").id' | sort -u | wc -l)" = 12001 ]
	background
	perl -e 'use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK | O_WRONLY) or die' >&8 ||
		skip "no perl"
	head -n 3 b b >/dev/null
	cat b >&8
	exec 8>&-
	ended 0
}

@test "wrong options" {
	for o in --policy=x --schedule=1s,,2s --schedule= --concurrency=0 \
		--timeout=0 --connect-to=a:b --per-webhook=-1 --grace=x; do
		run_prog ev-deliver $LOOPBACK "$o" /dev/null
		want_code 2
	done
	run_prog ev-deliver $LOOPBACK /dev/null none/such
	want_code 2
	echo '[{}]' >w.json
	run_prog ev-deliver $LOOPBACK -w w.json /dev/null
	want_code 2
}
