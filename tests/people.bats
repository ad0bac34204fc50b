#!/usr/bin/env bats
# What is for people: error texts that say what to do next, tables that fit the
# terminal, colour only where it is wanted.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

# says PROGRAM TEXT ARG…: wrong usage, whose first line on stderr is this text.
says() {
	local program=$1 text=$2
	shift 2
	run_prog "$program" "$@" </dev/null
	want_code 2
	[ ! -s "$OUT" ]
	[ "$(head -n 1 "$ERR")" = "$program: $text" ] || {
		echo "$program $*: '$(head -n 1 "$ERR")', not '$text'" >&2
		return 1
	}
}

@test "options: what is wrong, and which one was meant" {
	local p
	for p in "${PROGRAMS[@]}"; do
		says "$p" "option '--verbsoe' is unknown; did you mean '--verbose'?" \
			--verbsoe
		says "$p" "option '--nothing-like-it' is unknown" --nothing-like-it=1
		says "$p" "option '--ver' may be --verbose, --version" --ver
		says "$p" "option '-Z' is unknown" -v -vZ
		says "$p" "option '-Z' is unknown" --verbose -Zv
		says "$p" "option '--verbose' takes no argument" --verbose=1
		# Foreign text, made printable.
		says "$p" "option '--\\x1b[1m' is unknown" $'--\e[1m'
		says "$p" "option '-\\xc3' is unknown" -é
	done
	for p in "${STAGES[@]}"; do
		says "$p" "option '--rejects' needs an argument" --rejects
		says "$p" "option '-r' needs an argument" -r
		says "$p" "option '-r' needs an argument" --verbose -vr
		says "$p" "option '--maxline' is unknown; did you mean '--max-line'?" \
			- --maxline 5
	done
}

@test "commands and ids: which one was meant" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	says hook-admin "unknown command 'lits'; did you mean 'list'?" lits
	says hook-admin "unknown command 'EVENT'; did you mean 'events'?" EVENT
	says hook-admin "unknown command 'frobnicate'; see hook-admin -h" frobnicate
	echo '[{"id":"billing","url":"http://a.example/","subscriptions":[]}]' >w
	export EV_WEBHOOKS=w
	says hook-admin "no webhook 'biling'; did you mean 'billing'?" show biling
	says hook-admin "no webhook 'shop'; see hook-admin list" show shop
	says hook-admin "secret: unknown action 'rotat'; did you mean 'rotate'?" \
		secret rotat billing
	export EV_WEBHOOKS=w.db
	hook-admin add --id a --url http://a/ --subscribe ping,service:subscribed \
		--attribute serviceId=1 --header 'X-Key: 1' >added
	says hook-admin "not subscribed to 'pnig'; did you mean 'ping'?" \
		set a --unsubscribe 'pnig,service:subscribed'
	says hook-admin "there is no attribute 'serviceID2'; did you mean 'serviceId'?" \
		set a --remove-attribute serviceID2
	says hook-admin "there is no header 'Key'; see hook-admin show" \
		set a --remove-header Key
}

# on_terminal COLUMNS COMMAND…: its output on a terminal as wide, to the file
# shown.
on_terminal() {
	needs_terminal
	script -qec "stty cols $1; ${*:2}" /dev/null </dev/null |
		tr -d '\r' >shown
}

many() {
	jq -n '[range(50) | { id: "wh\(.)", url: "http://host\(.).example/\("x" * .)",
		subscriptions: ["ping", "日本語:イベント"], attributes: { name: "é" },
		disabled: (. % 2 == 0) }]' >w.json
	export EV_WEBHOOKS=w.json
}

@test "tables are as wide as the terminal at most" {
	local columns
	many
	for columns in 40 80 132; do
		on_terminal $columns hook-admin list
		[ "$(wc -l <shown)" -eq 51 ]
		[ "$(wc -L <shown)" -le $columns ]
		on_terminal $columns hook-admin events
		[ "$(wc -l <shown)" -eq 10 ]
		[ "$(wc -L <shown)" -le $columns ]
		grep -q '…$' shown
	done
	on_terminal 40 COLUMNS=100 hook-admin list
	[ "$(wc -L <shown)" -gt 90 ]
	[ "$(wc -L <shown)" -le 100 ]
	# The description whole, and no mark where nothing is cut.
	on_terminal 1000 hook-admin events
	grep -q '^service:subscribed  serviceId, fiscalCode  serviceId   Emitted when a Citizen subscribes to a Service$' shown
	! grep '…' shown
}

@test "colour: on a terminal, not a dumb one, not with NO_COLOR" {
	many
	on_terminal 80 TERM=xterm hook-admin list
	grep -q $'^\e\\[1mID\e\\[0m ' shown
	grep -q $'\e\\[31moff\e' shown
	grep -q $'\e\\[32mon\e' shown
	# The same text besides.
	sed $'s/\e\\[[0-9]*m//g' shown >plain
	on_terminal 80 TERM=xterm NO_COLOR= hook-admin list
	grep -q $'\e' shown
	on_terminal 80 TERM=xterm NO_COLOR=1 hook-admin list
	same plain shown
	on_terminal 80 TERM=dumb hook-admin list
	same plain shown
	on_terminal 80 'env -u TERM' hook-admin list
	same plain shown
	TERM=xterm run_prog hook-admin list
	! grep $'\e' "$OUT"
}

@test "event names: which one was meant, when it is set and when it is checked" {
	export EV_WEBHOOKS=w.db
	run_prog hook-admin add --id a --url http://a/ \
		--subscribe 'pign,ping,service:subscribd,pi*,profile:completed'
	want_code 0
	cat >want <<-'END'
	hook-admin: add: subscribed to 'pign', which is no event of the catalog; did you mean 'ping'?
	hook-admin: add: subscribed to 'service:subscribd', which is no event of the catalog; did you mean 'service:subscribed'?
	hook-admin: add: subscribed to 'profile:completed', which is not public
	END
	same want "$ERR"
	run_prog hook-admin set a --unsubscribe pign,profile:completed
	want_code 0
	[ ! -s "$ERR" ]
	run_prog hook-admin check
	want_code 2
	grep -qx "hook-admin: webhook 'a': subscribed to 'service:subscribd', which is no event of the catalog; did you mean 'service:subscribed'?" "$ERR"
	# Without a catalog nothing is known of names.
	EV_CATALOG=none run_prog hook-admin set a --subscribe anything
	want_code 0
	[ ! -s "$ERR" ]
}

@test "members and keywords: which one was meant" {
	mkdir catalog
	export EV_CATALOG=catalog
	echo '{"name":"a","public":true,"payload":{"requierd":["x"]}}' \
		>catalog/a.json
	says ev-validate 'the catalog does not load:'
	grep -qx "ev-validate: a.json: payload: schema at '/requierd': unknown keyword; did you mean 'required'?" "$ERR"
	echo '{"name":"a","public":true,"payload":true,"exmples":[]}' \
		>catalog/a.json
	says hook-admin "catalog: a.json: unknown member 'exmples'; did you mean 'examples'?" \
		events
	echo '{"minimun":1}' >schema.json
	run_prog ev-validate --schema schema.json </dev/null
	want_code 0
	echo "ev-validate: schema.json: 'minimun' is no keyword of JSON Schema and is ignored; did you mean 'minimum'?" |
		same - "$ERR"
	echo '[{"url":"http://a/","subscriptions":[],"header":{},"odd":1}]' >w.json
	EV_CATALOG=$REPO/examples/catalog run_prog hook-admin -w w.json check
	grep -qx "hook-admin: w.json: entry 1: unknown member 'header' is ignored; did you mean 'headers'?" "$ERR"
	grep -qx "hook-admin: w.json: entry 1: unknown member 'odd' is ignored" "$ERR"
}

# drawn PATTERN: has the terminal, whose bytes are in the file shown, got this?
drawn() {
	tr -d '\r' <shown | grep -aq "$1"
}

@test "progress: a line on a terminal once the work takes long" {
	on_terminal 80 true
	printf 'delay 600ms then status 204\n' >script
	start_sink --script script
	for i in 1 2 3; do
		echo '{"url":"http://127.0.0.1:'"$SINK_PORT"'/","headers":{},"body":{}}'
	done >calls
	run="ev-deliver $LOOPBACK --concurrency 1 calls"
	on_terminal 80 "TERM=xterm $run >results"
	[ "$(wc -l <results)" -eq 3 ]
	# It stood there, it is written over, what stays is the end.
	drawn $'\e\\[Kev-deliver: 2 records, [0-9]*/s, 66 %, 0:0[0-9], 0:0[0-9] left\e'
	[[ $(tail -n 1 shown) == *$'\e[Kev-deliver: 3 records, '* ]]
	# Nothing where records go to the terminal, or where it is not wanted.
	on_terminal 80 "TERM=xterm $run"
	[ "$(wc -l <shown)" -eq 3 ]
	if drawn 'records,'; then false; fi
	on_terminal 80 "TERM=xterm $run --no-progress >results"
	[ ! -s shown ]
	on_terminal 80 "TERM=dumb $run >results"
	[ ! -s shown ]
	on_terminal 80 "cat calls | TERM=xterm ${run% calls} >results"
	[ ! -s shown ]
}

@test "progress: diagnostics stand where the line was" {
	on_terminal 80 true
	mkfifo fifo
	TERM=xterm script -qec 'stty cols 50; ev-validate --progress <fifo >out' \
		/dev/null </dev/null >shown 3>&- 4>&- &
	pid=$!
	exec 7>fifo
	local end=$((SECONDS + DEADLINE))
	until drawn 'records, '; do
		echo '{"name":"ping:all"}' >&7
		sleep 0.1
		((SECONDS < end))
	done
	echo nonsense >&7
	wait_until drawn $'\e\\[Kev-validate: line [0-9]*: not-json'
	exec 7>&-
	wait "$pid" || [ $? -eq 1 ]
	n=$(($(wc -l <out) + 1))
	[[ $(tail -n 1 shown) == *$'\e[Kev-validate: '$n' records, '*', 1 rejected, 0:0'* ]]
	# No line is wider than the terminal, erasing it is enough.
	[ "$(tr '\r' '\n' <shown | sed $'s/\e\\[K//' | grep 'records,' |
		wc -L)" -lt 50 ]
}

@test "progress: asked for without a terminal, it is whole lines" {
	echo '{"name":"ping:all"}' >in
	local p
	for p in ev-validate ev-map ev-route; do
		EV_WEBHOOKS=$REPO/examples/webhooks.json run_prog "$p" --progress in
		grep -Eq "^$p: 1 records, [0-9]+/s(, 1 rejected)?, 0:0[0-9]\$" "$ERR"
		EV_WEBHOOKS=$REPO/examples/webhooks.json run_prog "$p" in
		if grep -q records, "$ERR"; then false; fi
		EV_WEBHOOKS=$REPO/examples/webhooks.json run_prog "$p" --progress \
			--no-progress in
		if grep -q records, "$ERR"; then false; fi
	done
}
