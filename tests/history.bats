#!/usr/bin/env bats
# hook-admin on a delivery queue: what was delivered and what was not, each
# attempt, counts, and sending again.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	start_sink
	hook-admin -w w.db add --id good --subscribe ping --attribute name=good \
		--url "http://127.0.0.1:$SINK_PORT/good" >ids
	# Nobody listens on port 1.
	hook-admin -w w.db add --id down --subscribe ping --attribute name=down \
		--url http://127.0.0.1:1/down >>ids
}

teardown() {
	stop_all
}

# feed NAME ID…: a ping for the webhook of that name, each with its id.
feed() {
	local name=$1
	shift
	printf "{\"name\":\"ping\",\"id\":\"%s\",\"payload\":{\"name\":\"$name\"}}\n" \
		"$@" | ev-route -w w.db >>calls
}

deliver() {
	run_prog ev-deliver "$LOOPBACK" -q q.db -w w.db --schedule none \
		"${@:-calls}"
	rm -f calls
}

admin() {
	run_prog hook-admin -q q.db "$@"
	want_code 0
}

got() { # JQ-FILTER WANT: of stdout, a line each, joined with blanks
	[ "$(jq -r "$1" "$OUT" | paste -sd' ')" = "$2" ] ||
		{ cat "$OUT" >&2; return 1; }
}

@test "deliveries: the newest first, and each filter" {
	feed good e1 e2
	feed down e3
	deliver
	admin deliveries
	got .seq '3 2 1'
	got .outcome 'dead delivered delivered'
	admin deliveries --webhook good
	got .event 'e2 e1'
	admin deliveries --event e3
	got '.webhook + .reason' downconnect
	admin deliveries --outcome dead
	got .seq 3
	admin deliveries --status 204
	got .seq '2 1'
	admin deliveries --status 500
	got .seq ''
	admin deliveries --name ping --limit 2
	got .seq '3 2'
	admin deliveries --name pong
	got .seq ''
	admin deliveries --since 1h
	got .seq '3 2 1'
	admin deliveries --until 1h
	got .seq ''
	admin deliveries --since 2020-01-01T00:00:00Z --until 2021-01-01T00:00:00Z
	got .seq ''
}

@test "an event whose id begins with its time is found, too" {
	feed good 0193577e-7c00-7000-8000-000000000001 \
		0193577e-7c00-7000-8000-000000000002
	deliver
	admin deliveries --event 0193577e-7c00-7000-8000-000000000002
	got .seq 2
	id=$(jq -r .id "$OUT")
	admin show "$id"
	got .seq 2
}

@test "deliveries by status: failures by their index, in the same order" {
	feed good e1 e2
	deliver
	stop_all
	start_sink --status 500
	hook-admin -w w.db set good --url "http://127.0.0.1:$SINK_PORT/"
	feed good e3 e4
	deliver
	admin deliveries --status 500
	got .seq '4 3'
	admin deliveries --status 500 --webhook good --limit 1
	got .seq 4
	admin deliveries --status 204
	got .seq '2 1'
	admin deliveries --status 404
	got .seq ''
	sqlite3 q.db 'EXPLAIN QUERY PLAN SELECT call FROM attempt
		WHERE status = 500 AND status NOT BETWEEN 200 AND 299
		ORDER BY call DESC' >plan
	grep -q 'USING COVERING INDEX attempt_failed (status=?)' plan
	! grep -E 'SCAN|TEMP' plan || false
	# A file of before the index gives the same.
	sqlite3 q.db 'DROP INDEX attempt_failed'
	admin deliveries --status 500
	got .seq '4 3'
}

@test "show: every attempt, with its times and what the receiver said" {
	stop_all
	start_sink --status 500
	hook-admin -w w.db set good --url "http://127.0.0.1:$SINK_PORT/"
	feed good e1
	run_prog ev-deliver "$LOOPBACK" -q q.db --drain -w w.db \
		--schedule 1ms,1ms calls
	want_code 1
	admin show 1
	got '[.outcome, .attempts] | join(" ")' 'dead 3'
	got '[.history[] | [.attempt, .status, .outcome] | join("/")] | join(" ")' \
		'1/500/retry 2/500/retry 3/500/dead'
	got '[.history[] | .duration_ms >= .first_byte_ms] | all' true
	run_prog hook-admin -q q.db show 77
	want_code 2
	grep -q "no call '77' in the queue" "$ERR"
}

@test "replay: dead calls are sent again, once, under the same id" {
	feed down e1 e2
	deliver
	admin dead
	got .seq '2 1'
	ids=$(jq -r .id "$OUT" | sort | paste -sd' ')
	hook-admin -w w.db set down --url "http://127.0.0.1:$SINK_PORT/up"
	admin replay --dry-run --outcome dead
	got .seq '2 1'
	grep -q '2 calls would be sent again' "$ERR"
	admin dead
	got .seq '2 1'
	admin replay --outcome dead
	got .replayed 2
	admin dead
	got .seq ''
	run_prog ev-deliver "$LOOPBACK" -q q.db --drain -w w.db </dev/null
	want_code 0
	wait_until grep -q . "$SINK_LOG"
	[ "$(jq -r .id "$OUT" | sort | paste -sd' ')" = "$ids" ]
	[ "$(wc -l <"$SINK_LOG")" -eq 2 ]
	admin replay --outcome dead
	got .replayed 0
	# What was fed before and replayed since is still a repeat.
	feed down e1
	deliver
	jq -e '.outcome == "duplicate"' "$OUT"
}

@test "replay: delivered calls only where the queue keeps them" {
	feed good e1
	deliver
	admin replay --webhook good
	got .replayed 0
	feed good e2
	deliver --keep 1d calls
	admin replay --webhook good
	got .replayed 1
}

@test "replay: not everything by accident" {
	feed good e1
	deliver
	run_prog hook-admin -q q.db replay
	want_code 2
	grep -q 'of everything?' "$ERR"
}

@test "stats: what each webhook did, and what waits" {
	feed good e1 e2 e3
	feed down e4
	deliver
	feed down e5
	ev-deliver -q q.db -w w.db --enqueue calls
	admin stats
	got 'select(.webhook == "good") | [.delivered, .dead, .waiting] | join(" ")' \
		'3 0 0'
	got 'select(.webhook == "down") | [.delivered, .dead, .waiting] | join(" ")' \
		'0 1 1'
	got 'select(.webhook == "good") | .p50_ms > 0' true
}

@test "no queue is made by looking, and a wrong filter is said" {
	run_prog hook-admin -q absent.db deliveries
	want_code 2
	[ ! -e absent.db ]
	run_prog hook-admin deliveries
	want_code 2
	feed good e1
	deliver
	run_prog hook-admin -q q.db deliveries --outcome maybe
	want_code 2
	grep -q 'none of delivered, answered, dead and waiting' "$ERR"
	run_prog hook-admin -q q.db deliveries --since yesterday
	want_code 2
}
