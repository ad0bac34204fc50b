#!/usr/bin/env bats
# The registry under a running program: changes are noticed between two records,
# and one that does not load keeps the last good one.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkfifo in
}

teardown() {
	exec 9>&-
	stop_all
}

# entry HOST: a registry of one webhook, as JSON on one line.
entry() {
	printf '[{"id":"w","url":"http://%s.example/","subscriptions":["ping"],"attributes":{"name":"n"}}]' "$1"
}

# route FILE: start ev-route with this registry; its input is open on 9.
route() {
	: >out # before it is looked at
	ev-route -w "$1" <in >out 2>err 3>&- 4>&- &
	EV_STARTED+=("$!")
	exec 9>in
}

# Calls for one more event go to HOST: each try is a record between which the
# program may look at the registry.
reaches() {
	local n
	n=$(wc -l <out)
	echo '{"name":"ping","payload":{"name":"n"}}' >&9
	wait_until longer "$n"
	tail -n 1 out | grep -qF "\"http://$1.example/\""
}

longer() {
	[ "$(wc -l <out)" -gt "$1" ]
}

# said TEXT: on stderr, while events go on.
said() {
	reaches one
	grep -q "$1" err
}

@test "a JSON file that is replaced, or rewritten in place, is noticed" {
	entry one >w.json
	route w.json
	reaches one
	entry two >new
	mv new w.json
	wait_until reaches two
	entry six >w.json # the same length in the same file
	wait_until reaches six
	entry ten >w.json
	wait_until reaches ten
	[ ! -s err ]
}

@test "an SQLite file that hook-admin changes is noticed" {
	entry one | hook-admin -w w.db import -
	route w.db
	reaches one
	hook-admin -w w.db set w --url http://two.example
	wait_until reaches two
	hook-admin -w w.db set w --url http://six.example
	wait_until reaches six
	[ ! -s err ]
}

@test "one form may take the other's place" {
	entry one >w
	route w
	reaches one
	entry two | hook-admin -w new import -
	mv new w
	wait_until reaches two
	entry six >new
	mv new w
	wait_until reaches six
	[ ! -s err ]
}

@test "a change that does not load is said once and keeps the last good one" {
	entry one >w.json
	route w.json
	reaches one
	echo '[{"url":"ftp://x/"}]' >new
	mv new w.json
	wait_until said 'entry 1: url: scheme is not http or https; subscriptions: missing'
	echo 'not even JSON' >new
	mv new w.json
	wait_until said 'byte 1 of line 1: '
	reaches one
	entry two >w.json
	wait_until reaches two
	[ "$(grep -c 'does not load' err)" -eq 2 ]
}

@test "a file that goes away is said once, and noticed when it comes back" {
	entry one >w.json
	route w.json
	reaches one
	mv w.json away
	wait_until said 'No such file or directory'
	reaches one
	entry two >w.json
	wait_until reaches two
	[ "$(grep -c 'does not load' err)" -eq 1 ]
}

@test "what is no file and takes its place holds nothing up, nor is it kept" {
	entry one >w.json
	route w.json
	reaches one
	mv w.json away
	mkdir w.json
	wait_until said 'not a regular file'
	rmdir w.json
	mkfifo w.json
	wait_until said_times 2
	rm w.json
	ln -s /dev/zero w.json
	wait_until said_times 3
	rm w.json
	entry two >w.json
	wait_until reaches two
}

# said_times N: that it does not load, while events go on.
said_times() {
	reaches one
	[ "$(grep -c 'does not load' err)" -eq "$1" ]
}

@test "a file that is only touched is no change" {
	entry one >w.json
	route w.json
	reaches one
	touch w.json
	cp w.json same
	mv same w.json
	reaches one
	entry two >new
	mv new w.json
	wait_until reaches two
	[ ! -s err ]
}

@test "a locked file is read when it is free" {
	entry one | hook-admin -w w.db import -
	route w.db
	reaches one
	# Holds the lock until its input ends.
	mkfifo hold
	sqlite3 w.db <hold >/dev/null 2>&1 3>&- 4>&- 9>&- &
	EV_STARTED+=("$!")
	exec 8>hold
	echo ".timeout 10000
		UPDATE webhook SET config = replace(config, 'one', 'two');
		BEGIN EXCLUSIVE;" >&8
	wait_until locked
	reaches one || reaches two
	exec 8>&-
	wait_until reaches two
}

locked() {
	! sqlite3 w.db 'SELECT 1 FROM webhook'
}

@test "at the start what does not load is exit 2" {
	run_prog ev-route -w none </dev/null
	want_code 2
	grep -q 'No such file or directory' "$ERR"
	: >empty
	run_prog ev-route -w empty </dev/null
	want_code 2
	run_prog ev-route </dev/null
	want_code 2
}

@test "a thousand bad entries give a thousand reasons" {
	jq -nc '[range(1000) | {url: "ftp://host\(.)/", subscriptions: []}]' >w.json
	run_prog ev-route -w w.json </dev/null
	want_code 2
	[ "$(grep -c 'entry [0-9]*: url: scheme is not http or https' "$ERR")" -eq 1000 ]
	grep -q 'entry 1000: ' "$ERR"
	run_prog hook-admin -w w.json list
	want_code 2
	[ "$(grep -c '^hook-admin: w.json: entry [0-9]*: ' "$ERR")" -eq 1000 ]
}

@test "a registry may come through a pipe" {
	run_prog bash -c "hook-admin -w <(echo '$(entry one)') list"
	want_code 0
	grep -q http://one.example/ "$OUT"
}

@test "a hundred thousand webhooks load" {
	jq -nc '[range(100000) | {url: "http://host\(.).example/in",
		subscriptions: ["ping"], attributes: {name: "n\(.)"}}]' >w.json
	hook-admin -w w.json list >all.ndjson
	[ "$(wc -l <all.ndjson)" -eq 100000 ]
	echo '{"name":"ping","payload":{"name":"n77777"}}' |
		ev-route -w w.json >call
	grep -q '"http://host77777.example/in"' call
}
