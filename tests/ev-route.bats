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
