#!/usr/bin/env bats
# --metrics FILE of the programs with queues: what they count against what
# happened, and that nobody is woken for it.

load helpers/common
load helpers/metrics

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
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
	counts e.prom evpipe_calls_taken_total 2
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

@test "ev-deliver: what waits is counted right, whatever comes meanwhile" {
	start_sink --status 204
	# More lanes than are kept; every fifth is down.
	jq -nc --arg port "$SINK_PORT" '[range(1500) | { id: "w\(.)",
		url: (if . % 5 == 0 then "http://127.0.0.1:1/"
			else "http://127.0.0.1:\($port)/" end),
		subscriptions: ["ping"], disabled: (. % 7 == 0) }]' >w.json
	export EV_WEBHOOKS=w.json
	put() { # SEED: calls, some repeated, some of nobody, some in an order
		jq -nc --argjson s "$1" 'range(2000) |
			((. * 7919 + $s * 104729) % 1000003) as $x |
			{ webhook: "w\($x % 1600)", url: "http://x/", headers: {},
			  body: {}, id: "m\($x % 5000)", key: "k\($x % 3)" }' |
			ev-deliver -q q --enqueue >>put.out 2>>put.err
	}
	put 1
	start ev-deliver -q q --serve "$LOOPBACK" --schedule 1s,1h \
		--metrics d.prom
	local serve=$STARTED n jobs=()
	for n in 2 3 4 5; do
		put "$n" &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	hook-admin -q q replay --outcome dead --limit 50 >replayed 2>&1
	right() {
		counts d.prom evpipe_calls_waiting "$(sqlite3 q \
			'SELECT count(*) FROM call WHERE due IS NOT NULL')"
	}
	wait_until right
	[ "$(wc -l <"$SINK_LOG")" -gt 1500 ]
	kill "$serve"
	wait "$serve"
	right
	is_sound d.prom
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
	# Barriers come again where all is slow.
	all_told() {
		counts pull.prom evpipe_events_acknowledged_total 1 &&
			at_least v.prom evpipe_input_lines_total 3 &&
			at_least m.prom evpipe_input_lines_total 3 &&
			counts r.prom evpipe_unmatched_total 1 &&
			at_least e.prom evpipe_input_lines_total 2 &&
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

@test "what is stored and not sorted in yet waits, too, and hook-admin says so" {
	for i in 1 2 3; do call "$i" w; done | ev-deliver -q q --enqueue
	sqlite3 q 'UPDATE todo SET taken = taken - 60000'
	# The claim that sorting in needs: F_OFD_SETLK, a byte.
	perl -e 'open my $q, "+<", "q" or die;
		my $lock = pack("ssx4qqlx4", 1, 0, 0x7fffffff, 1, 0);
		fcntl($q, 37, $lock) or die $!;
		open my $f, ">", "claimed"; sleep' 3>&- 4>&- &
	EV_STARTED+=("$!")
	wait_until test -e claimed
	start ev-deliver -q q --serve --metrics d.prom
	wait_until counts d.prom evpipe_calls_waiting 3
	is_sound d.prom
	run_prog hook-admin -q q stats
	want_code 0
	grep -q '3 calls that were stored are not shown yet' "$ERR"
}
