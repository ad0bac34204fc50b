#!/usr/bin/env bats
# --metrics FILE: the format, what is counted against what happened, files that
# can't be written, programs that are killed; evpipe-metrics(5); the alerts.

load helpers/common

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
}

# is_sound FILE…: each is what Prometheus takes, strictly.
is_sound() {
	local file
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\)\( Ar\)*/\1/p' \
		"$REPO/man/evpipe-metrics.5" >page
	for file; do
		awk -f "$REPO/tests/helpers/metrics.awk" "$file" >&2
		# The labels are what the page says.
		sed -n 's/^\(evpipe_[a-z_]*\){\(.*\)} [0-9.]*$/\1 \2/p' "$file" |
			sed 's/="\([^"\]\|\\.\)*"//g; s/,/ /g; s/ le$//
				s/_\(bucket\|sum\|count\) / /; s/ program service//' |
			sort -u | grep -vxFf page >&2 && return 1
		if command -v promtool >/dev/null; then
			promtool check metrics <"$file" >&2
		fi
	done
}

# value FILE NAME [LABEL=VALUE…]: of the sample with these labels.
value() {
	local lines
	lines=$(grep -E "^$2[{ ]" "$1")
	local label
	for label in "${@:3}"; do
		lines=$(grep -F "${label%%=*}=\"${label#*=}\"" <<<"$lines")
	done
	sed 's/.*} //' <<<"$lines"
}

# counts FILE NAME WANT [LABEL=VALUE…]
counts() {
	local got
	got=$(value "$1" "$2" "${@:4}")
	[ "$got" = "$3" ] || {
		echo "$1: $2 ${*:4}: '$got', not '$3'" >&2
		return 1
	}
}

is_running() { # FILE: it says so
	[ -s "$1" ] && counts "$1" evpipe_up 1
}

start() { # COMMAND…: in the background, ended by teardown
	"$@" >started.out 2>started.err </dev/null 3>&- 4>&- &
	STARTED=$!
	EV_STARTED+=("$STARTED")
}

@test "promtool is here, and looks at what follows" {
	command -v promtool || skip "no promtool: Debian has it in prometheus"
}

@test "what is counted is what the page says" {
	grep -o '"evpipe_[a-z_]*"' "$REPO/src/cmd/metrics.c" | tr -d '"' |
		sort >code
	[ "$(wc -l <code)" -eq "$(grep -c '^	\[METRIC_' "$REPO/src/cmd/metrics.c")" ]
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\).*/\1/p' \
		"$REPO/man/evpipe-metrics.5" | sort >page
	same code page
	sort -u page | same page -
}

@test "filters: counted is what came, what went and what was rejected" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	local n
	for n in 1 2 3 4 5; do
		cat "$REPO"/examples/events/*.ndjson
		echo
	done >in
	# The reject file is as many records long.
	ev-validate --metrics v.prom in >valid 2>err || [ $? -eq 1 ]
	is_sound v.prom
	counts v.prom evpipe_up 0
	counts v.prom evpipe_input_lines_total "$(wc -l <in)"
	counts v.prom evpipe_input_bytes_total "$(wc -c <in)"
	counts v.prom evpipe_output_lines_total "$(wc -l <valid)"
	counts v.prom evpipe_output_bytes_total "$(wc -c <valid)"
	counts v.prom evpipe_rejected_total "$(wc -l <rejects)"
	jq -r .reason rejects | sort | uniq -c >reasons
	[ "$(wc -l <reasons)" -gt 2 ]
	while read -r n reason; do
		counts v.prom evpipe_rejects_total "$n" reason="$reason"
	done <reasons
	ev-map --metrics m.prom valid >public
	is_sound m.prom
	counts m.prom evpipe_input_lines_total "$(wc -l <valid)"
	counts m.prom evpipe_output_lines_total "$(wc -l <public)"
	counts m.prom evpipe_output_bytes_total "$(wc -c <public)"
	counts m.prom evpipe_worker_requests_total \
		"$(grep -vc '"ping"\|"service:subscribed"' valid)"
	counts m.prom evpipe_registry_webhooks 3
	counts m.prom evpipe_registry_loads_total 1 result=good
	ev-route --metrics r.prom --unmatched unmatched public >calls
	is_sound r.prom
	counts r.prom evpipe_output_lines_total "$(wc -l <calls)"
	counts r.prom evpipe_unmatched_total "$(wc -l <unmatched)"
	[ "$(stat -c %a v.prom)" = 644 ]
	# Nothing of a payload.
	if grep -l AAAAAA00A00A000A ./*.prom; then false; fi
}

@test "filters: barriers count as lines, a worker's requests as such" {
	jq -c '[.[] | .filter = ".payload.n != 3"]' \
		"$REPO/examples/webhooks.json" >w.json
	export EV_WEBHOOKS=w.json
	{
		echo '{"barrier":"s.0"}'
		for n in 1 2 3 4; do
			echo '{"name":"ping","payload":{"name":"wh1","n":'$n'}}'
		done
		echo '{"barrier":"s.1"}'
	} | ev-route --metrics r.prom >calls
	is_sound r.prom
	[ "$(wc -l <calls)" -eq 5 ]
	counts r.prom evpipe_input_lines_total 6
	counts r.prom evpipe_output_lines_total 5
	counts r.prom evpipe_worker_requests_total 4
	counts r.prom evpipe_unmatched_total 1
}

@test "filters: programs that don't end, a registry that breaks" {
	cp "$REPO/examples/webhooks.json" good.json
	jq -c '[.[] | .filter = "def f: f; .payload.n != 2 or f"]' good.json >w.json
	mkfifo fifo
	ev-route -w w.json --timeout 100ms --metrics r.prom <fifo >calls 2>err \
		3>&- 4>&- &
	local pid=$!
	exec 7>fifo
	for n in 1 2 3; do
		echo '{"name":"ping","payload":{"name":"wh1","n":'$n'}}' >&7
	done
	wait_until grep -q 'filter-timeout' err
	echo broken >w.json
	# It looks at a line's coming.
	broken() {
		echo '{"name":"ping","payload":{"name":"wh1","n":1}}' >&7
		grep -q 'does not load' err
	}
	wait_until broken
	exec 7>&-
	wait "$pid" || [ $? -eq 1 ]
	is_sound r.prom
	counts r.prom evpipe_worker_deaths_total 1
	counts r.prom evpipe_rejects_total 1 reason=filter-timeout
	counts r.prom evpipe_registry_loads_total 1 result=good
	counts r.prom evpipe_registry_loads_total 1 result=bad
	counts r.prom evpipe_registry_broken 1
	counts r.prom evpipe_registry_webhooks 3
}

@test "labels are escaped" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	mkdir 'a"b\'
	run_prog ev-map --metrics $'a"b\\/c"\\\n\xff.prom' </dev/null
	want_code 0
	is_sound 'a"b\'/*
	grep -qF 'service="c\"\\\n?"' 'a"b\'/*
	[ "$(find 'a"b\' -type f -printf x)" = x ]
}

# wait_for_input PID: it waits for its input, without a limit.
waits_for_ever() {
	local number a b c rest
	read -r number a b c rest <"/proc/$1/syscall" || return 1
	# poll(fds, n, timeout), or ppoll(fds, n, NULL).
	[ "$number" != running ] && { [ "$c" = 0xffffffff ] ||
		[ "$c" = 0xffffffffffffffff ] || [ "$c" = 0x0 ]; }
}

@test "it is there from the start, follows, and costs no wake-up when idle" {
	mkfifo fifo
	ev-validate --metrics v.prom <fifo >valid 2>err 3>&- 4>&- &
	EV_STARTED+=($!)
	local pid=$!
	exec 7>fifo
	wait_until is_running v.prom
	counts v.prom evpipe_input_lines_total 0
	wait_until waits_for_ever "$pid" || {
		[ -r /proc/self/syscall ] || skip "no /proc/PID/syscall here"
		false
	}
	echo '{"name":"ping:all"}' >&7
	wait_until test -s valid
	# Not before ten seconds have passed, and then.
	wait_until counts v.prom evpipe_input_lines_total 1
	is_sound v.prom
	wait_until waits_for_ever "$pid"
	exec 7>&-
	wait "$pid"
	counts v.prom evpipe_up 0
	counts v.prom evpipe_output_lines_total 1
}

# switches PID…: how often these have been woken so far.
switches() {
	local pid
	for pid; do
		cat "/proc/$pid/status"
	done | awk '/^(non)?voluntary_ctxt/ { n += $2 } END { print n }'
}

@test "the whole pipe idle: nobody is woken in more than ten seconds" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	start ev-deliver -q q --serve --metrics serve.prom
	local serve=$STARTED pids
	start ev-pull -q events --metrics pull.prom -- sh -c 'ev-validate \
		--metrics v.prom | ev-map --metrics m.prom | ev-route --metrics \
		r.prom | ev-deliver -q q --enqueue --metrics e.prom'
	echo '{"name":"ping","payload":{"name":"nobody"}}' | ev-push -q events
	all_told() {
		counts pull.prom evpipe_events_acknowledged_total 1 &&
			counts v.prom evpipe_input_lines_total 3 &&
			counts m.prom evpipe_input_lines_total 3 &&
			counts r.prom evpipe_unmatched_total 1 &&
			counts e.prom evpipe_input_lines_total 2 &&
			is_running serve.prom
	}
	wait_until all_told
	pids="$serve $STARTED $(pgrep -g "$(pgrep -P "$STARTED")" | tr '\n' ' ')"
	still() {
		local before
		# shellcheck disable=SC2086
		before=$(switches $pids)
		sleep 11
		# shellcheck disable=SC2086
		[ "$(switches $pids)" = "$before" ]
	}
	[ "$(wc -w <<<"$pids")" -ge 6 ]
	wait_until still
	kill "$STARTED" "$serve"
	wait_until gone "$serve"
	wait_until gone "$STARTED"
	is_sound ./*.prom
	counts serve.prom evpipe_up 0
	counts r.prom evpipe_up 0
}

@test "what can't be written: said once, and the stream goes on" {
	local where
	echo '{"name":"ping:all"}' >in
	mkdir folder
	for where in no/such/folder.prom folder /dev/null; do
		run_prog ev-validate --metrics $where in
		want_code 0
		same in "$OUT"
		[ "$(wc -l <"$ERR")" -eq 1 ]
		grep -q "^ev-validate: cannot write the metrics to '$where': .*; it is tried again\$" "$ERR"
	done
	[ -c /dev/null ]
	[ -z "$(ls folder)" ]
}

@test "a full disk: the file before stays, nothing lies about" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o fault.so "$REPO/tests/helpers/fault.c" -ldl
	echo '{"name":"ping:all"}' >in
	mkdir d
	ev-validate --metrics d/v.prom in >valid
	cp d/v.prom before
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FILE="$PWD/d/" \
		FAULT_AT=1 FAULT_ERRNO=28 FAULT_LAST=1 FAULT_MARK="$PWD/fired" \
		ev-validate --metrics d/v.prom in
	want_code 0
	[ -e fired ]
	same in "$OUT"
	grep -q 'No space left' "$ERR"
	[ "$(wc -l <"$ERR")" -eq 1 ]
	same before d/v.prom
	[ "$(ls d)" = v.prom ]
	# Once there is room, it is written.
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FILE="$PWD/d/" \
		FAULT_AT=1 FAULT_ERRNO=28 FAULT_MARK="$PWD/fired" \
		ev-validate --metrics d/v.prom in
	want_code 0
	is_sound d/v.prom
	if cmp -s before d/v.prom; then false; fi
}

@test "kill -9: what is there is whole, and says that it runs" {
	mkfifo fifo
	local n
	for n in 1 2 3 4 5 6 7 8 9 10; do
		start ev-validate --metrics v.prom fifo
		exec 7>fifo
		wait_until test -s v.prom
		kill -9 "$STARTED"
		exec 7>&-
		wait_until gone "$STARTED"
		is_sound v.prom
		is_running v.prom
		[ $((n % 2)) -eq 0 ] || rm v.prom
	done
}

call() { # ID WEBHOOK
	printf '{"url":"http://x.example/","headers":{},"body":{},"id":"%s","webhook":"%s"}\n' "$1" "$2"
}

set_up_webhooks() {
	start_sink --status 204
	jq -n --arg url "http://127.0.0.1:$SINK_PORT/" '[
		{ id: "good", url: $url, subscriptions: ["ping"] },
		{ id: "down", url: "http://127.0.0.1:1/", subscriptions: ["ping"] },
		{ id: "off", url: $url, subscriptions: ["ping"], disabled: true },
		{ id: "idle", url: $url, subscriptions: ["ping"] } ]' >w.json
	export EV_WEBHOOKS=w.json
}

@test "ev-deliver from memory: outcomes, attempts, durations" {
	set_up_webhooks
	{
		call 1 good
		call 2 good
		call 3 down
		call 4 none
		echo nonsense
	} >in
	run_prog ev-deliver "$LOOPBACK" --schedule 0.01s --metrics d.prom \
		--metrics-per-webhook in
	want_code 1
	is_sound d.prom
	counts d.prom evpipe_calls_taken_total 4
	counts d.prom evpipe_rejected_total 1
	counts d.prom evpipe_calls_settled_total 2 outcome=delivered
	counts d.prom evpipe_calls_settled_total 2 outcome=dead
	counts d.prom evpipe_calls_dead_total 1 reason=removed
	counts d.prom evpipe_calls_dead_total 1 reason=connect
	counts d.prom evpipe_attempts_total 2 outcome=delivered status=2xx reason=
	counts d.prom evpipe_attempts_total 1 outcome=retry status= reason=connect
	counts d.prom evpipe_attempts_total 1 outcome=dead status= reason=connect
	counts d.prom evpipe_attempt_duration_seconds_count 4
	counts d.prom evpipe_calls_waiting 0
	counts d.prom evpipe_attempts_in_flight 0
	counts d.prom evpipe_webhook_attempts_total 2 webhook=good outcome=delivered
	counts d.prom evpipe_webhook_attempts_total 0 webhook=idle outcome=delivered
	# A line can't make labels: what the registry does not know has none.
	if grep -q '"none"' d.prom; then false; fi
	[ "$(value d.prom evpipe_output_lines_total)" -eq "$(wc -l <"$OUT")" ]
}

@test "ev-deliver from a queue: what waits, is held and due, whoever stored it" {
	set_up_webhooks
	{
		call 1 good
		call 2 down
		call 3 off
		call 4 off
		call 5 off
	} | ev-deliver -q q --enqueue --metrics e.prom
	{ call 1 good; call 6 off; } |
		ev-deliver -q q --enqueue --metrics e.prom >out
	is_sound e.prom
	counts e.prom evpipe_calls_taken_total 1
	counts e.prom evpipe_calls_repeated_total 1
	counts e.prom evpipe_delivering 0
	before=$(date +%s)
	start ev-deliver -q q --serve "$LOOPBACK" --metrics d.prom \
		--metrics-per-webhook --schedule 1h
	settled() {
		counts d.prom evpipe_calls_settled_total 1 outcome=delivered &&
			counts d.prom evpipe_attempts_total 1 outcome=retry
	}
	wait_until settled
	counts d.prom evpipe_delivering 1
	counts d.prom evpipe_calls_taken_total 0
	counts d.prom evpipe_calls_waiting 5
	counts d.prom evpipe_calls_held 4
	counts d.prom evpipe_webhooks 3 state=ok
	counts d.prom evpipe_webhooks 0 state=paused
	counts d.prom evpipe_webhooks 1 state=off
	counts d.prom evpipe_webhook_calls_waiting 4 webhook=off
	counts d.prom evpipe_webhook_state 1 webhook=off state=off
	# The retry is due an hour after it failed, or later by jitter.
	due=$(value d.prom evpipe_call_due_timestamp_seconds)
	[ "${due%.*}" -ge $((before + 3600)) ]
	is_sound d.prom
	# Calls that another one stores come in, those that are served go out.
	{ call 7 good; call 8 off; call 9 off; } |
		ev-deliver -q q --enqueue
	more() {
		counts d.prom evpipe_calls_settled_total 2 outcome=delivered &&
			counts d.prom evpipe_calls_held 6
	}
	wait_until more
	counts d.prom evpipe_calls_waiting 7
	[ "$(value d.prom evpipe_queue_bytes)" -gt 0 ]
	kill "$STARTED"
	wait "$STARTED"
	counts d.prom evpipe_up 0
	counts d.prom evpipe_calls_waiting \
		"$(sqlite3 q 'SELECT count(*) FROM call WHERE due IS NOT NULL')"
	# Counted anew at the next start.
	run_prog ev-deliver -q q "$LOOPBACK" --metrics d.prom </dev/null
	counts d.prom evpipe_calls_waiting \
		"$(sqlite3 q 'SELECT count(*) FROM call WHERE due IS NOT NULL')"
	[ -z "$(grep webhook= d.prom)" ]
}

@test "ev-deliver: a webhook that its receiver disables" {
	start_sink --status 410
	echo '[{"id":"gone","url":"http://127.0.0.1:'"$SINK_PORT"'/","subscriptions":["ping"]}]' >w.json
	export EV_WEBHOOKS=w.json
	{ call 1 gone; call 2 gone; } | run_prog ev-deliver -q q "$LOOPBACK" \
		--metrics d.prom
	is_sound d.prom
	counts d.prom evpipe_webhooks 1 state=disabled
	counts d.prom evpipe_webhook_changes_total 1 change=disabled
	counts d.prom evpipe_calls_dead_total \
		"$(value d.prom evpipe_calls_settled_total outcome=dead)" reason=gone
	[ "$(value d.prom evpipe_calls_waiting)" -eq \
		"$(value d.prom evpipe_calls_held)" ]
	# Also after a restart, when nothing is sent.
	run_prog ev-deliver -q q "$LOOPBACK" --metrics d.prom </dev/null
	counts d.prom evpipe_webhooks 1 state=disabled
	# Enabled again: nobody is.
	hook-admin -w w.db import w.json >out
	hook-admin -w w.db -q q enable gone
	run_prog ev-deliver -w w.db -q q --metrics d.prom --schedule 1h </dev/null
	counts d.prom evpipe_webhooks 0 state=disabled
}

@test "ev-push and ev-pull: pushed, fed, acknowledged, waiting, dead" {
	local n
	for ((n = 1; n <= 60; n++)); do
		echo '{"name":"ping","id":"e'$n'","payload":{"name":"one","n":'$n'}}'
	done >in
	run_prog ev-push -q events --metrics push.prom in
	want_code 0
	{ cat in; echo nonsense; } >in.more
	run_prog ev-push -q events --metrics push.prom in.more
	want_code 1
	is_sound push.prom
	counts push.prom evpipe_events_pushed_total 0
	counts push.prom evpipe_events_repeated_total 60
	counts push.prom evpipe_rejected_total 1
	# A command that dies of one event.
	cat >dies.sh <<-'END'
	while IFS= read -r line; do
		case $line in *'"n":3}'*) exit 7 ;; esac
		case $line in *barrier*) echo "$line" ;; esac
	done
	END
	run_prog ev-pull -q events --drain --metrics pull.prom -- sh dies.sh
	want_code 1
	is_sound pull.prom
	counts pull.prom evpipe_events_acknowledged_total 59
	counts pull.prom evpipe_events_dead_total 1
	counts pull.prom evpipe_dead_letters 1
	counts pull.prom evpipe_events_waiting 0
	counts pull.prom evpipe_events_in_flight 0
	[ "$(value pull.prom evpipe_command_deaths_total)" -ge 5 ]
	[ "$(value pull.prom evpipe_events_fed_total)" -ge 64 ]
	[ "$(value pull.prom evpipe_barrier_duration_seconds_count)" -ge 5 ]
	# One that takes events and gives no barrier back but the first.
	run_prog ev-push -q events <<-'END'
	{"name":"ping","payload":{"name":"one"}}
	{"name":"ping","payload":{"name":"two"}}
	END
	start ev-pull -q events --metrics pull.prom -- sh -c \
		'read -r b; echo "$b"; cat >taken; :'
	wait_until grep -q two taken
	in_flight() { counts pull.prom evpipe_events_in_flight 2; }
	wait_until in_flight
	counts pull.prom evpipe_events_waiting 2
	# What others push while it hangs is waiting, too.
	echo '{"name":"ping","payload":{"name":"three"}}' | ev-push -q events
	three() { counts pull.prom evpipe_events_waiting 3; }
	wait_until three
	kill "$STARTED"
	wait "$STARTED" || true
}

@test "two programs, two files in one folder: no series is in both" {
	mkdir d
	echo '{"name":"ping:all"}' >in
	ev-validate --metrics d/one.prom in >out
	ev-validate --metrics d/two.prom in >out
	[ -z "$(sort d/*.prom | grep -v '^#' | sed 's/} .*//' | uniq -d)" ]
}

@test "examples/alerts.yml: each rule fires where it is to, and not beside" {
	# Of what there is, without promtool as well.
	grep -o 'evpipe_[a-z_]*' "$REPO/examples/alerts.yml" | sort -u >named
	[ "$(wc -l <named)" -gt 10 ]
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\).*/\1/p' \
		"$REPO/man/evpipe-metrics.5" | grep -vxFf - named && return 1
	sed -n 's/^ *- alert: //p' "$REPO/examples/alerts.yml" >alerts
	while read -r alert; do
		grep -q "$alert" "$REPO/tests/alerts-test.yml"
	done <alerts
	command -v promtool >/dev/null ||
		skip "no promtool: Debian has it in prometheus"
	promtool check rules "$REPO/examples/alerts.yml"
	promtool test rules "$REPO/tests/alerts-test.yml"
}
