#!/usr/bin/env bash
# hook-admin report over a history of 5,000,000 attempts at 2,000 webhooks in 7 days,
# of which some fail by night: seconds, the median of so many rounds, and kilobytes.
# Usage: tests/bench/report.sh [ROUNDS [CALLS [WEBHOOKS [PAGE]]]]: PAGE keeps the page.
# EV_BIN: the programs.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-5} calls=${2:-5000000} hooks=${3:-2000} page=${4:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
q=$tmp/calls.db

# The queue makes its own schema.
echo '{"url":"http://127.0.0.1:1/","headers":{},"body":{}}' |
	"$bin/ev-deliver" -q "$q" --enqueue
now=$(date +%s)000
sqlite3 "$q" >/dev/null <<END
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
DELETE FROM call; DELETE FROM payload; DELETE FROM lane;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $hooks)
INSERT INTO lane(no, webhook, state, failures, since, until, why)
SELECT i, 'shop-' || i, CASE WHEN i % 61 = 3 THEN 2 WHEN i % 37 = 2 THEN 1 ELSE 0 END,
	0, $now - 5400000, $now + 60000, CASE WHEN i % 61 = 3 THEN 'http-5xx' ELSE '' END
FROM n WHERE $hooks > 0;
WITH RECURSIVE n(i) AS
	(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $calls)
INSERT INTO call(seq, lane, due, outcome, attempts, taken, settled, body, id,
	event, name, reason, same)
SELECT i, i * 7919 % max($hooks, 1) + 1, CASE WHEN i % 5003 = 0 THEN $now + 60000 END,
	CASE WHEN i % 5003 = 0 THEN 0 WHEN i % 1000 = 0 THEN 4 ELSE 1 END, 1,
	$now - 604800000 + i * 604800000 / $calls,
	$now - 604800000 + i * 604800000 / $calls + 20, i,
	'msg_' || printf('%032x', i), 'event_' || i, 'ping',
	CASE WHEN i % 5003 = 0 OR i % 1000 = 0 THEN CASE i % 3000 WHEN 0 THEN 'timeout'
	ELSE 'http-5xx' END END,
	CAST(printf('%014d', i) AS BLOB)
FROM n WHERE $hooks > 0;
INSERT INTO attempt(call, n, time, outcome, status, reason, error, us, first_us)
SELECT seq, 1, settled, CASE outcome WHEN 0 THEN 3 ELSE outcome END,
	CASE WHEN outcome = 1 THEN 204 WHEN reason = 'http-5xx' THEN 503 END, reason,
	CASE WHEN outcome = 1 THEN NULL WHEN reason = 'timeout'
	THEN 'no answer within 30 s' ELSE 'the receiver answered 503' END, 20000, 19000
FROM call;
WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < 168)
INSERT INTO hour SELECT no, $now / 3600000 - i,
	f, 0, bad, bad / 8, f * 20000,
	0, f / 8, f / 4, f / 4, f / 4, f - f / 8 - 3 * (f / 4) - f / 40 * 2, 0, f / 40, f / 40,
	0, 0, 0, bad, bad / 8, 0
FROM (SELECT no, i, max(1, CAST(30 + 25 * sin(($now / 3600000 - i - 9) * 0.2618) AS INTEGER)
		+ (no * 31 + i * 17) % 7) AS f,
	CASE WHEN no % 9 = 1 AND ($now / 3600000 - i) % 24 BETWEEN 1 AND 4
		THEN 3 + no % 40 ELSE 0 END AS bad
	FROM lane, h);
PRAGMA journal_mode = WAL;
END
printf '%s calls, %s webhooks, %s MiB\n' "$calls" "$hooks" \
	$(($(stat -c %s "$q") / 1048576))
for ((i = 0; i < rounds; i++)); do
	/usr/bin/time -o "$tmp/time" -f '%e %M' "$bin/hook-admin" -q "$q" report \
		--since 7d >"$tmp/page.html"
	cat "$tmp/time" >>"$tmp/times"
done
sort -n "$tmp/times" | awk '{ s[NR] = $1; m[NR] = $2 } END {
	k = int((NR + 1) / 2); printf "report %.2f s, %d MiB of memory", s[k], m[k] / 1024 }'
printf ', a page of %s KiB\n' $(($(stat -c %s "$tmp/page.html") / 1024))
[ -z "$page" ] || cp "$tmp/page.html" "$page"
