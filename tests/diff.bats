#!/usr/bin/env bats
# hook-admin diff: the same events through two registries.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	unset EV_WEBHOOKS
	three_webhooks 1 2 3 >a.json
}

# changed FILTER: b.json, what jq makes of a.json.
changed() {
	jq "$1" a.json >b.json
}

diff_of() {
	run_prog hook-admin diff a.json b.json "$@"
}

# What it says, a line a call.
said() {
	jq -r '"\(.line) \(.change) \(.webhook) \(.event) \(.name)" +
		if .differs then " " + (.differs | join(",")) else "" end' "$OUT"
}

@test "who gains, who loses, whose calls change" {
	cat >in <<-'END'
	{"name":"ping","id":"e1","payload":{"name":"wh1","x":1}}
	{"name":"ping","id":"e2","payload":{"name":"wh2"}}
	{"name":"service:subscribed","id":"e3","payload":{"serviceId":"aServiceId09876","fiscalCode":"AAAAAA00A00A000A"}}
	END
	changed '.[0].url = "http://x.example/" | .[0].headers = {"X-Key": "s3cret"}
		| .[1].disabled = true
		| .[2].attributes.other = "y"
		| .[3] = {id: "wh4", url: "http://y.example/", subscriptions: ["ping"], attributes: {name: "wh1"}}'
	diff_of in
	want_code 0
	[ ! -s "$ERR" ]
	cat >want <<-'END'
	1 changed wh1 e1 ping url,headers
	1 gained wh4 e1 ping
	2 lost wh2 e2 ping
	END
	said | same want -
	cp "$OUT" want
	jq -r .file want | sort -u | same - <(echo in)
	# The same from standard input, without the file.
	hook-admin diff a.json b.json <in >got
	jq -c 'del(.file)' want | same - got
	# The other way round.
	run_prog hook-admin diff b.json a.json in
	want_code 0
	cat >want <<-'END'
	1 changed wh1 e1 ping url,headers
	1 lost wh4 e1 ping
	2 gained wh2 e2 ping
	END
	said | same want -
	# SQLite registries as well.
	hook-admin -w a.db import a.json >ids
	hook-admin -w b.db import b.json >ids
	hook-admin diff b.db a.db in | same "$OUT" -
	# Nothing differs.
	run_prog hook-admin diff a.json a.db in
	want_code 0
	[ ! -s "$OUT" ]
}

@test "values are shown with -v alone" {
	echo '{"name":"ping","payload":{"name":"wh1","x":"private"}}' >in
	changed '.[0].headers = {"X-Key": "s3cret"} | .[0].url += "?token=t0ken"'
	diff_of in
	want_code 0
	[ "$(jq -c .differs "$OUT")" = '["url","headers"]' ]
	if grep -E 's3cret|private|t0ken' "$OUT" "$ERR"; then false; fi
	run_prog hook-admin -v diff a.json b.json in
	[ "$(jq -r '.b.headers["X-Key"]' "$OUT")" = s3cret ]
	[ "$(jq -c '.a.headers' "$OUT")" = '{}' ]
	[ "$(jq -r '.a.body.payload.x' "$OUT")" = private ]
}

@test "events are mapped with the webhooks of each" {
	echo '{"name":"ping:all","id":"e1"}' >in
	changed '.[0].attributes.name = "other"'
	diff_of in
	want_code 0
	[ "$(jq -r '"\(.change) \(.webhook) \(.name)"' "$OUT" | sort)" = \
		$'gained wh1 ping\nlost wh1 ping' ]
	[ "$(jq -r .event "$OUT" | sort -u | wc -l)" -eq 2 ]
	# Without ids of their own they are known by their text.
	echo '{"name":"ping:all"}' >in
	changed '.[0].description = "x"'
	diff_of in
	want_code 0
	[ ! -s "$OUT" ]
	changed 'del(.[1])'
	diff_of in
	[ "$(jq -r '"\(.change) \(.webhook) \(.event)"' "$OUT")" = \
		'lost wh2 null' ]
}

@test "filters and transforms count; values are compared, not spellings" {
	echo '{"name":"ping","id":"e1","payload":{"name":"wh1","n":1.0}}' >in
	changed '.[0].filter = ".payload.n < 1"'
	diff_of in
	[ "$(said)" = '1 lost wh1 e1 ping' ]
	changed '.[0].transform = "{name, payload: {n: 2}}"'
	diff_of in
	[ "$(said)" = '1 changed wh1 e1 ping body' ]
	changed '.[0].transform = "{name, payload: {n: 1}}"'
	diff_of in
	want_code 0
	[ ! -s "$OUT" ]
	changed '.[0].order = "/payload/n"'
	diff_of in
	[ "$(said)" = '1 changed wh1 e1 ping key' ]
	# One that fails: no call, and said.
	changed '.[0].filter = "error(.payload.name)"'
	diff_of in
	want_code 1
	[ "$(said)" = '1 lost wh1 e1 ping' ]
	grep -q "with 'b.json': webhook 'wh1': " "$ERR"
}

@test "bad events are rejected, the others compared; code 1" {
	{
		echo nonsense
		echo '{"name":"ping","id":"e2","payload":{"name":"wh1"}}'
		echo '{"name":"none"}'
		echo '{"name":"ping","payload":{}}'
	} >in
	changed 'del(.[0])'
	diff_of in
	want_code 1
	[ "$(said)" = '2 lost wh1 e2 ping' ]
	[ "$(wc -l <"$ERR")" -eq 3 ]
	echo '{"barrier":"s.0"}' >in
	diff_of in
	want_code 2
}

@test "wrong usage, registries that do not load: code 2" {
	run_prog hook-admin diff a.json </dev/null
	want_code 2
	run_prog hook-admin diff a.json none.json </dev/null
	want_code 2
	grep -q '^hook-admin: none.json: ' "$ERR"
	echo '[{"url":"ftp://x/","subscriptions":[]}]' >bad.json
	run_prog hook-admin diff bad.json a.json </dev/null
	want_code 2
	grep -q '^hook-admin: bad.json: entry 1: url: ' "$ERR"
	cp a.json b.json
	diff_of in.none
	want_code 2
}

@test "on a terminal: by webhook, by event" {
	needs_terminal
	cat >in <<-'END'
	{"name":"ping","payload":{"name":"wh1","x":1}}
	{"name":"ping","payload":{"name":"wh2"}}
	{"name":"ping","payload":{"name":"wh2"}}
	END
	changed 'del(.[1]) | .[0].url = "http://x.example/"'
	script -qec 'stty cols 80; hook-admin diff a.json b.json in' /dev/null \
		</dev/null | tr -d '\r' >shown
	cat >want <<-'END'
	WEBHOOK  CALLS A  CALLS B  GAINED  LOST  CHANGED
	wh1      1        1        0       0     1
	wh2      2        0        0       2     0

	EVENT  CALLS A  CALLS B  GAINED  LOST  CHANGED
	ping   3        1        0       2     1

	3 events: 0 calls gained, 2 lost, 1 changed; webhooks whose calls are the same: 0
	END
	sed 's/ *$//' shown | same want -
}

# routed REGISTRY: who is called for what, sorted.
routed() {
	ev-map -w "$1" in | ev-route -w "$1" | jq -c '[.webhook, .event, .body]' | sort
}

@test "what is gained and lost is what ev-map and ev-route give" {
	jq -nc 'range(200) | { id: "e\(.)" } + [
		{ name: "ping", payload: { name: "n\(. % 7)", i: . } },
		{ name: "ping:all" },
		{ name: "service:subscribed", payload: { serviceId: "s\(. % 5)",
		  fiscalCode: "AAAAAA00A00A000A" } },
		{ name: "profile:completed", payload: { fiscalCode: "AAAAAA00A00A000A",
		  servicePreferencesMode: "AUTO" } } ][. % 4]' >in
	local seed
	for seed in 1 2 3; do
		for r in a b; do
			jq -n --argjson s $seed --argjson k "$((${#r} + seed))" \
				--arg r $r '[range(40) | . as $i
				| (($i * 7919 + $s * 104729 + ($r | explode[0])
					* 15485863) % 1000003) as $x
				| { id: "w\(if $x % 3 == 0 then "\($r)" else "" end)\($i)",
				    url: "http://h\($i).example/",
				    subscriptions: (["ping", "service:subscribed"][$x % 2:]),
				    attributes: { name: "n\($x % 7)", serviceId: "s\($x % 5)" },
				    disabled: ($x % 11 == 0) }]' >$r.json
			routed $r.json >$r.calls
		done
		hook-admin -v diff a.json b.json in >got
		[ "$(wc -l <got)" -gt 100 ]
		for change in lost:a:-23 gained:b:-13; do
			IFS=: read -r what side columns <<<"$change"
			jq -c --arg c "$what" 'select(.change == $c)
				| [.webhook, .event, ('".$side"').body]' got | sort >told
			comm "$columns" a.calls b.calls | same - told
		done
		[ -z "$(jq 'select(.change == "changed")' got)" ]
	done
}
