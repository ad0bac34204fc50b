#!/usr/bin/env bats
# hook-sink: what it prints, and each way to misbehave.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	pid=
}

# Not start_sink's: those are disowned, and here exit codes count.
teardown() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || :
}

# serve ARGUMENTS…: start it on a free port, printing into the file `got`.
serve() {
	rm -f port
	hook-sink --listen 127.0.0.1:0 --port-file port "$@" \
		>got 2>err 3>&- 4>&- &
	started
}

started() {
	pid=$!
	wait_until test -e port
	port=$(<port)
	url=http://127.0.0.1:$port
}

# script LINE…: serve with these steps.
script() {
	printf '%s\n' "$@" >steps
	serve --script steps
}

# ended CODE: it ends by itself, or did.
ended() {
	local code=0

	wait "$pid" || code=$?
	pid=
	[ "$code" -eq "$1" ]
}

stop() {
	kill "$pid"
	ended 0
}

# talk: send stdin, take what comes until the other side closes.
talk() {
	exec 9<>"/dev/tcp/127.0.0.1/$port"
	cat >&9
	timeout "$DEADLINE" cat <&9 || [ $? -eq 1 ]
	exec 9>&-
}

# request [BODY]: the bytes of one that asks to close.
request() {
	printf 'POST /t HTTP/1.1\r\nHost: h\r\nConnection: close\r\n'
	printf 'Content-Length: %d\r\n\r\n%s' "${#1}" "$1"
}

code() { # of curl
	curl -s -o body --max-time "$DEADLINE" -w '%{http_code}' "$@"
}

@test "a request is one line with all that came" {
	serve --count 1
	printf '%s' '{"a": 1.0}' >want.body
	curl -s -A agent -H 'X-Two:  a  b ' -H 'x-empty;' \
		--data-binary @want.body "$url/p%20q?x=1"
	ended 0
	[ "$(wc -l <got)" -eq 1 ]
	jq -r .body got | tr -d '\n' | cmp - want.body
	jq -c '[.connection, .method, .target, .version, .bytes, .action,
		.status]' got >some
	echo '[1,"POST","/p%20q?x=1","HTTP/1.1",10,"status",204]' | cmp - some
	jq -c '.headers[]' got >headers
	cmp - headers <<-END
	["Host","127.0.0.1:$port"]
	["User-Agent","agent"]
	["Accept","*/*"]
	["X-Two","a  b"]
	["x-empty",""]
	["Content-Length","10"]
	["Content-Type","application/x-www-form-urlencoded"]
	END
	jq -e '.time | test("^[0-9-]{10}T[0-9:]{8}.[0-9]{3}Z$")' got
	[ ! -s err ]
}

@test "the head is given byte for byte, as ISO-8859-1" {
	serve --count 1
	printf 'GET /x HTTP/1.1\r\nhost:h\r\nX-L:\t\351\303\251 "\\\r\nConnection: close\r\n\r\n' >sent
	talk <sent >answer
	ended 0
	jq -r .head got | iconv -f UTF-8 -t ISO-8859-1 | head -c -1 | cmp - sent
	jq -r '.headers[1][1]' got | iconv -f UTF-8 -t ISO-8859-1 >value
	printf '\351\303\251 "\\\n' | cmp - value
	printf 'HTTP/1.1 204 No Content\r\n\r\n' | cmp - answer
}

@test "a body that is no UTF-8 comes as base64" {
	serve --count 1
	printf '\000\377a' >bytes
	curl -s --data-binary @bytes "$url"
	ended 0
	jq -r .body_base64 got | base64 -d | cmp - bytes
	jq -e 'has("body") | not' got
	jq -e '.bytes == 3' got
}

@test "the line is there before the answer" {
	serve
	for i in 1 2 3 4 5; do
		curl -s -d "$i" "$url"
		[ "$(wc -l <got)" -eq "$i" ]
		[ "$(tail -n1 got | jq -r .body)" = "$i" ]
	done
	stop
}

@test "connections are kept, and counted" {
	serve --count 3
	curl -s "$url/1" "$url/2"
	curl -s "$url/3"
	ended 0
	jq -c '[.connection, .target]' got >some
	printf '%s\n' '[1,"/1"]' '[1,"/2"]' '[2,"/3"]' | cmp - some
}

@test "pipelined requests are answered in turn" {
	script 'status 201' 'delay 5ms status 202' 'status 203' 'status 200'
	{
		printf 'GET /%d HTTP/1.1\r\nHost: h\r\n\r\n' 1 2 3
		request x
	} | talk >answer
	stop
	grep -a ^HTTP answer | cut -d' ' -f2 >codes
	printf '%s\n' 201 202 203 200 | cmp - codes
	jq -r .target got | cmp - <(printf '%s\n' /1 /2 /3 /t)
}

@test "a request sent byte by byte" {
	serve
	exec 9<>"/dev/tcp/127.0.0.1/$port"
	request body >bytes
	while IFS= read -r -d '' -n1 c; do
		printf '%s' "$c" >&9
	done <bytes
	timeout "$DEADLINE" cat <&9 >answer
	exec 9>&-
	stop
	[ "$(jq -r .body got)" = body ]
	grep -q 204 answer
}

@test "chunked bodies, and 100-continue" {
	serve --count 2
	seq 1 20000 >big
	curl -s --max-time "$DEADLINE" -T - -H 'Expect: 100-continue' "$url/a" <big
	curl -s --max-time "$DEADLINE" -H 'Transfer-Encoding: chunked' -H 'Expect:' \
		--data-binary @big "$url/b"
	ended 0
	jq -r 'select(.target=="/a").body' got | head -c -1 | cmp - big
	jq -r 'select(.target=="/b").body' got | head -c -1 | cmp - big
}

@test "large bodies up to 16 MiB" {
	serve --count 1
	head -c 16777217 /dev/zero >big
	[ "$(code --data-binary @big "$url")" = 413 ]
	truncate -s 16777216 big
	[ "$(code --data-binary @big "$url")" = 204 ]
	ended 0
	jq -e '.bytes == 16777216' got
	grep -q 'connection 1: the body is too large' err
}

@test "requests that break the rules are refused, and don't count" {
	serve --count 1
	[ "$(printf 'GET / HTTP/1.1\r\n\r\n' | talk | head -n1)" = $'HTTP/1.1 400 Bad Request\r' ]
	[[ "$(printf 'GET / HTTP/3.1\r\nHost: h\r\n\r\n' | talk)" = *' 505 '* ]]
	[[ "$(printf 'GET / HTTP/1.1\nHost: h\n\n' | talk)" = *' 400 '* ]]
	[[ "$({ printf 'GET / HTTP/1.1\r\n'; printf 'X: %070000d' 0; } | talk)" = *' 431 '* ]]
	[[ "$(request ok | talk)" = *' 204 '* ]]
	ended 0
	[ "$(wc -l <got)" -eq 1 ]
	cmp - err <<-END
	hook-sink: connection 1: no Host header
	hook-sink: connection 2: the version is not HTTP/1
	hook-sink: connection 3: a line of the head ends without CR
	hook-sink: connection 4: the head is too large
	END
}

@test "a sender that stops in the middle is named" {
	serve --count 1
	exec 9<>"/dev/tcp/127.0.0.1/$port"
	printf 'GET / HTT' >&9
	exec 9>&-
	wait_until test -s err
	echo "hook-sink: connection 1: the sender closed in mid request" |
		cmp - err
	curl -s "$url"
	ended 0
	[ "$(wc -l <got)" -eq 1 ]
}

@test "out of descriptors, connections wait for their turn" {
	script 'hang' 'status 204'
	stop
	# stdin to stderr, the pipe, the listener: 3 connections are left.
	rm -f port
	(ulimit -n 9 && exec hook-sink --listen 127.0.0.1:0 --port-file port \
		--script steps >got 2>err 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-) &
	started
	exec {a}<>"/dev/tcp/127.0.0.1/$port" {b}<>"/dev/tcp/127.0.0.1/$port" \
		{c}<>"/dev/tcp/127.0.0.1/$port" {d}<>"/dev/tcp/127.0.0.1/$port"
	request >&"$a"
	wait_until test -s got
	request >&"$d"
	exec {a}>&- {b}>&- {c}>&-
	timeout "$DEADLINE" cat <&"$d" | grep -q 204
	exec {d}>&-
	stop
	[ ! -s err ]
}

@test "HTTP/1.0 is answered and closed" {
	serve --count 1
	printf 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n' | talk >answer
	ended 0
	grep -q 204 answer
}

@test "--status" {
	serve --status 503 --count 2
	[ "$(code "$url")" = 503 ]
	[ "$(code -I "$url")" = 503 ]
	ended 0
	jq -e '.status == 503' got
}

@test "--quiet prints nothing" {
	serve --quiet --count 2
	curl -s "$url" "$url"
	ended 0
	[ ! -s got ]
}

@test "the last step repeats" {
	script '# first' '' 'status 500' '	status 204  '
	for want in 500 204 204; do
		[ "$(code "$url")" = $want ]
	done
	stop
}

@test "loop begins again" {
	script 'status 500' 'status 204' loop
	for want in 500 204 500 204; do
		[ "$(code "$url")" = $want ]
	done
	stop
}

@test "status with headers" {
	script 'status 429 Retry-After: Wed, 21 Oct 2015 07:28:00 GMT X-B: c X-D:'
	request | talk >answer
	stop
	printf '%s\r\n' 'HTTP/1.1 429 Too Many Requests' \
		'Retry-After: Wed, 21 Oct 2015 07:28:00 GMT' 'X-B: c' 'X-D:' \
		'Content-Length: 0' '' | cmp - answer
}

@test "status with Connection: close closes" {
	script 'status 200 Connection: close'
	printf 'GET / HTTP/1.1\r\nHost: h\r\n\r\n' | talk >answer
	stop
	grep -q '200 OK' answer
}

@test "redirect" {
	script 'redirect http://a.example/b?c' 'status 204'
	[ "$(code -w '%{http_code} %{redirect_url}' "$url")" = \
		'302 http://a.example/b?c' ]
	stop
}

@test "delay" {
	script 'delay 10ms then delay 0.02 status 200'
	took=$(curl -s -o body -w '%{time_total}' "$url")
	stop
	# Never early; how late is not ours to say.
	awk -v s="$took" 'BEGIN { exit !(s >= 0.030) }'
	jq -e '.action == "status" and .status == 200' got
}

@test "hang, until the sender gives up" {
	printf 'hang\n' >steps
	serve --script steps --count 1
	run curl -s --max-time 0.2 "$url"
	[ "$status" -eq 28 ]
	ended 0
	jq -e '.action == "hang" and (has("status") | not)' got
}

@test "a hanging request does not hold up others" {
	script hang 'status 204'
	exec 8<>"/dev/tcp/127.0.0.1/$port"
	request >&8
	# Its line is out: the first step is taken.
	wait_until test -s got
	[ "$(code "$url")" = 204 ]
	exec 8>&-
	stop
}

@test "drop" {
	script drop
	run curl -s "$url"
	[ "$status" -eq 52 ]
	stop
	jq -e '.action == "drop"' got
}

@test "reset" {
	script reset
	run curl -s "$url"
	[ "$status" -eq 56 ]
	stop
}

@test "close-early" {
	script close-early
	run curl -s -o body "$url"
	[ "$status" -eq 18 ]
	stop
	[ "$(wc -c <body)" -eq 500 ]
	jq -e '.status == 200' got
}

@test "garbage" {
	script garbage
	run curl -s -o body "$url"
	[ "$status" -eq 1 ]
	stop
}

@test "endless" {
	printf 'endless\n' >steps
	serve --script steps --count 1
	request | {
		exec 9<>"/dev/tcp/127.0.0.1/$port"
		cat >&9
		head -c 3000000 <&9 >body
		exec 9>&-
	}
	[ "$(wc -c <body)" -eq 3000000 ]
	ended 0
}

@test "drip" {
	printf 'drip 1ms\n' >steps
	serve --script steps --count 1
	request >bytes
	exec 9<>"/dev/tcp/127.0.0.1/$port"
	cat bytes >&9
	timeout "$DEADLINE" head -c 50 <&9 >body
	exec 9>&-
	ended 0
	tail -n1 body | grep -q '^\.*$'
}

@test "headers N is N bytes of head" {
	for n in 64 1037 1038 1039 1046 1047 1048 1049 20000 64KiB; do
		script "headers $n"
		request | talk >answer
		stop
		[ "$(wc -c <answer)" -eq "$(numfmt --from=auto "${n%B}")" ]
		tail -c 4 answer | cmp - <(printf '\r\n\r\n')
		[ "$(grep -avc '^[A-Za-z-]*: ' answer)" -eq 2 ]
	done
}

@test "raw" {
	printf 'HTTP/1.1 299 \r\nA: \000\377\r\n\r\nxyz' >'an answer'
	script 'raw an answer'
	request | talk | cmp - 'an answer'
	stop
	jq -e '.action == "raw" and .status == 299' got
}

@test "raw-string" {
	script 'raw-string "\x48TTP/1.1 \062\060\060 \"\\\r\n\r\n\0a\t\e"'
	request | talk >answer
	stop
	printf 'HTTP/1.1 200 "\\\r\n\r\n\000a\t\033' | cmp - answer
}

@test "a script that is wrong is exit 2, with the line" {
	while IFS='|' read -r step want; do
		printf 'status 204\n%s\n' "$step" >steps
		run hook-sink --listen 127.0.0.1:0 --script steps
		[ "$status" -eq 2 ]
		[ "$output" = "hook-sink: steps: line 2: $want" ]
	done <<-'END'
	wait|unknown step 'wait'
	status|a status is a number from 200 to 999, not ''
	status 199|a status is a number from 200 to 999, not '199'
	status 200 x|no 'Name:' before 'x'
	status 200 Content-Length: 4|the answer has no body; raw-string sends any bytes
	delay 1ms|nothing follows the delay
	delay soon hang|delay takes a duration such as 200ms, not 'soon'
	drip 0|drip takes a duration such as 100ms, not '0'
	hang on|nothing is expected, but there is 'on'
	headers 63|headers takes a number of bytes from 64 to 16MiB, not '63'
	redirect|redirect takes one URL
	raw|raw takes the name of a file
	raw nowhere|cannot open 'nowhere': No such file or directory
	raw-string x|raw-string takes a string in "…"
	raw-string "|raw-string takes a string in "…"
	raw-string "a"b"|a quote in the string needs a backslash
	raw-string "\q"|an escape in the string is none of C's
	raw-string "\"|an escape in the string is none of C's
	END
	printf 'status 204\nloop\nhang\n' >steps
	run hook-sink --script steps
	[ "$output" = "hook-sink: steps: line 3: a step follows loop" ]
	printf '# nothing\n' >steps
	run hook-sink --script steps
	[ "$output" = "hook-sink: steps: the script has no step" ]
}

@test "SIGTERM and SIGINT end it well" {
	for signal in TERM INT; do
		serve
		curl -s "$url"
		kill -$signal "$pid"
		ended 0
		[ "$(wc -l <got)" -eq 1 ]
	done
}

@test "stdout full is exit 3" {
	hook-sink --listen 127.0.0.1:0 --port-file port \
		>/dev/full 2>err 3>&- 4>&- &
	started
	run curl -s "$url"
	ended 3
	echo "hook-sink: cannot write stdout: No space left on device" |
		cmp - err
}

@test "a reader of stdout that is gone is a quiet end" {
	mkfifo pipe
	hook-sink --listen 127.0.0.1:0 --port-file port \
		>pipe 2>err 3>&- 4>&- &
	exec 8<pipe 8<&-
	started
	run curl -s "$url"
	ended 0
	[ ! -s err ]
}

@test "wrong usage and set-up are exit 2" {
	run hook-sink --status 99
	[ "$status" -eq 2 ]
	[ "$output" = "hook-sink: --status '99' is no number from 200 to 999" ]
	for args in --no-such-option operand '--status 200 --script x' \
		'--count 0' '--script nowhere' '--listen 127.0.0.1:nothing' \
		'--listen 99999' '--listen 127.0.0.1:' '--listen -1'; do
		# shellcheck disable=SC2086
		run timeout 10 hook-sink $args
		[ "$status" -eq 2 ]
	done
	serve
	run hook-sink --listen "$port"
	[ "$status" -eq 2 ]
	[[ $output = *': Address already in use' ]]
	run hook-sink --listen 127.0.0.1:0 --port-file no/such/dir
	[ "$status" -eq 2 ]
	stop
}

@test "-v names the port; IPv6" {
	serve -v
	stop
	echo "hook-sink: listening on port $port" | cmp - err
	if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
		serve --listen '[::1]:0' --count 1
		curl -s "http://[::1]:$port"
		ended 0
	fi
}
