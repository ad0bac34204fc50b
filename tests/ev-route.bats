#!/usr/bin/env bats
# ev-route: which webhooks, in which order, with which bytes.

bats_require_minimum_version 1.5.0
load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a call: registry order, all attribute members left out, ids" {
	cat >w.json <<-'END'
	[{"id":"two","url":"http://b.example/?k=1","subscriptions":"ping","attributes":{"name":"n","zone":"z"},"headers":{"X-A":"1"}},
	 {"id":"one","url":"http://a.example","subscriptions":["p*"],"attributes":{"name":"n"}}]
	END
	echo '{"name":"ping","id":"e-1","payload":{"name":"n","zone":"z","keep": [ 1.0 ]}}' >in
	run_prog ev-route -w w.json <in
	want_code 0
	cat >want <<-'END'
	{"url":"http://b.example/?k=1","headers":{"X-A":"1"},"webhook":"two","event":"e-1","name":"ping","body":{"name":"ping","payload":{"keep":[ 1.0 ]}}}
	{"url":"http://a.example/","headers":{},"webhook":"one","event":"e-1","name":"ping","body":{"name":"ping","payload":{"zone":"z","keep":[ 1.0 ]}}}
	END
	for w in two one; do
		printf '%s' "3:e-13:$w" | sha256sum | cut -c 1-32
	done >ids
	jq -r '.id[4:]' "$OUT" >got
	same ids got
	sed 's/"id":"msg_[0-9a-f]*",//' "$OUT" >got
	same want got
}

@test "without an event id a call has none: such events are all distinct" {
	echo '[{"id":"a","url":"http://a.example","subscriptions":["ping"],"attributes":{"name":"n"}}]' >w.json
	printf '%s\n' '{"name":"ping","payload":{"name":"n"}}' '{"name":"ping","payload":{"name":"n"}}' >in
	run_prog ev-route -w w.json <in
	want_code 0
	test "$(jq -c 'has("id") or has("event")' "$OUT" | sort | uniq -c | xargs)" = "2 false"
}

@test "non-public and unknown events are rejected, the others go on" {
	echo '[{"id":"a","url":"http://a.example","subscriptions":["*"],"attributes":{"name":"n"}}]' >w.json
	printf '%s\n' '{"name":"ping:all"}' '{"name":"nope"}' '{"name":"ping","payload":{"name":"n"}}' >in
	run_prog ev-route -w w.json -r rejects <in
	want_code 1
	test "$(wc -l <"$OUT")" -eq 1
	test "$(jq -r .reason rejects | xargs)" = "not-public unknown-event"
}

@test "one payload name twice: the last value at the first one's place" {
	echo '[{"id":"a","url":"http://a.example","subscriptions":["ping"],"attributes":{"name":"n"}}]' >w.json
	echo '{"name":"ping","payload":{"x":1,"name":"m","y":2,"x":3,"\u006eame":"n"}}' >in
	run_prog ev-route -w w.json <in
	want_code 0
	test "$(sed 's/.*"body"://; s/}$//' "$OUT")" = '{"name":"ping","payload":{"x":3,"y":2}}'
}

@test "a typed line comes out at once through validate, map and route" {
	echo '[{"id":"a","url":"http://a.example","subscriptions":["ping"],"attributes":{"name":"n"}}]' >w.json
	mkfifo in
	(ev-validate | ev-map -w w.json | ev-route -w w.json) <in >out 2>err 3>&- 4>&- &
	exec 5>in
	for n in 1 2 3; do
		echo '{"name":"ping","payload":{"name":"n"}}' >&5
		wait_until bash -c "test \$(wc -l <out) -eq $n"
	done
	exec 5>&-
	wait $!
	run ! test -s err
}

# hooks JSON…: a registry of these, each subscribed to "note", of catalog/.
hooks() {
	mkdir -p catalog
	echo '{"name":"note","public":true,"payload":true}' >catalog/note.json
	local i=0 hook
	for hook; do
		i=$((i + 1))
		jq -c --arg id "w$i" '{id: $id, url: "http://\($id).example/",
			subscriptions: ["note"]} + .' <<<"$hook"
	done | jq -cs . >w.new
	mv w.new w.json
}

route() {
	run_prog ev-route -c catalog -w w.json -r rejects "$@"
}

# Who is called for each event, a line each: "1 w1", of payload.n and webhook.
called() {
	jq -r '"\(.event) \(.webhook)"' "$OUT"
}

@test "filter: the first output decides; false, null and none mean no" {
	hooks '{"filter":"true"}' '{"filter":"false"}' '{"filter":"null"}' \
		'{"filter":"empty"}' '{"filter":"0"}' '{"filter":"\"\""}' \
		'{"filter":"false,true"}' '{"filter":"true,error"}' \
		'{"filter":"select(.payload.n == 1)"}' '{}' \
		'{"filter":"[.name, .id, .time, .payload.n, .x] == [\"note\", \"e\", \"2026-01-01T00:00:00Z\", 1, [2]]"}'
	echo '{"name":"note","id":"e","time":"2026-01-01T00:00:00Z","payload":{"n":1},"x":[2]}' >in
	route in
	want_code 0
	test "$(called | cut -d' ' -f2 | xargs)" = "w1 w5 w6 w8 w9 w10 w11"
	# What a filter does not ask for is as ever.
	jq -c .body "$OUT" | sort -u >got
	echo '{"name":"note","payload":{"n":1}}' >want
	same want got
}

@test "transform: a body, or headers and body; none: no call" {
	hooks '{"transform":".payload.n"}' '{"transform":"null"}' \
		'{"transform":"empty"}' '{"transform":"{body:{a:1}}"}' \
		'{"transform":"{headers:{\"X-N\":\"v\",B:\"2\"},body:[1]}","headers":{"A":"1"}}' \
		'{"transform":"{headers:{\"X-N\":\"v\"},body:\"s\"}"}' \
		'{"transform":"{headers:{},body:false}","headers":{"A":"1"}}' \
		'{"transform":"{headers:{a:1}}"}' '{"transform":"{body:1,other:2}"}' \
		'{"filter":"false","transform":"error"}' \
		'{"filter":".payload","transform":"\"a\\nb\""}'
	echo '{"name":"note","id":"e","payload":{"n":1}}' >in
	route in
	want_code 0
	jq -c '[.webhook, .headers, .body]' "$OUT" >got
	cat >want <<-'END'
	["w1",{},1]
	["w2",{},null]
	["w4",{},{"a":1}]
	["w5",{"A":"1","X-N":"v","B":"2"},[1]]
	["w6",{"X-N":"v"},"s"]
	["w7",{"A":"1"},false]
	["w8",{},{"headers":{"a":1}}]
	["w9",{},{"body":1,"other":2}]
	["w11",{},"a\nb"]
	END
	same want got
	test "$(jq -c 'select(.own_headers) | [.webhook, .own_headers]' "$OUT" | xargs)" = \
		'[w5,[X-N,B]] [w6,[X-N]]'
	test "$(jq -c '[.id != null, .event, .name] | unique' "$OUT" | sort -u)" = '[true,"e","note"]'
}

@test "one that fails is a reject that names the webhook; the others are called" {
	hooks '{}' '{"filter":".payload | error"}' '{"filter":"((("}' \
		'{"transform":".payload + 1"}' '{"transform":"1,2"}' '{"transform":"nope"}' \
		'{"transform":"{headers:1,body:1}"}' '{"transform":"{headers:{a:1},body:1}"}' \
		'{"transform":"{headers:{a:\"\"},body:1}"}' \
		'{"transform":"{headers:{(.payload.s):\"b\"},body:1}"}' \
		'{"transform":"{headers:{a:\"b\\nc\"},body:1}"}' \
		'{"transform":"{headers:{\"Content-Length\":\"1\"},body:1}"}' \
		'{"transform":"{headers:{\"Webhook-Id\":\"1\"},body:1}"}' \
		'{"transform":"{headers:{\"x-a\":\"1\"},body:1}","headers":{"X-A":"2"}}' \
		'{"filter":"halt"}' '{"filter":"$webhooks"}' '{}' \
		'{"transform":"{headers:{\"content-type\":\"text/plain\"},body:1}"}' \
		'{"transform":"{headers:([range(33)|{key:\"a\\(.)\",value:\"b\"}]|from_entries),body:1}"}'
	echo '{"name":"note","id":"e","payload":{"s":"private secret"}}' >in
	route in
	want_code 1
	test "$(called | xargs)" = "e w1 e w17"
	jq -r '[(.error | capture("^webhook .(?<w>w[0-9]+).: ").w), .reason] | @tsv' rejects >got
	cat >want <<-'END'
	w2	filter-failed
	w3	invalid-filter
	w4	transform-failed
	w5	invalid-transform
	w6	invalid-transform
	w7	invalid-transform
	w8	invalid-transform
	w9	invalid-transform
	w10	invalid-transform
	w11	invalid-transform
	w12	invalid-transform
	w13	invalid-transform
	w14	invalid-transform
	w15	filter-failed
	w16	invalid-filter
	w18	invalid-transform
	w19	invalid-transform
	END
	same want got
	run ! grep -q private "$ERR"
	jq -r .input rejects | sort -u >got
	same in got
}

@test "a runaway filter or transform: the others are called, in order" {
	hooks '{}' '{"filter":"def f: f; f"}' '{"transform":".payload.n"}' \
		'{"transform":"if .payload.n == 2 then last(repeat(1)) else 0 end"}' \
		'{"filter":"true","transform":"until(false; .)"}' '{}'
	for n in 1 2 3; do
		echo "{\"name\":\"note\",\"id\":\"$n\",\"payload\":{\"n\":$n}}"
	done >in
	route --timeout 100ms in
	want_code 1
	test "$(called | xargs)" = "1 w1 1 w3 1 w4 1 w6 2 w1 2 w3 2 w6 3 w1 3 w3 3 w4 3 w6"
	test "$(jq -r '[.line, .reason, .error[9:11]] | @tsv' rejects | tr '\t' ' ' | xargs)" = \
		"1 filter-timeout w2 1 transform-timeout w5 2 filter-timeout w2 2 transform-timeout w4 2 transform-timeout w5 3 filter-timeout w2 3 transform-timeout w5"
	grep -q "webhook 'w5': its filter or transform took more than 100 ms of processor time" "$ERR"
}

@test "a filter that eats memory, a worker that is killed" {
	[ -z "$EV_SAN" ] || skip "sanitizers have their own bounds"
	hooks '{"filter":"if .payload == 2 then \"x\" | def f: . + . | f; f else . end"}' '{}'
	mkfifo fifo
	ev-route --timeout 30 -c catalog -w w.json -r rejects <fifo >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	exec 5>fifo
	for n in 1 2 3; do
		echo "{\"name\":\"note\",\"id\":\"$n\",\"payload\":$n}" >&5
		wait_until grep -q "\"event\":\"$n\".*w2\|w2.*\"event\":\"$n\"" out
		kill -9 "$(pgrep -P "$pid")" || test "$n" -eq 2
	done
	exec 5>&-
	wait "$pid" || test $? -eq 1
	OUT=out
	test "$(called | xargs)" = "1 w1 1 w2 2 w2 3 w1 3 w2"
	test "$(jq -r .reason rejects)" = filter-failed
}

@test "a thousand webhooks share three filters; lines that ask nobody keep their place" {
	hooks '{}'
	jq -c '[range(1000) | {id: "w\(.)", url: "http://\(.).example/",
		subscriptions: ["note"], filter: ".payload.n % 3 == \(. % 3)",
		attributes: {k: (if . < 900 then "a" else "b" end)}}]
		+ [{id: "plain", url: "http://p.example/", subscriptions: ["note"],
		attributes: {k: "c"}}]' -n >w.json
	for n in {1..40}; do
		echo "{\"name\":\"note\",\"id\":\"$n\",\"payload\":{\"n\":$n,\"k\":\"$([ $((n % 4)) -eq 0 ] && echo c || echo b)\"}}"
	done >in
	route in
	want_code 0
	called >got
	for n in {1..40}; do
		if [ $((n % 4)) -eq 0 ]; then
			echo "$n plain"
		else
			for ((w = 900; w < 1000; w++)); do
				[ $((n % 3)) -ne $((w % 3)) ] || echo "$n w$w"
			done
		fi
	done >want
	same want got
}

@test "an event with more to ask than is held on the way" {
	hooks '{"filter":"true"}' '{}' '{"filter":"(.payload|length) > 5"}' \
		'{"transform":".payload|length"}'
	{
		echo '{"name":"note","id":"1","payload":"small"}'
		printf '{"name":"note","id":"2","payload":"'
		head -c 300000 /dev/zero | tr '\0' x
		echo '"}'
		echo '{"name":"note","id":"3","payload":"small"}'
	} >in
	route in
	want_code 0
	test "$(called | xargs)" = "1 w1 1 w2 1 w4 2 w1 2 w2 2 w3 2 w4 3 w1 3 w2 3 w4"
	test "$(jq 'select(.webhook == "w4").body' "$OUT" | xargs)" = "5 300000 5"
}

@test "numbers stay as they came, but in what a transform writes" {
	hooks '{"filter":".payload.n > 1"}' '{"transform":".payload"}'
	echo '{"name":"note","payload":{"n":12345678901234567890,"f":1.10}}' >in
	route in
	want_code 0
	jq -r .webhook "$OUT" | xargs | grep -qx 'w1 w2'
	grep -q '"webhook":"w1".*"n":12345678901234567890,"f":1.10' "$OUT"
	grep -q '"webhook":"w2".*"f":1.1}' "$OUT"
}

@test "programs of a registry that changed are the new ones, for lines after" {
	hooks '{"filter":".payload.n == 1"}' '{"transform":"1"}'
	mkfifo fifo
	ev-route -c catalog -w w.json <fifo >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	exec 5>fifo
	echo '{"name":"note","id":"1","payload":{"n":1}}' >&5
	wait_until grep -q w2 out
	hooks '{"filter":".payload.n == 2"}' '{"transform":"2"}'
	routed() {
		echo '{"name":"note","id":"2","payload":{"n":2}}' >&5
		grep -q '"webhook":"w1".*"n":2' out
	}
	wait_until routed
	exec 5>&-
	wait "$pid"
	grep -q '"webhook":"w2".*"body":2}' out
	run ! test -s err
}

@test "a registry that changes in the midst of a stream: each call is of one registry" {
	for x in A B; do
		hooks "{\"url\":\"http://$x.example/\",\"transform\":\"\\\"$x\\\"\",\"attributes\":{\"k\":\"v\"}}" \
			"{\"filter\":\"true\",\"url\":\"http://$x.example/\"}"
		mv w.json "$x.json"
	done
	cp A.json w.json
	seq 40000 | sed 's/.*/{"name":"note","id":"&","payload":{"k":"v"}}/' >in
	ev-route -c catalog -w w.json in >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	x=A
	while kill -0 "$pid" 2>/dev/null; do
		[ "$x" = A ] && x=B || x=A
		cp "$x.json" new && mv new w.json
		sleep 0.1
	done
	wait "$pid"
	jq -r '[.event, .webhook] | join(" ")' out >got
	seq 40000 | sed 's/.*/& w1\n& w2/' >want
	same want got
	jq -r 'select(.webhook == "w1") | (.url[7:8] | ascii_upcase) == .body' out | sort -u >got
	echo true >want
	same want got
	run ! test -s err
}

@test "a transform's headers are sent, and what the registry has by then wins" {
	start_sink
	hooks '{"headers":{"A":"1"},"transform":"{headers:{\"X-N\":(.payload|tostring),B:\"\u00e9\"},body:.payload}"}'
	jq --arg url "http://127.0.0.1:$SINK_PORT/" 'map(.url = $url)' w.json >new && mv new w.json
	echo '{"name":"note","id":"1","payload":7}' >in
	route in
	want_code 0
	cp "$OUT" call
	ev-deliver -w w.json --allow-net 127.0.0.0/8 call >results 2>err
	jq 'map(.headers = {"b": "own", "C": "2"})' w.json >new && mv new w.json
	ev-deliver -w w.json --allow-net 127.0.0.0/8 call >results 2>err
	wait_until test "$(wc -l <"$SINK_LOG")" -eq 2
	jq -c '[.headers | map({(.[0] | ascii_downcase): .[1]}) | add |
		.["x-n"], .a, .b, .c]' "$SINK_LOG" >got
	printf '%s\n' '["7","1","é",null]' '["7",null,"own","2"]' >want
	same want got
	# Not what the signature says, nor what the call does not have.
	for own in '"X"' '["webhook-id"]' '["nope"]' '[1]' "$(jq -nc '[range(33)|tostring]')"; do
		jq -c --argjson own "$own" '.own_headers = $own | .headers["webhook-id"] = "x"' call >forged
		run_prog ev-deliver -w w.json forged
		want_code 1
		grep -q 'invalid-call: /own_headers: ' "$ERR"
	done
}

@test "hook-admin takes programs that compile, shows them, and check names the rest" {
	hooks '{}'
	hook-admin -w r.db add --id a --url http://a.example/ --subscribe note \
		--filter '.payload.n > 1' --transform '{body: .payload}'
	for option in --filter --transform; do
		run_prog hook-admin -w r.db set a $option '((('
		want_code 2
		grep -q "webhook 'a': ${option#--}: syntax error" "$ERR"
		run_prog hook-admin -w r.db add --url http://b.example/ --subscribe note \
			$option 'nope'
		want_code 2
		grep -q 'nope/0 is not defined' "$ERR"
	done
	run_prog hook-admin -w r.db list
	want_code 0
	test "$(jq -c '[.filter, .transform]' "$OUT")" = '[".payload.n > 1","{body: .payload}"]'
	run_prog hook-admin -w r.db set a --filter '' --transform .name
	want_code 0
	run_prog hook-admin -w r.db list
	test "$(jq -c '[.filter, .transform]' "$OUT")" = '[null,".name"]'
	hooks '{}' '{"filter":"((("}' '{"disabled":true,"transform":"nope"}' '{"filter":".a"}'
	run_prog hook-admin -c catalog -w w.json check
	want_code 2
	test "$(grep -c "w.json: webhook 'w[23]': " "$ERR")" -eq 2
	test "$(wc -l <"$ERR")" -eq 2
	echo 'def secret: 1;' >.jq
	HOME=$PWD run_prog hook-admin -w r.db set a --filter 'secret'
	want_code 2
}

@test "--explain: for each webhook match, or the first test that failed, with both values" {
	mkdir catalog
	echo '{"name":"note","public":true,"payload":true,"required_attributes":["k"]}' >catalog/note.json
	jq -nc '[
		{subscriptions: ["note"], attributes: {k: "x"}},
		{subscriptions: ["note"], attributes: {k: "x"}, disabled: true},
		{subscriptions: ["no", "nota*"], attributes: {k: "x"}},
		{subscriptions: ["note"], attributes: {zone: "z"}},
		{subscriptions: ["n*"], attributes: {k: ""}},
		{subscriptions: ["note"], attributes: {k: "x", zone: "z"}},
		{subscriptions: ["note"], attributes: {k: "\u0001\""}},
		{subscriptions: ["note"], attributes: {k: "x"}, filter: ".payload.n > 1"},
		{subscriptions: ["note"], attributes: {k: "x"}, filter: "empty"},
		{subscriptions: ["note"], attributes: {k: "x"}, transform: "empty"},
		{subscriptions: ["note"], attributes: {k: "x"}, filter: "error"},
		{subscriptions: ["note"], attributes: {k: "x"}, transform: "(("},
		{subscriptions: ["note"], attributes: {k: "x"}, transform: "1", filter: "1"},
		{subscriptions: ["note"], attributes: {k: "x"}, headers: {A: "1"}, transform: "{headers: {a: \"2\"}, body: 1}"}
	] | to_entries | map({id: "w\(.key)", url: "http://h\(.key).example/"} + .value)' >w.json
	echo '{"id":"\u0065","name":"note","payload":{"k":"x","zone": [1.0],"n":1}}' >in
	route --explain in
	want_code 0
	cat >want <<-'END'
	["w0","match",null,null,null]
	["w1","disabled",null,null,null]
	["w2","subscription",null,["no","nota*"],"note"]
	["w3","required-attribute","k",null,null]
	["w4","required-attribute","k","",null]
	["w5","attribute","zone","z",[1.0]]
	["w6","attribute","k","\u0001\"","x"]
	["w7","filter",null,".payload.n > 1",false]
	["w8","filter",null,"empty",null]
	["w9","transform",null,"empty",null]
	["w10","filter-failed",null,null,null]
	["w11","invalid-transform",null,null,null]
	["w12","match",null,null,null]
	["w13","invalid-transform",null,null,null]
	END
	jq -c '[.webhook, .verdict, .attribute, .wants, .has]' "$OUT" | sed 's/\[1\]/[1.0]/' >got
	same want got
	grep -q '"has":\[1.0\]' "$OUT"
	test "$(jq -c '[.file, .line, .event, .name] | tostring' "$OUT" | sort -u)" = \
		'"[\"in\",1,\"e\",\"note\"]"'
	# The same webhooks are called.
	jq -r 'select(.verdict == "match").webhook' "$OUT" >want
	route in
	want_code 1
	jq -r .webhook "$OUT" >got
	same want got
}

@test "--explain on a terminal is a text for people" {
	needs_terminal
	command -v script >/dev/null || skip "no script(1)"
	hooks '{"filter":"false"}' '{}'
	printf '%s\n' '{"name":"note","id":"e1"}' >in
	script -qec "ev-route -c catalog -w w.json --explain in" /dev/null | tr -d '\r' >got
	cat >want <<-'END'
	line 1: note e1: 1 of 2 webhooks
	  w1  filter: wants "false", has false
	  w2  match
	END
	same want got
}

@test "--unmatched: what nobody wants, in its bytes; rejects are no such" {
	hooks '{"filter":".payload.n > 1"}' '{"filter":"if .payload.n == 0 then error else empty end"}'
	printf '%s\n' '{ "name":"note","payload":{"n":1.0}}' '{"name":"note","payload":{"n":2}}' \
		'{"name":"note","payload":{"n":0}}' '{"name":"nope"}' '{"name":"note"' \
		'"{\"name\":\"note\"}"' >in
	for explain in '' --explain; do
		rm -f unmatched
		route --unmatched unmatched $explain in
		want_code 1
		sed -n '1p;6p' in >want
		same want unmatched
	done
	test "$(stat -c %a unmatched)" = 600
	# It is valid input again, and appended to.
	run_prog ev-route -c catalog -w w.json --unmatched unmatched - <want
	want_code 0
	test "$(wc -l <unmatched)" -eq 4
	run_prog ev-route -c catalog -w w.json --unmatched no/dir in
	want_code 2
	grep -q "cannot open the unmatched file 'no/dir'" "$ERR"
	run_prog ev-route -c catalog -w w.json --unmatched /dev/full in
	want_code 3
	grep -q 'cannot write the unmatched file' "$ERR"
}

@test "a barrier comes when unmatched events are on disk" {
	[ -z "$EV_SAN" ] || skip "the leak checker and strace exclude each other"
	command -v strace >/dev/null || skip "no strace"
	hooks '{"filter":"false"}'
	printf '%s\n' '{"barrier":"s.0"}' '{"name":"note"}' '{"barrier":"s.1"}' '{"barrier":"s.2"}' >in
	strace -o trace -e trace=write,fsync,fdatasync "$(command -v ev-route)" \
		-c catalog -w w.json -r rejects --unmatched unmatched in >out
	grep barrier in >want
	same want out
	# Written, synced with its folder, and only then the barrier.
	grep -nE 'write\([0-9]+, "\{\\"name|fsync' trace | cut -d: -f2 | cut -d'(' -f1 | xargs >got
	grep -q '^write fsync fsync' got
}
