#!/usr/bin/env bats
# shellcheck disable=SC2016 # maps are jq: their $ is not the shell's
# ev-map: what maps give, what they may not do, and what a failing one costs.

bats_require_minimum_version 1.5.0
load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir catalog
	cat >webhooks.json <<-'END'
	[{"id":"a","url":"http://a.example/","subscriptions":["out"],
	  "attributes":{"name":"n1"},"headers":{"X-Key":"hidden"}},
	 {"id":"b","url":"http://b.example/","subscriptions":["out"],
	  "attributes":{"name":"n2"},"disabled":true}]
	END
	echo '{"name":"out","public":true,"payload":{"type":"object"}}' \
		>catalog/out.json
}

# map_of PROGRAM: the non-public event "in" is mapped by it.
map_of() {
	printf '%s\n' "$1" >catalog/in.jq
	echo '{"name":"in","public":false,"payload":true,"map":"in.jq"}' \
		>catalog/in.json
}

ev_map() {
	run_prog ev-map -c catalog -w webhooks.json -r rejects "$@"
}

@test "a public event passes byte for byte, also where its id is odd" {
	printf '%s\n' '{ "name":"out" ,"payload":{"n":12345678901234567890,"f":1.10} }' \
		'{"payload":{"\u0061":1e400},"name":"\u006fut"}' >in
	map_of .
	ev_map in
	want_code 0
	same in "$OUT"
}

@test "an event without a map never starts jq: a broken map is no matter" {
	map_of '((('
	echo '{"name":"out","payload":{}}' >in
	ev_map in
	want_code 0
	same in "$OUT"
}

@test "a map that does not compile is a set-up error, named" {
	map_of '((('
	echo '{"name":"in"}' >in
	ev_map in
	want_code 2
	grep -q 'map in.jq: ' "$ERR"
}

@test "no output, one, many; the enabled webhooks without their headers" {
	map_of '.payload[]? | {name:"out",payload:{of:.,w:$webhooks}}'
	printf '%s\n' '{"name":"in"}' '{"name":"in","payload":[1]}' \
		'{"name":"in","payload":[2,3]}' >in
	ev_map in
	want_code 0
	jq -c .payload.of "$OUT" >got
	printf '%s\n' 1 2 3 >want
	same want got
	jq -c 'select(.payload.of == 1).payload.w' "$OUT" >got
	echo '[{"id":"a","url":"http://a.example/","subscriptions":["out"],"attributes":{"name":"n1"}}]' >want
	same want got
}

@test "a map sees no environment, input, module, nor writes to stderr" {
	export EV_TEST_SECRET=do-not-show
	map_of '{name:"out",payload:{env:env,ENV:$ENV,e:(env.HOME//"none"),f:([inputs]),i:(try input catch "no")}}, (stderr|debug|empty)'
	echo '{"name":"in","payload":"private"}' >in
	ev_map in
	want_code 0
	jq -c .payload "$OUT" >got
	echo '{"env":{},"ENV":{},"e":"none","f":[],"i":"no"}' >want
	same want got
	run ! test -s "$ERR"
}

@test "import and include are refused, even of a file that is there" {
	echo 'def f: 1;' >catalog/m.jq
	for map in 'import "m" as m; m::f' 'include "m"; f' \
		'import "m" as m {search:"./catalog"}; m::f'; do
		map_of "$map"
		echo '{"name":"in"}' >in
		ev_map in
		want_code 2
	done
}

@test "a runtime error costs that event alone, and shows no value of it" {
	map_of '{name:"out",payload:{sum:(1 + .payload)}}'
	printf '%s\n' '{"name":"in","payload":1}' \
		'{"name":"in","payload":"private"}' '{"name":"in","payload":2}' >in
	ev_map in
	want_code 1
	jq .payload.sum "$OUT" >got
	printf '%s\n' 2 3 >want
	same want got
	grep -q 'line 2: map-failed: map in.jq failed$' "$ERR"
	run ! grep -q private "$ERR"
	jq -r .input rejects >got
	sed -n 2p in >want
	same want got
}

@test "halt and halt_error end no stream" {
	for map in halt '"x"|halt_error' '5|halt_error(3)' '.payload|error'; do
		map_of "if .payload == 1 then $map else {name:\"out\",payload:{}} end"
		printf '%s\n' '{"name":"in","payload":1}' '{"name":"in"}' >in
		ev_map in
		want_code 1
		test "$(wc -l <"$OUT")" -eq 1
	done
}

@test "an output that is no valid event rejects the whole event" {
	for out in 5 '{}' '{name:"nope"}' '{name:"out",payload:1}' '{name:"out"},"x"' \
		'{name:"out"},{name:"out",payload:[]}'; do
		map_of "$out"
		echo '{"name":"in"}' >in
		rm -f rejects
		ev_map in
		want_code 1
		! test -s "$OUT"
		test "$(jq -r .reason rejects)" = invalid-map
	done
}

@test "a non-public output is mapped again, eight deep and no deeper" {
	map_of 'if .payload < 7 then {name:"in",payload:(.payload+1)} else {name:"out",payload:{}} end'
	printf '%s\n' '{"name":"in","payload":0}' '{"name":"in","payload":-1}' >in
	ev_map in
	want_code 1
	test "$(wc -l <"$OUT")" -eq 1
	test "$(jq -r '[.line,.reason]|@tsv' rejects)" = "2	map-depth"
}

@test "children: an id of the parent's, time and traceparent; twins differ" {
	map_of '{name:"out",payload:{k:1}},{name:"out",payload:{k:1}},{name:"out",payload:{k:2}},{name:"out",payload:{},id:"own",time:"2026-02-02T00:00:00Z"}'
	cat >in <<-'END'
	{"name":"in","id":"p","time":"2026-01-01T00:00:00Z","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	{"name":"in"}
	END
	ev_map in
	want_code 0
	jq -r 'select(.id)|.id' "$OUT" >ids
	test "$(grep -cE '^p~[0-9a-f]{16}(~2)?$' ids)" -eq 3
	test "$(sort -u ids | wc -l)" -eq 4
	test "$(sed -n 1p ids)~2" = "$(sed -n 2p ids)"
	test "$(jq -r '.time // "-"' "$OUT" | tr '\n' ' ')" = \
		"2026-01-01T00:00:00Z 2026-01-01T00:00:00Z 2026-01-01T00:00:00Z 2026-02-02T00:00:00Z - - - 2026-02-02T00:00:00Z "
	# The same, whatever the registry: ids can be relied on.
	cp "$OUT" first
	echo '[]' >webhooks.json
	ev_map in
	same first "$OUT"
}

@test "a child's id stays within 255 bytes" {
	map_of '{name:"out",payload:{}}'
	printf '{"name":"in","id":"%s"}\n' "$(printf 'x%.0s' {1..255})" >in
	ev_map in
	want_code 0
	jq -r .id "$OUT" | grep -qE '^~[0-9a-f]{64}$'
}

@test "no registry is a set-up error, not an empty list" {
	map_of .
	run_prog ev-map -c catalog
	want_code 2
	grep -q EV_WEBHOOKS "$ERR"
}

@test "the shipped maps: every distinct value once, LEGACY and MANUAL none" {
	cat >webhooks.json <<-'END'
	[{"url":"http://a.example/","subscriptions":[],"attributes":{"serviceId":"s1","name":"n"}},
	 {"url":"http://b.example/","subscriptions":[],"attributes":{"serviceId":"s1","name":""}},
	 {"url":"http://c.example/","subscriptions":[],"attributes":{"serviceId":"s2"}},
	 {"url":"http://d.example/","subscriptions":[],"attributes":{"serviceId":"s3"},"disabled":true}]
	END
	for mode in AUTO MANUAL LEGACY; do
		printf '{"name":"profile:completed","payload":{"fiscalCode":"AAAAAA00A00A000A","servicePreferencesMode":"%s"}}\n' $mode
	done >in
	echo '{"name":"ping:all"}' >>in
	run_prog ev-map -w webhooks.json in
	want_code 0
	cat >want <<-'END'
	{"name":"service:subscribed","payload":{"serviceId":"s1","fiscalCode":"AAAAAA00A00A000A"}}
	{"name":"service:subscribed","payload":{"serviceId":"s2","fiscalCode":"AAAAAA00A00A000A"}}
	{"name":"ping","payload":{"name":"n"}}
	END
	same want "$OUT"
}

# run_away PROGRAM: it runs where the payload is "run"; the rest is mapped.
run_away() {
	map_of "if .payload == \"run\" then ($1) else {name:\"out\",payload:{of:.payload}} end"
	printf '%s\n' '{"name":"in","payload":1}' '{"name":"out","payload":{"of":2}}' \
		'{"name":"in","payload":"run"}' '{"name":"in","payload":4}' \
		'{"name":"out","payload":{"of":5}}' >in
	rm -f rejects
}

@test "a runaway map costs one event, not the stream; order is kept" {
	for program in 'def f: f; f' 'last(repeat(1))' '[range(1e9)]' \
		'reduce range(1e9) as $i (0; . + $i)' 'until(false; .)'; do
		run_away "$program"
		ev_map --timeout 100ms in
		want_code 1
		test "$(jq -c .payload.of "$OUT" | xargs)" = "1 2 4 5"
		test "$(jq -r '[.line, .reason] | @tsv' rejects)" = "3	map-timeout"
		grep -q 'line 3: map-timeout: map in.jq took more than 100 ms of processor time$' "$ERR"
	done
}

@test "a map that eats memory or breaks libjq costs one event" {
	[ -z "$EV_SAN" ] || skip "sanitizers have their own bounds"
	# Doubled each time; deeper than libjq's stack, than the process's.
	for program in 'def f: . + . | f; "x" | f' 'def f: 1 + f; f' \
		'reduce range(1e6) as $i (null; [.])'; do
		run_away "$program"
		ev_map --timeout 30 in
		want_code 1
		test "$(jq -c .payload.of "$OUT" | xargs)" = "1 2 4 5"
		test "$(jq -r '[.line, .reason] | @tsv' rejects)" = "3	map-failed"
		run ! grep -q core "$ERR"
	done
	test "$(wc -l <"$ERR")" -eq 1
}

@test "also where the death of a child is ignored" {
	run_away 'def f: f; f'
	run_prog env --ignore-signal=CHLD "$(command -v ev-map)" \
		-c catalog -w webhooks.json -r rejects --timeout 50ms in
	want_code 1
	test "$(jq -r '[.line, .reason] | @tsv' rejects)" = "3	map-timeout"
}

@test "many runaways in a row: each is one reject, the rest is mapped" {
	map_of 'if .payload % 10 == 3 then def f: f; f else {name:"out",payload:{of:.payload}} end'
	for n in {1..40}; do
		echo "{\"name\":\"in\",\"payload\":$n}"
	done >in
	ev_map --timeout 30ms in
	want_code 1
	jq .payload.of "$OUT" >got
	seq 40 | grep -v '3$' >want
	same want got
	jq -r 'select(.reason == "map-timeout").line' rejects >got
	seq 40 | grep '3$' >want
	same want got
}

@test "--timeout: however short, an event is mapped or rejected" {
	map_of '{name:"out",payload:{of:.payload,n:[range(20000)]|length}}'
	for n in {1..20}; do
		echo "{\"name\":\"in\",\"payload\":$n}"
	done >in
	ev_map --timeout 1ms in
	test "$CODE" -le 1
	{
		jq .payload.of "$OUT"
		if [ -e rejects ]; then
			jq 'select(.reason == "map-timeout") | .line' rejects
		fi
	} | sort -n >got
	seq 20 >want
	same want got
	for bad in 0 -1 2h x ''; do
		ev_map --timeout "$bad" in
		want_code 2
		grep -q -- --timeout "$ERR"
	done
}

# The worker of the ev-map with this id.
worker_of() {
	pgrep -P "$1"
}

@test "a worker: started when needed, without descriptors; killed, it costs nothing" {
	map_of '{name:"out",payload:{of:.payload}}'
	mkfifo fifo
	ev-map -c catalog -w webhooks.json -r rejects <fifo >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	exec 5>fifo
	echo '{"name":"out","payload":{"of":0}}' >&5
	wait_until grep -q '"of":0' out
	run ! worker_of "$pid"
	for n in 1 2 3; do
		echo "{\"name\":\"in\",\"payload\":$n}" >&5
		wait_until grep -q "\"of\":$n" out
		worker=$(worker_of "$pid")
		# Three are /dev/null, or stderr where a sanitizer reports; a socket.
		test "$(find "/proc/$worker/fd" -type l | wc -l)" -eq 4
		test "$(readlink "/proc/$worker/fd/1")" = /dev/null
		kill -9 "$worker"
	done
	exec 5>&-
	wait "$pid"
	test "$(wc -l <out)" -eq 4
	run ! test -s err
	run ! test -s rejects
}

@test "a worker in a circle dies with its program" {
	map_of 'def f: f; f'
	mkfifo fifo
	ev-map --timeout 1h -c catalog -w webhooks.json <fifo >out 2>err 3>&- 4>&- &
	pid=$!
	disown "$pid"
	EV_STARTED+=("$pid")
	exec 5>fifo
	echo '{"name":"in"}' >&5
	wait_until worker_of "$pid"
	worker=$(worker_of "$pid")
	EV_STARTED+=("$worker")
	kill -9 "$pid"
	wait_until gone "$worker"
	exec 5>&-
}

@test "mapped and public events keep their order, over many reads" {
	map_of '.payload as $p | range($p % 3) | {name:"out",payload:{of:$p}}'
	awk 'BEGIN { for (i = 0; i < 30000; i++)
		if (i % 7 == 0) printf "{\"name\":\"in\",\"payload\":%d}\n", i
		else printf "{\"name\":\"out\",\"payload\":{\"of\":%d}}\n", i }' >in
	awk 'BEGIN { for (i = 0; i < 30000; i++)
		for (k = 0; k < (i % 7 == 0 ? i % 3 : 1); k++) print i }' >want
	ev_map in
	want_code 0
	sed 's/.*"of":\([0-9]*\).*/\1/' "$OUT" >got
	same want got
}

@test "a line of some MB goes through a map" {
	map_of '{name:"out",payload:{of:(.payload|length)}}'
	{
		printf '{"name":"in","payload":"'
		head -c 3000000 /dev/zero | tr '\0' x
		echo '"}'
		echo '{"name":"in","payload":"ab"}'
	} >in
	ev_map in
	want_code 0
	test "$(jq .payload.of "$OUT" | xargs)" = "3000000 2"
}

@test "a barrier comes behind what its predecessors are mapped to" {
	map_of '{name:"out",payload:{of:.payload}}'
	{
		echo '{"barrier":"s.0"}'
		for n in {1..300}; do
			echo "{\"name\":\"in\",\"payload\":$n}"
			echo "{\"barrier\":\"s.$n\"}"
		done
	} >in
	ev_map in
	want_code 0
	jq -r 'if .barrier then .barrier else .payload.of end' "$OUT" >got
	{
		echo s.0
		for n in {1..300}; do
			printf '%s\ns.%s\n' "$n" "$n"
		done
	} >want
	same want got
}
