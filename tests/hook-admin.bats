#!/usr/bin/env bats
# hook-admin: each command by its whole output, stderr and exit code.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_WEBHOOKS=$BATS_TEST_TMPDIR/webhooks.db
	A='{"id":"a","url":"http://a.example/","subscriptions":["ping"],"attributes":{"name":"one"}}'
	B='{"id":"b","url":"http://b.example/","subscriptions":["ping"],"attributes":{"name":"two"}}'
}

# want_out TEXT / want_err TEXT: of run_prog, whole.
want_out() {
	printf '%s' "$1" | diff -u - "$OUT"
}

want_err() {
	printf '%s' "$1" | diff -u - "$ERR"
}

admin() {
	run_prog hook-admin "$@"
}

two() {
	printf '%s\n%s\n' "$A" "$B" | hook-admin add - >/dev/null
}

@test "the usage, the version and wrong usage" {
	admin -h
	want_code 0
	head -n 1 "$OUT" | grep -q '^usage: hook-admin '
	want_err ''
	admin
	want_code 2
	want_out ''
	admin frobnicate
	want_code 2
	want_err "hook-admin: unknown command 'frobnicate'; see hook-admin -h"$'\n'
	admin list extra
	want_code 2
	want_err 'hook-admin: list: too many operands; see hook-admin -h'$'\n'
	admin show
	want_code 2
	admin list --markdown
	want_code 2
	want_err 'hook-admin: list: takes no --markdown; see hook-admin -h'$'\n'
	unset EV_WEBHOOKS
	admin list
	want_code 2
	want_err 'hook-admin: no registry: give one with -w or EV_WEBHOOKS'$'\n'
}

@test "add makes the registry and an id, list shows it" {
	admin add --url HTTP://A.example --subscribe 'ping, service:subscribed' \
		--attribute name=one --attribute empty= --header 'X-Key:  v: w ' \
		--description 'first one' --timeout 2500ms --concurrency 4 \
		--retry network --disabled
	want_code 0
	want_out wh_217fbabc0e7a$'\n'
	want_err ''
	admin list
	want_code 0
	want_out '{"id":"wh_217fbabc0e7a","url":"http://a.example/","description":"first one","subscriptions":["ping","service:subscribed"],"attributes":{"name":"one","empty":""},"headers":{"X-Key":"v: w"},"disabled":true,"timeout":2.5,"concurrency":4,"retry":"network"}'$'\n'
	[ "$(sqlite3 "$EV_WEBHOOKS" 'PRAGMA application_id')" = 1163284562 ]
	[ "$(sqlite3 "$EV_WEBHOOKS" 'PRAGMA user_version')" = 1 ]
	[ "$(sqlite3 "$EV_WEBHOOKS" 'PRAGMA journal_mode')" = delete ]
}

@test "add refuses what would not load, and leaves no trace" {
	admin add --url ftp://a.example --subscribe ping
	want_code 2
	want_err 'hook-admin: add: url: scheme is not http or https'$'\n'
	admin add --url http://a.example --subscribe ping --header 'Connection: x'
	want_code 2
	admin add --url http://a.example
	want_code 2
	admin add --url http://a.example --subscribe ping --attribute name
	want_code 2
	admin add --url http://a.example --subscribe ping --timeout soon
	want_code 2
	admin add --url http://a.example --subscribe ping --concurrency 0
	want_code 2
	admin add --url http://a.example --subscribe ping --retry never
	want_code 2
	admin add --url http://a.example --subscribe ping --id 'a b'
	want_code 2
	admin add --url http://a.example --subscribe ' , '
	want_code 2
	want_err 'hook-admin: --subscribe: names no event; see hook-admin -h'$'\n'
	admin add --url http://a.example --subscribe ping --header 'Key=hunter2'
	want_code 2
	want_err "hook-admin: --header: not like 'Name: value'; see hook-admin -h"$'\n'
	[ ! -e "$EV_WEBHOOKS" ]
}

@test "an id that is taken is refused" {
	two
	admin add --id a --url http://c.example --subscribe ping
	want_code 2
	want_err "hook-admin: there is a webhook 'a' already: change it with 'set'"$'\n'
	hook-admin add --url http://c.example --subscribe ping >/dev/null
	admin add --url http://c.example --subscribe ping
	want_code 2
	grep -Eqx "hook-admin: there is a webhook 'wh_[0-9a-f]{12}' already: its url is the same; give this one an --id of its own" "$ERR"
	[ "$(hook-admin list | wc -l)" -eq 3 ]
}

@test "set changes what it names and nothing else" {
	two
	admin set a --url http://c.example/x --subscribe new,ping --unsubscribe ping \
		--attribute zone=z --remove-attribute name --header 'A: 1' \
		--timeout 1m --concurrency 2 --retry failures --description d
	want_code 0
	want_out ''
	admin show a
	want_out '{"id":"a","url":"http://c.example/x","description":"d","subscriptions":["new"],"attributes":{"zone":"z"},"headers":{"A":"1"},"timeout":60,"concurrency":2,"retry":"failures"}'$'\n'
	admin set a --header 'a: 2' --timeout default --concurrency default \
		--retry default --description ''
	want_code 0
	admin show a
	want_out '{"id":"a","url":"http://c.example/x","subscriptions":["new"],"attributes":{"zone":"z"},"headers":{"a":"2"}}'$'\n'
	admin set a --remove-header A
	want_code 0
	admin list
	want_out '{"id":"a","url":"http://c.example/x","subscriptions":["new"],"attributes":{"zone":"z"}}'$'\n'"$B"$'\n'
}

@test "set refuses what would not load" {
	two
	hook-admin list >before
	admin set a --url http://u:p@a.example/
	want_code 2
	want_err 'hook-admin: set: url: has a user name or password'$'\n'
	admin set a --remove-attribute none
	want_code 2
	want_err "hook-admin: there is no attribute 'none'; see hook-admin show"$'\n'
	admin set a --unsubscribe none
	want_code 2
	admin set a --id c
	want_code 2
	admin set none --url http://c.example
	want_code 2
	want_err "hook-admin: no webhook 'none'; see hook-admin list"$'\n'
	admin set a
	want_code 2
	hook-admin list | cmp before -
}

@test "enable, disable and remove: all the ids or none" {
	two
	admin disable a b
	want_code 0
	[ "$(hook-admin list | grep -c '"disabled":true')" -eq 2 ]
	admin enable a none b
	want_code 2
	want_err "hook-admin: no webhook 'none'; see hook-admin list"$'\n'
	[ "$(hook-admin list | grep -c '"disabled":true')" -eq 2 ]
	admin enable a b
	want_code 0
	admin list
	want_out "$A"$'\n'"$B"$'\n'
	admin remove none a
	want_code 2
	[ "$(hook-admin list | wc -l)" -eq 2 ]
	admin remove a
	want_code 0
	admin list
	want_out "$B"$'\n'
}

@test "export and import are inverse, in every form" {
	two
	hook-admin export >all.json
	printf '[\n%s,\n%s\n]\n' "$A" "$B" | cmp - all.json
	hook-admin list >all.ndjson
	for form in all.json all.ndjson webhooks.db; do
		rm -f copy.db
		admin -w copy.db import "$form"
		want_code 0
		hook-admin -w copy.db export | cmp all.json -
	done
	hook-admin export | hook-admin -w stdin.db import -
	hook-admin -w stdin.db export | cmp all.json -
	admin -w none.json export
	want_code 2
	echo '[]' >none.json
	admin -w none.json export
	want_code 0
	want_out '[]'$'\n'
}

@test "import keeps places, adds at the end, and replaces when told to" {
	two
	c='{"id":"c","url":"http://c.example/","subscriptions":[]}'
	a2='{"id":"a","url":"http://new.example/","subscriptions":[]}'
	printf '%s\n%s\n' "$c" "$a2" >new
	admin -v import new
	want_code 0
	want_err 'hook-admin: 2 webhooks: 1 new, 1 known before'$'\n'
	admin list
	want_out "$a2"$'\n'"$B"$'\n'"$c"$'\n'
	admin import --replace new
	want_code 0
	admin list
	want_out "$c"$'\n'"$a2"$'\n'
}

@test "import: every bad entry is named, and nothing is taken" {
	two
	hook-admin export >before
	echo '[{"id":"x","url":"http://x.example","subscriptions":[]},{"url":1},7,
		{"id":"x","url":"http://x.example","subscriptions":"a"}]' >bad.json
	admin import bad.json
	want_code 2
	want_out ''
	want_err 'hook-admin: bad.json: entry 2: url: not a string; subscriptions: missing
hook-admin: bad.json: entry 3: not an object
'
	admin import --replace - <<<'[{"id":"x","url":"http://x/","subscriptions":[]},{"id":"x","url":"http://x/","subscriptions":[]}]'
	want_code 2
	want_err 'hook-admin: stdin: entry 2: id: the same as that of entry 1'$'\n'
	admin import - <<<'[{"url":"http://x/","subscriptions":[],"secret":"s"}]'
	want_code 2
	want_err 'hook-admin: stdin: entry 1: secret: belongs in the secrets file: hook-admin secret import'$'\n'
	admin import nowhere
	want_code 2
	hook-admin export | cmp before -
}

@test "import: lines may be blank, an object may have several, a fault tells which" {
	printf '\n%s\r\n\n \n%s\n\n' "$A" "$B" | hook-admin import -
	hook-admin list >before
	printf '%s\n%s\n' "$A" "$B" | cmp - before
	jq . <<<"$A" | hook-admin import -
	hook-admin list | cmp before -
	printf '%s\n\n{"id":"c"\n%s\n' "$A" "$B" >lines
	admin import lines
	want_code 2
	want_err "hook-admin: lines: byte 1 of line 4: expected a member's name"$'\n'
	printf '{"id": "c",\n "url": "http://c",\n}\n' >lines
	admin import lines
	want_code 2
	want_err "hook-admin: lines: byte 1 of line 3: expected a member's name"$'\n'
	hook-admin list | cmp before -
}

@test "import warns of members that mean nothing" {
	admin import - <<<'[{"url":"http://x/","subscriptions":[],"colour":"red"}]'
	want_code 0
	want_err "hook-admin: stdin: entry 1: unknown member 'colour' is ignored"$'\n'
}

@test "a JSON registry is read but not written" {
	printf '[%s]' "$A" >webhooks.json
	cp webhooks.json before
	admin -w webhooks.json list
	want_code 0
	want_out "$A"$'\n'
	for args in "add --url http://x/ --subscribe ping" "set a --timeout 1" \
		"disable a" "remove a" "import before"; do
		# shellcheck disable=SC2086
		admin -w webhooks.json $args
		want_code 2
		grep -q "hook-admin -w NEW import FILE" "$ERR"
	done
	cmp before webhooks.json
}

@test "show: an unknown id is said, the others are shown" {
	two
	admin show b none a
	want_code 2
	want_out "$B"$'\n'"$A"$'\n'
	want_err "hook-admin: no webhook 'none'; see hook-admin list"$'\n'
}

@test "a terminal gets a table that fits" {
	needs_terminal
	two
	hook-admin add --id c --url "http://c.example/$(printf 'x%.0s' {1..200})" \
		--subscribe ping --disabled >/dev/null
	script -qec "COLUMNS=60 hook-admin list" /dev/null </dev/null |
		tr -d '\r' >table
	[ "$(wc -l <table)" -eq 4 ]
	grep -Eq '^ID +STATE +URL' table
	grep -Eq '^c +off +http://c.example/x+… +ping$' table
	[ "$(wc -L <table)" -le 60 ]
	script -qec "hook-admin --json list" /dev/null </dev/null |
		tr -d '\r' | head -n 1 >json
	echo "$A" | cmp - json
}

@test "ping prints an event for each webhook that would get it" {
	two
	admin ping b a
	want_code 0
	want_out '{"name":"ping","payload":{"name":"two"}}
{"name":"ping","payload":{"name":"one"}}
'
	hook-admin disable a
	hook-admin set b --remove-attribute name
	hook-admin add --id c --url http://c/ --subscribe other --attribute name=x \
		>/dev/null
	hook-admin add --id d --url http://d/ --subscribe 'pi*' \
		--attribute 'name="q"' >/dev/null
	admin ping a b c d
	want_code 1
	want_out '{"name":"ping","payload":{"name":"\"q\""}}'$'\n'
	want_err "hook-admin: webhook 'a' is disabled
hook-admin: webhook 'b' is without an attribute 'name', by which a ping finds it
hook-admin: webhook 'c' is not subscribed to 'ping'
"
	admin ping --all
	want_code 0
	want_out '{"name":"ping:all"}'$'\n'
	admin ping
	want_code 2
	admin ping --all a
	want_code 2
}

@test "events: the tables of the original, made from the catalog" {
	admin events --markdown
	want_code 0
	cat >want <<'END'
## Public Events

List of all Public Events emitted to registered webhooks

| Event | Payload | Description | Required attributes |
| --- | --- | --- | --- |
| `ping` | `name`: the name of the webhook to be pinged | Just a ping on a registered webhook, used for testing the system. This event is used mainly for testing purposes. | `name` |
| `service:subscribed` | `serviceId`, `fiscalCode` | Emitted when a Citizen subscribes to a Service | `serviceId` |

## NonPublic Events

List of all Non-Public Events received by the application. These are the events that are accepted by the dispatcher, but will be then re-mapped into public events.

| Event | Payload | Description | Required attributes |
| --- | --- | --- | --- |
| `ping:all` | - | Just a ping on ALL registered webhooks, used for testing the system. This event is used mainly for testing purposes. | - |
| `profile:completed` | `fiscalCode`, `servicePreferencesMode` | When a Citizen completes their onboarding process on IO. This may emit service:subscribed for every registered downstream services | - |
| `profile:service-preferences-changed` | `fiscalCode`, `servicePreferencesMode`, `oldServicePreferencesMode` | When a Citizen changes how they want to handle Service subscriptions. This may emit service:subscribed for every registered downstream services | - |
END
	same want "$OUT"
}

@test "events: a record each when piped" {
	admin events
	want_code 0
	jq -r '[.name, .public, (.required_attributes | join(" ")), .map // "-"] |
		@tsv' "$OUT" | tr '\t' '|' >got
	cat >want <<'END'
ping|true|name|-
ping:all|false||ping-all.jq
profile:completed|false||profile.jq
profile:service-preferences-changed|false||profile.jq
service:subscribed|true|serviceId|-
END
	same want got
	admin events --json --markdown
	want_code 2
}

@test "check: the shipped catalog and a good registry are in order" {
	unset EV_WEBHOOKS
	admin -v check
	want_code 0
	want_err 'hook-admin: 5 events and 0 webhooks are in order'$'\n'
	three_webhooks 1 2 3 >three.json
	admin -w three.json check
	want_code 0
	want_out ''
	want_err "$(for i in 1 2 3; do
		echo "hook-admin: webhook 'wh$i': ev-deliver would refuse it:" \
			"127.0.0.1 is loopback (127.0.0.0/8); --allow-net" \
			'127.0.0.1/32 would let it through'
	done)"$'\n'
	sed 's/127.0.0.1/hook.example/' three.json >names.json
	admin -w names.json check
	want_code 0
	want_err ''
}

@test "check: subscriptions that can't match, attributes that are missing" {
	echo '[{"id":"a","url":"http://a/","subscriptions":["pong","ping:all","s*","x*"],"extra":1},
		{"id":"b","url":"http://b/","subscriptions":["ping"]}]' >w.json
	admin -w w.json check
	want_code 2
	want_err "hook-admin: w.json: entry 1: unknown member 'extra' is ignored
hook-admin: webhook 'a': subscribed to 'pong', which is no event of the catalog; did you mean 'ping'?
hook-admin: webhook 'a': subscribed to 'ping:all', which is not public
hook-admin: webhook 'a': subscribed to 'x*', which is no event of the catalog
hook-admin: webhook 'a': never called for 'service:subscribed': it has no attribute 'serviceId'
hook-admin: webhook 'b': never called for 'ping': it has no attribute 'name'
"
}

@test "check: bad schemas, maps and examples" {
	mkdir c
	event() { # FILE NAME PUBLIC PAYLOAD MORE
		echo "{\"name\":\"$2\",\"public\":$3,\"description\":\"\",\"payload\":$4$5}" >"c/$1"
	}
	event good.json good true '{"type":"object","required":["k"]}' \
		',"examples":[{"name":"good","payload":{"k":1}}]'
	event a.json a true '{"type":"object"}' \
		',"examples":[{"name":"a","payload":1},{"name":"good","payload":{"k":1}},7]'
	event b.json b false true ',"map":"b.jq","examples":[{"name":"b"}]'
	event d.json d false true ',"map":"d.jq","examples":[{"name":"d"}]'
	event e.json e false true ',"map":"none.jq"'
	echo '{name: "good", payload: {}}' >c/b.jq
	echo '{name: ' >c/d.jq
	unset EV_WEBHOOKS
	admin -c c check
	want_code 2
	cat "$ERR"
	[ "$(grep -c '^hook-admin: a.json: example [123]: ' "$ERR")" -eq 3 ]
	grep -q '^hook-admin: b.json: example 1: map b.jq gave no valid event: ' "$ERR"
	grep -q '^hook-admin: d.json: map d.jq: ' "$ERR"
	grep -q '^hook-admin: e.json: map none.jq: cannot open: ' "$ERR"
	[ "$(grep -c good.json "$ERR")" -eq 0 ]
	event good.json good true '{"tpye":"object"}' ''
	admin -c c check
	want_code 2
	grep -q '^hook-admin: catalog: good.json: payload: ' "$ERR"
}

@test "check: a FIFO in the catalog is a fault, and waited for by nobody" {
	unset EV_WEBHOOKS
	mkdir c
	cp "$EV_CATALOG"/* c
	mkfifo c/x.json c/y.schema.json
	admin -c c check
	want_code 2
	grep -qx 'hook-admin: catalog: x.json: a FIFO, not a file' "$ERR"
	grep -qx 'hook-admin: catalog: y.schema.json: a FIFO, not a file' "$ERR"
	rm c/x.json c/y.schema.json c/ping-all.jq
	mkfifo c/ping-all.jq
	admin -c c check
	want_code 2
	grep -q '^hook-admin: ping-all.json: map ping-all.jq: a FIFO' "$ERR"
}

@test "files that are no registry are refused with the reason" {
	sqlite3 other.db 'CREATE TABLE t(x)'
	admin -w other.db list
	want_code 2
	want_err 'hook-admin: other.db: an SQLite file, but not a registry'$'\n'
	admin -w other.db add --url http://x/ --subscribe y
	want_code 2
	two
	sqlite3 "$EV_WEBHOOKS" 'PRAGMA user_version = 2'
	admin list
	want_code 2
	grep -q 'written by a newer version of evpipe' "$ERR"
	admin remove a
	want_code 2
	echo nonsense >text
	admin -w text list
	want_code 2
	grep -Eqx 'hook-admin: text: byte [0-9]+ of line 1: .+' "$ERR"
	admin -w none list
	want_code 2
	want_err 'hook-admin: none: No such file or directory'$'\n'
	admin -w . list
	want_code 2
}

@test "the place of a fault in a JSON file is told by its line" {
	printf '[\n {"url": "http://a",\n  "subscriptions": ["ping"],},\n]\n' >w.json
	admin -w w.json list
	want_code 2
	want_err "hook-admin: w.json: byte 29 of line 3: expected a member's name"$'\n'
}

@test "what is no file is not opened to write, nor waited for" {
	mkfifo pipe
	for command in 'add --url http://a --subscribe ping' 'disable a'; do
		# shellcheck disable=SC2086
		admin -w pipe $command
		want_code 2
		want_err 'hook-admin: pipe: not a regular file'$'\n'
	done
	admin -w none/w.db add --url http://a --subscribe ping
	want_code 2
	want_err 'hook-admin: none/w.db: No such file or directory'$'\n'
}

@test "names that mean something else to SQLite are names of files" {
	for name in :memory: 'file:x.db?mode=memory'; do
		admin -w "$name" add --id a --url http://a --subscribe ping
		want_code 0
		[ -s "$name" ]
		[ "$(hook-admin -w "$name" list | jq -r .id)" = a ]
	done
}

# by_hand SQL: a registry that hook-admin did not make.
by_hand() {
	rm -f "$EV_WEBHOOKS"
	sqlite3 "$EV_WEBHOOKS" 'PRAGMA application_id = 1163284562' \
		'PRAGMA user_version = 1' "$1"
}

@test "an SQLite file that others wrote runs nothing and is not made worse" {
	local table='CREATE TABLE webhook(position INTEGER PRIMARY KEY,
		id TEXT UNIQUE, config)'

	by_hand "CREATE VIEW webhook AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL
		SELECT x + 1 FROM c) SELECT x AS position, '{}' AS config FROM c"
	admin list
	want_code 2
	want_err "hook-admin: $EV_WEBHOOKS: has views or triggers, which are not of hook-admin's making"$'\n'
	by_hand "$table; CREATE TRIGGER t BEFORE INSERT ON webhook BEGIN
		SELECT RAISE(IGNORE); END"
	admin add --id a --url http://a --subscribe ping
	want_code 2
	want_out ''
	by_hand "$table; INSERT INTO webhook VALUES(1, 'a', NULL)"
	admin list
	want_code 2
	want_err "hook-admin: $EV_WEBHOOKS: entry 1: not an object"$'\n'
	by_hand "$table; INSERT INTO webhook VALUES(1, 'a', '$A'),
		(2, 'c', '$B')"
	hook-admin list >before
	for command in 'set b --description x' 'remove b' 'disable a'; do
		# shellcheck disable=SC2086
		admin $command
		want_code 2
		grep -q '1 rows have another id in their column' "$ERR"
	done
	hook-admin list | cmp before -
	hook-admin export | hook-admin -w new.db import -
	admin -w new.db remove b
	want_code 0
}

@test "import: an SQLite file has to be named" {
	two
	run_prog hook-admin -w new.db import - <"$EV_WEBHOOKS"
	want_code 2
	want_err 'hook-admin: stdin: an SQLite file, which is read by its name alone'$'\n'
	admin -w new.db import .
	want_code 2
	want_err "hook-admin: cannot read '.': Is a directory"$'\n'
	[ ! -e new.db ]
}

@test "a full disk behind the registry: nothing is changed, no id is told" {
	two
	hook-admin list >before
	printf '{"id":"c","url":"http://c","subscriptions":["ping"],"description":"%0100000d"}' 0 >large.json
	run_prog bash -c 'ulimit -f 16; hook-admin add - <large.json'
	want_code 3
	want_out ''
	grep -q "^hook-admin: $EV_WEBHOOKS: " "$ERR"
	hook-admin list | cmp before -
}

@test "control characters reach no terminal" {
	needs_terminal
	hook-admin add --id a --url http://a --subscribe ping >/dev/null
	admin show $'\e[31mred\u009b32m\xff'
	want_err "hook-admin: no webhook '\\x1b[31mred\\xc2\\x9b32m\\xff'; see hook-admin list"$'\n'
	hook-admin set a --description $'\e[31mred\u009b32m'
	COLUMNS=80 script -qc 'hook-admin show a' /dev/null </dev/null >shown
	grep -qF 'description    \x1b[31mred\xc2\x9b32m' shown
	mkdir catalog
	printf '{"name":"e","public":true,"description":"\\u001b[31m \\u009b32m |","payload":{}}' >catalog/e.json
	hook-admin -c catalog events --markdown >tables
	grep -qF ' [31m  32m \|' tables
	run grep -P '[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]' tables
	[ "$status" -eq 1 ]
}

@test "a full disk is exit 3" {
	two
	for command in list export events 'ping a'; do
		# shellcheck disable=SC2086
		run_prog bash -c "hook-admin $command >/dev/full"
		want_code 3
	done
}

@test "writers at the same time lose nothing" {
	for i in $(seq 1 12); do
		hook-admin add --id "w$i" --url "http://w$i.example" \
			--subscribe ping >/dev/null 3>&- 4>&- &
	done
	wait
	[ "$(hook-admin list | wc -l)" -eq 12 ]
	[ "$(sqlite3 "$EV_WEBHOOKS" 'PRAGMA integrity_check')" = ok ]
}

@test "killed at any time, an import is there as a whole or not at all" {
	two
	jq -nc '[range(20000) | {id: "w\(.)", url: "http://host\(.).example/in",
		subscriptions: ["ping"]}]' >many.json
	for ms in 010 030 060 090 120 150 180 210 250 300 400; do
		timeout -s KILL "0.$ms" hook-admin import --replace many.json || true
		n=$(hook-admin list | wc -l)
		[ "$n" -eq 2 ] || [ "$n" -eq 20000 ]
		[ "$(sqlite3 "$EV_WEBHOOKS" 'PRAGMA integrity_check')" = ok ]
		if [ "$n" -eq 20000 ]; then
			printf '%s\n%s\n' "$A" "$B" | hook-admin import --replace -
		fi
	done
}

@test "a registry that stays locked is exit 3" {
	two
	mkfifo hold
	sqlite3 -bail -cmd '.timeout 20000' "$EV_WEBHOOKS" <hold \
		>/dev/null 2>&1 3>&- 4>&- &
	EV_STARTED+=("$!")
	exec 9>hold
	# It says itself that it has the lock: a look from outside could be in its way.
	printf '%s\n' 'BEGIN EXCLUSIVE;' '.shell touch held' >&9
	wait_until test -e held
	admin disable a
	want_code 3
	want_err "hook-admin: $EV_WEBHOOKS: locked by another process"$'\n'
	exec 9>&-
}

@test "what a killed writer left is undone by the next reader" {
	jq -nc '[range(5000) | {id: "w\(.)", url: "http://host\(.).example/in",
		subscriptions: ["ping"]}]' >many.json
	hook-admin import many.json
	hook-admin list >before
	mkdir left
	# A cache this small writes to the file before the commit.
	sqlite3 "$EV_WEBHOOKS" 'PRAGMA cache_size = 2' 'BEGIN' \
		"UPDATE webhook SET config = replace(config, 'host', 'nowhere')" \
		".system cp webhooks.db webhooks.db-journal left" 'ROLLBACK'
	grep -q nowhere left/webhooks.db
	[ -s left/webhooks.db-journal ]
	cp -r left again
	run_prog hook-admin -w left/webhooks.db list
	want_code 0
	same before "$OUT"
	[ ! -e left/webhooks.db-journal ]
	echo '{"name":"ping","payload":{"name":"x"}}' |
		ev-route -w again/webhooks.db
}

@test "the EXAMPLES of the manual page run, in their order" {
	unset EV_WEBHOOKS
	three_webhooks 1 2 3 >webhooks.json
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh DIAGNOSTICS/p' "$REPO/man/hook-admin.1" |
		awk '/^\.Bd/ { n++; inside = 1; next }
		     /^\.Ed/ { inside = 0 }
		     inside { gsub(/\\e/, "\\"); print >("example." n) }'
	echo '{"url":"http://127.0.0.1:1/","headers":{},"body":1}' |
		ev-deliver -q q.db --enqueue
	cp "$REPO/examples/events/ping.ndjson" events.ndjson
	followed() { # has somebody a second inotify, on QUEUE-shm?
		grep -qs "^inotify .*ino:$(printf %x "$(stat -c %i q.db-shm)") " \
			/proc/[0-9]*/fdinfo/*
	}
	for n in 1 2 3 4 5 6 7 8 9 10 11; do
		# It waits for something to end dead.
		if grep -q -e --follow "example.$n"; then
			(
				wait_until followed
				ev-deliver -q q.db --drain --schedule none
			) >/dev/null 2>&1 3>&- 4>&- </dev/null &
		fi
		bash -e -o pipefail "example.$n" >"out.$n"
	done
	[ ! -e example.12 ]
	grep -q '^http://127.0.0.1:1: ' out.10
	[ "$(hook-admin -w webhooks.db show billing |
		jq -r .description)" = 'of the finance team' ]
	[ "$(jq -s 'length' out.9)" -eq 2 ]
	[ "$(jq -r .info.title asyncapi.json)" = 'Events of the IO platform' ]
	[ "$(head -n 1 out.1)" = billing ]
	[ "$(hook-admin -w webhooks.db list | wc -l)" -eq 4 ]
	[ "$(sed -n '1,2s/^whsec_.*/key/p' out.4 | wc -l)" = 2 ]
	[ "$(tail -n 1 out.4 | jq '.secrets | length')" = 2 ]
	[ "$(jq -r .webhook out.5)" = wh1 ]
	grep -q "^## Public Events" EVENTS.md
}
