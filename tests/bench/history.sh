#!/usr/bin/env bash
# hook-admin's questions to a history of 5,000,000 settled calls of 1,000
# webhooks, an attempt each, over 7 days: seconds, the median of so many rounds.
# Usage: tests/bench/history.sh [ROUNDS [CALLS]]; EV_BIN: the programs.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-5} calls=${2:-5000000}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
q=$tmp/q.db

# The queue makes its own schema. An event of all webhooks, the first of all, is
# stored as usual: its calls are found by the event's id and their own.
event=0193577e-7c00-7000-8000-000000000077
for ((i = 1; i <= 1000; i++)); do
	printf '{"id":"wh_%d","url":"http://127.0.0.1:1/","subscriptions":["ping"],"attributes":{"name":"x"}}\n' "$i"
done | jq -s . >"$tmp/w.json"
printf '{"name":"ping","id":"%s","payload":{"name":"x"}}\n' "$event" |
	"$bin/ev-route" -c "$here/examples/catalog" -w "$tmp/w.json" |
	"$bin/ev-deliver" -q "$q" --enqueue
"$bin/hook-admin" -q "$q" stats >/dev/null # sorts them in
id=$(sqlite3 "$q" 'SELECT id FROM call WHERE seq = 100')
now=$(date +%s)000
sqlite3 "$q" >/dev/null <<END
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
DELETE FROM payload;
UPDATE call SET due = NULL, outcome = 1, attempts = 1,
	taken = $now - 604800000, settled = $now - 604800000;
WITH RECURSIVE n(i) AS
	(SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < $calls)
INSERT INTO call(seq, lane, due, outcome, attempts, taken, settled, body, id,
	event, name, reason, same)
SELECT i, i * 7919 % 1000 + 1, NULL, CASE i % 1000 WHEN 0 THEN 4 ELSE 1 END, 1,
	$now - 604800000 + i * 604800000 / $calls,
	$now - 604800000 + i * 604800000 / $calls + 20, i,
	'msg_' || printf('%032x', i), 'event_' || i, 'ping',
	CASE i % 1000 WHEN 0 THEN 'http-5xx' END, CAST(printf('%014d', i) AS BLOB)
FROM n;
-- The ids of these are in no block, but blocks as many are there.
WITH RECURSIVE n(i) AS
	(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $calls / 512)
INSERT OR IGNORE INTO id_block SELECT i, randomblob(2048) FROM n;
INSERT INTO attempt(call, n, time, outcome, status, reason, us, first_us)
SELECT seq, 1, settled, outcome, CASE outcome WHEN 4 THEN 500 ELSE 204 END,
	reason, 20000, 19000 FROM call;
WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < 168)
INSERT INTO hour SELECT no, $now / 3600000 - i, 29, 0, 0, 1, 600000, 0, 0, 0, 0,
	30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM lane, h;
PRAGMA journal_mode = WAL;
END
printf '%s calls, %s webhooks, %s MiB\n' "$calls" 1000 \
	$(($(stat -c %s "$q") / 1048576))

ask() { # WHAT hook-admin's arguments…
	local what=$1 i
	shift
	for ((i = 0; i < rounds; i++)); do
		local start end
		start=$(date +%s%N)
		"$bin/hook-admin" -q "$q" "$@" >"$tmp/out"
		end=$(date +%s%N)
		echo $(((end - start) / 1000))
	done | sort -n | awk -v what="$what" '{ t[NR] = $1 } END {
		printf "%-40s %8.1f ms", what, t[int((NR + 1) / 2)] / 1000 }'
	printf '  %d lines\n' "$(wc -l <"$tmp/out")"
}

ask "deliveries, the newest 50" deliveries --limit 50
ask "  of a webhook" deliveries --webhook wh_500 --limit 50
ask "  of a webhook, dead" deliveries --webhook wh_1 --outcome dead --limit 50
ask "  dead" deliveries --outcome dead --limit 50
ask "  of an hour, six days ago" deliveries --since 144h --until 143h --limit 50
ask "  of an event" deliveries --event "$event"
ask "  of a name that is none" deliveries --name nosuch --limit 50
ask "  answered, which none is" deliveries --outcome answered --limit 50
ask "  with a status that is rare" deliveries --status 500 --limit 50
ask "  with the usual status" deliveries --status 204 --limit 50
ask "show, by number" show 77
ask "show, by id" show "$id"
ask "stats, of a day" stats
ask "stats, of 7 days" stats --since 7d
