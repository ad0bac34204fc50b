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
