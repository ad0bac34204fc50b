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

@test "deliveries by event: calls of any webhook or none, those replayed and forced" {
	feed down e1
	cp calls again
	deliver
	printf '{"url":"http://127.0.0.1:%s/","headers":{},"body":{},"event":"e1"%s}\n' \
		1 ',"id":"mine"' 1 '' >bare
	run_prog ev-deliver "$LOOPBACK" -q q.db --schedule none bare
	want_code 1
	admin replay --event e1
	got .replayed 3
	ev-deliver -q q.db -w w.db --enqueue --force again
	admin deliveries --event e1
	got .seq '7 6 5 4 3 2 1'
	admin deliveries --event e1 --webhook down
	got .seq '7 4 1'
	admin deliveries --event e
	got .seq ''
}

@test "times: any that RFC 3339 has; the first of all is no absent one" {
	feed good e1
	deliver
	sqlite3 q.db "UPDATE call SET taken = 1767225600000" # 2026-01-01T00:00:00Z
	admin deliveries --since 2026-01-01T01:30:00+01:30
	got .seq 1
	admin deliveries --since 2026-01-01T01:30:00.001+01:30
	got .seq ''
	admin deliveries --until 2025-12-31t20:00:00.5-04:00
	got .seq 1
	admin deliveries --until 1970-01-01T00:00:00Z
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
	# A variable that is not set.
	for filter in webhook event name; do
		run_prog hook-admin -q q.db replay --outcome dead "--$filter" ''
		want_code 2
		grep -q -- "--$filter is empty" "$ERR"
	done
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

@test "stats: a call that ended without a request is no attempt" {
	feed good e1
	sed 's/"good"/"removed"/; s/"id":"msg_./"id":"msg_x/' calls >removed
	cat calls removed >both
	deliver both
	admin stats
	got 'select(.webhook == "good") | .attempts, .dead' '1 0'
	got 'select(.webhook == "removed") | .attempts, .dead, .mean_ms' '0 1 null'
	hook-admin -q q.db report >page
	sqlite3 q.db "DELETE FROM hour WHERE lane = (SELECT no FROM lane
		WHERE webhook = 'good')"
	hook-admin -q q.db report >page.none
	grep -q '<path class="p99" d="M' page
	grep -q '<path class="p99" d=""' page.none
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

# follow [FILTER…]: hook-admin deliveries --follow into the file followed; FOLLOW
# is its process. It is there when it watches.
follow() {
	hook-admin -q q.db deliveries --follow "$@" >followed 2>follow.err \
		</dev/null 3>&- 4>&- &
	FOLLOW=$!
	EV_STARTED+=("$FOLLOW")
	wait_until watches "$FOLLOW" q.db-shm
}

# watches PID FILE: by inotify.
watches() {
	cat "/proc/$1/fdinfo/"* |
		grep -q "^inotify .*ino:$(printf %x "$(stat -c %i "$2")") "
}

@test "follow: each settled call once, none missed, while a deliverer works" {
	echo '{"url":"http://127.0.0.1:1/","headers":{},"body":{}}' |
		ev-deliver -q q.db --enqueue
	follow
	seq -f 'e%g' 3000 >names
	mapfile -t names <names
	feed good "${names[@]}"
	feed down f1 f2 f3
	ev-deliver "$LOOPBACK" -q q.db -w w.db --schedule 1ms --drain calls \
		>results 2>/dev/null 3>&- 4>&- || [ $? -eq 1 ]
	settled() {
		[ "$(grep -vc '"outcome":"waiting"' followed)" -ge 3004 ]
	}
	wait_until settled
	kill "$FOLLOW"
	CODE=0
	wait "$FOLLOW" || CODE=$?
	sound "$CODE" follow.err follow
	[ "$CODE" -eq 0 ]
	[ ! -s follow.err ]
	admin deliveries
	# Failures before the last one are shown, too; no row is there twice.
	grep -v '"outcome":"waiting"' followed | sort >got
	sort "$OUT" >want
	same want got
	sort followed | uniq -d >twice
	same /dev/null twice
	[ "$(jq -r 'select(.outcome == "waiting") | .seq' followed |
		sort -u | wc -l)" -le 4 ]
	# In the order in which they were recorded.
	jq -r .id results | grep . >order
	jq -r 'select(.outcome == "delivered") | .id' followed >got
	jq -r 'select(.outcome == "delivered") | .id' results >want
	same want got
}

@test "follow: filters apply; --limit ends it; so do a signal and a closed pipe" {
	feed good e1
	deliver
	follow --webhook down --limit 1
	feed good e2
	feed down e3
	deliver
	wait "$FOLLOW"
	[ "$(jq -r .event followed)" = e3 ]
	follow --outcome dead
	kill "$FOLLOW"
	wait "$FOLLOW"
	[ ! -s followed ]
	follow --outcome dead --event e6
	kill -INT "$FOLLOW" # ignored: it is in the background
	feed down e5 e6
	deliver
	has_one() { [ "$(jq -r .event followed)" = e6 ]; }
	wait_until has_one
	kill "$FOLLOW"
	wait "$FOLLOW"
	# Nobody reads any more, and nothing happens.
	mkfifo pipe
	hook-admin -q q.db deliveries --follow >pipe 2>follow.err </dev/null \
		3>&- 4>&- &
	FOLLOW=$!
	EV_STARTED+=("$FOLLOW")
	exec 5<pipe
	wait_until watches "$FOLLOW" q.db-shm
	exec 5<&-
	wait "$FOLLOW"
	[ ! -s follow.err ]
}

@test "follow: a queue of before it had a feed; table rows on a terminal" {
	feed good e1
	deliver
	sqlite3 q.db 'DROP TABLE feed'
	script -qec "hook-admin -q q.db deliveries --follow --limit 2" shown \
		</dev/null >/dev/null 3>&- 4>&- &
	FOLLOW=$!
	EV_STARTED+=("$FOLLOW")
	is_watched() {
		local pid
		for pid in $(pgrep -P "$FOLLOW" && pgrep -P "$(pgrep -P "$FOLLOW")"); do
			watches "$pid" q.db-shm && return
		done
		return 1
	}
	wait_until is_watched
	feed good e2
	deliver
	feed good e3
	deliver
	wait "$FOLLOW"
	[ "$(grep -c SEQ shown)" -eq 1 ]
	[ "$(grep -c delivered shown)" -eq 2 ]
}

@test "follow: who is too slow is told what was left out" {
	feed good e1
	deliver
	mkfifo pipe
	hook-admin -q q.db deliveries --follow >pipe 2>follow.err </dev/null \
		3>&- 4>&- &
	FOLLOW=$!
	EV_STARTED+=("$FOLLOW")
	exec 5<pipe
	wait_until watches "$FOLLOW" q.db-shm
	kill -STOP "$FOLLOW"
	sqlite3 q.db 'INSERT INTO feed SELECT max(no) + 200000, zeroblob(0) FROM feed'
	feed good e2
	deliver
	kill -CONT "$FOLLOW"
	head -n 1 <&5 >followed
	[ "$(jq -r .event followed)" = e2 ]
	kill "$FOLLOW"
	CODE=0
	wait "$FOLLOW" || CODE=$?
	exec 5<&-
	[ "$CODE" -eq 1 ]
	grep -q '200000 attempts were left out' follow.err
}

# old_queue N: q.db with N delivered calls of 40 days ago, one dead that can be
# sent again, and one that waits.
old_queue() {
	feed down d1
	deliver
	feed down d2
	ev-deliver -q q.db -w w.db --enqueue calls
	sort_in q.db
	rm calls
	sqlite3 q.db "UPDATE call SET taken = taken - 40 * 86400000,
			settled = settled - 40 * 86400000;
		WITH RECURSIVE n(i) AS
			(SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < $1 + 2)
		INSERT INTO call(seq, lane, outcome, attempts, taken, settled, body,
			same, id)
		SELECT i, 1, 1, 1, (SELECT max(taken) FROM call),
			(SELECT max(taken) FROM call), 0,
			CAST(printf('%014d', i) AS BLOB), 'msg_' || i FROM n;
		INSERT INTO attempt(call, n, time, outcome, status, answer)
		SELECT seq, 1, settled, 1, 204, zeroblob(500) FROM call
		WHERE seq > 2"
}

@test "prune: by age and outcome; what waits never, what can be sent again if told" {
	old_queue 2000
	feed good e1
	deliver --retention 365d calls
	run_prog hook-admin -q q.db prune
	want_code 2
	run_prog hook-admin -q q.db prune --before 30d --outcome waiting
	want_code 2
	admin prune --before 41d
	got .pruned 0
	sqlite3 q.db 'UPDATE call SET due = 100000000000000, outcome = 0
		WHERE seq = 2'
	admin prune --dry-run --before 30d
	grep -q '2000 calls would be forgotten' "$ERR"
	[ ! -s "$OUT" ]
	admin deliveries --limit 1
	before=$(stat -c %s q.db)
	admin prune --before 30d
	got .pruned 2000
	[ "$(stat -c %s q.db)" -lt $((before / 2)) ]
	admin deliveries
	got .outcome 'delivered waiting dead'
	[ "$(sqlite3 q.db 'SELECT count(*) FROM attempt WHERE call NOT IN
		(SELECT seq FROM call)')" = 0 ]
	admin dead
	got .seq 1
	admin prune --before 30d --outcome dead
	got .pruned 1
	[ "$(sqlite3 q.db 'SELECT seq FROM payload')" = 2 ]
	[ "$(sqlite3 q.db 'PRAGMA integrity_check')" = ok ]
}

@test "prune: killed, it has done whole transactions; run again, it does the rest" {
	old_queue 50000
	hook-admin -q q.db prune --before 30d >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	some_gone() {
		[ "$(sqlite3 -cmd '.timeout 5000' q.db \
			'SELECT count(*) FROM call')" -lt 50000 ]
	}
	wait_until some_gone
	kill -9 "$pid"
	wait "$pid" || CODE=$?
	[ "$CODE" -eq 137 ]
	left=$(sqlite3 q.db 'SELECT count(*) FROM call WHERE outcome = 1')
	[ "$left" -gt 0 ]
	[ "$left" -lt 50000 ]
	[ "$(sqlite3 q.db 'PRAGMA integrity_check')" = ok ]
	[ "$(sqlite3 q.db 'SELECT count(*) FROM attempt WHERE outcome = 1')" = \
		"$left" ]
	admin prune --before 30d
	# The one with the highest number stays.
	got .pruned $((left - 1))
}

@test "prune: beside a deliverer, which loses nothing and is not held up" {
	old_queue 30000
	seq -f 'e%g' 1000 >names
	mapfile -t names <names
	feed good "${names[@]}"
	hook-admin -q q.db prune --before 30d >out 2>err 3>&- 4>&- &
	pid=$!
	EV_STARTED+=("$pid")
	ev-deliver "$LOOPBACK" -q q.db -w w.db --schedule none \
		--retention 365d calls >results 2>deliver.err 3>&- 4>&- || [ $? -eq 1 ]
	wait "$pid"
	[ "$(jq -r .pruned out)" -ge 29999 ]
	[ "$(grep -c '"outcome":"delivered"' results)" -eq 1000 ]
	admin deliveries --webhook good --outcome delivered --since 1h
	[ "$(wc -l <"$OUT")" -eq 1000 ]
	[ "$(sqlite3 q.db 'PRAGMA integrity_check')" = ok ]
}

@test "replay: by number and id, oldest first, in batches; what can't be is said" {
	seq -f 'e%g' 1200 >names
	mapfile -t names <names
	feed down "${names[@]}"
	deliver
	# It was paused soon.
	sqlite3 q.db 'UPDATE call SET due = NULL, outcome = 4 WHERE outcome = 0'
	admin deliveries --event e7
	id=$(jq -r .id "$OUT")
	seq=$(jq -r .seq "$OUT")
	admin replay "$id" 9
	got .replayed 2
	grep -q 'sending 2 calls again' "$ERR"
	run_prog hook-admin -q q.db replay 8 9
	want_code 2
	grep -q "call '9' cannot be sent again.*--keep" "$ERR"
	run_prog hook-admin -q q.db replay 8 msg_absent
	want_code 2
	grep -q "no call 'msg_absent'" "$ERR"
	admin dead
	[ "$(wc -l <"$OUT")" -eq 1198 ]
	admin replay --dry-run --outcome dead --limit 3
	got .seq '1200 1199 1198'
	admin replay --outcome dead --limit 3
	got .replayed 3
	admin replay --outcome dead
	got .replayed 1195
	# In the order in which they came, each under its id.
	sqlite3 q.db 'SELECT id FROM call WHERE seq > 1205 ORDER BY seq' >got
	sqlite3 q.db "SELECT id FROM call WHERE seq < 1198
		AND seq NOT IN (9, $seq) ORDER BY seq" >want
	same want got
	feed good g1
	deliver
	admin replay --webhook good
	got .replayed 0
	grep -q 'only with ev-deliver --keep' "$ERR"
}

@test "a terminal is asked before it replays or forgets" {
	feed down e1
	deliver
	for answer in n y; do
		echo "$answer" | script -qec \
			'hook-admin -q q.db replay --outcome dead' shown \
			>/dev/null 3>&- 4>&-
		grep -q 'do it?' shown
		grep -q "$([ "$answer" = y ] && echo '"replayed":1' ||
			echo 'nothing was done')" shown
	done
	script -qec 'hook-admin -q q.db prune --yes --before 1s' shown \
		</dev/null >/dev/null 3>&- 4>&-
	! grep -q 'do it?' shown || false
	grep -q '"pruned":' shown
}

# plans COMMAND…: what SQLite does for each statement that hook-admin runs for it,
# with the statement before it, to the file plans.
plans() {
	rm -f sql plans
	SQL_LOG=$PWD/sql LD_PRELOAD=$PWD/sql.so run_prog hook-admin -q q.db "$@"
	want_code 0
	grep -E '^(SELECT|UPDATE|INSERT|DELETE|WITH)' sql | sort -u |
		while read -r statement; do
			echo "$statement"
			sqlite3 q.db "EXPLAIN QUERY PLAN $statement" ||
				echo "no plan: SCAN call"
		done >plans
	[ -s plans ]
}

# no_scan COMMAND…: it walks through neither all calls nor all attempts, and
# sorts at most what waits.
no_scan() {
	plans "$@"
	! grep -E 'SCAN (call|attempt|payload|c|a|p)( |$)' plans >scans || {
		cat plans >&2
		return 1
	}
}

@test "no command walks through all calls or attempts, but for those that must" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o sql.so "$REPO/tests/helpers/sql.c" -ldl
	feed good e1 0193577e-7c00-7000-8000-000000000002
	feed down e3
	deliver --keep 1d calls
	id=$(sqlite3 q.db 'SELECT id FROM call WHERE seq = 2')
	no_scan deliveries --event e1
	no_scan deliveries --status 500
	no_scan deliveries --webhook good
	no_scan deliveries --webhook good --outcome dead
	no_scan deliveries --webhook good --status 204
	no_scan deliveries --since 1h
	no_scan deliveries --since 2h --until 1h
	no_scan deliveries --webhook good --since 1h
	for filter in '--name ping' '--outcome dead' '--outcome answered'; do
		# shellcheck disable=SC2086
		no_scan deliveries --limit 50 $filter
	done
	no_scan show 1
	no_scan show "$id"
	no_scan stats
	no_scan replay --dry-run --webhook good
	no_scan replay --dry-run --event e1
	no_scan replay --dry-run 1 "$id"
	no_scan replay --webhook good
	no_scan prune --before 1h
	# These walk from the newest on, and end when --limit are found.
	for filter in '' '--status 204'; do
		# shellcheck disable=SC2086
		plans deliveries --limit 50 $filter
		grep -qE 'SCAN c( |$)' plans
		! grep -q 'TEMP B-TREE' plans || false
	done
	# The test can fail.
	run no_scan deliveries
	[ "$status" -ne 0 ]
}

@test "show by id: the newest; of what an earlier version stored, too" {
	feed good 0193577e-7c00-7000-8000-000000000001
	deliver
	sqlite3 q.db 'DROP TABLE id_block'
	first=$(sqlite3 q.db 'SELECT id FROM call')
	feed good 0193577e-7c00-7000-8000-000000000002
	cp calls again
	deliver
	second=$(jq -r .id "$OUT")
	run_prog ev-deliver "$LOOPBACK" -q q.db -w w.db --force again
	admin show "$first" "$second"
	got .seq '1 3'
	run_prog hook-admin -q q.db show "${first%?}x"
	want_code 2
	# Blocks go with their calls.
	sqlite3 q.db 'INSERT INTO id_block VALUES(7, zeroblob(2048));
		UPDATE call SET seq = seq + 5000, settled = 1, taken = 1'
	admin prune --before 1d
	got .pruned 2
	[ "$(sqlite3 q.db 'SELECT count(*) FROM id_block')" = 0 ]
}
