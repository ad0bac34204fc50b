#!/usr/bin/env bash
# The delivery queue in one run: storing against `sqlite3 .import` into the same
# schema and indexes; durable, signed delivery against wrk; from a line in to a
# request out; what a dead webhook costs 999 others; memory over a backlog.
# Usage: tests/bench/queue.sh [ROUNDS [CALLS [BACKLOG]]]; EV_BIN is where the
# programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
rounds=${1:-5}
calls=${2:-200000}
backlog=${3:-1000000}
body='{"name":"ping","payload":{"text":"0123456789012345678901234567890123456789012345678901234567890123456789"}}'
unset EV_WEBHOOKS EV_REJECTS

for tool in nginx wrk sqlite3 /usr/bin/time; do
	command -v "$tool" >/dev/null || {
		echo "queue.sh: $tool is not installed: nothing measured" >&2
		exit 0
	}
done
tmp=$(mktemp -d)
pids=()
cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp"

# shellcheck source=tests/bench/nginx.bash
source "$here/tests/bench/nginx.bash"

# calls_of N KIND WEBHOOKS: ids of the kind v7 or random, over so many webhooks.
calls_of() {
	awk -v n="$1" -v kind="$2" -v hooks="$3" -v body="$body" '
	function hex(digits,   s) {
		s = ""
		while (length(s) < digits)
			s = s sprintf("%04x", int(rand() * 65536))
		return substr(s, 1, digits)
	}
	BEGIN {
		srand(7)
		for (i = 0; i < n; i++) {
			ms = sprintf("%012x", 1795000000000 + int(i / 300))
			e = kind == "v7" ? substr(ms, 1, 8) "-" substr(ms, 9) "-7" hex(3) "-8" hex(3) "-" hex(12) : hex(32)
			printf "{\"url\":\"http://127.0.0.1:9/\",\"headers\":{},\"id\":\"msg_%s\",\"event\":\"%s\",\"name\":\"ping\",\"webhook\":\"w%d\",\"body\":%s}\n", hex(32), e, i % hooks, body
		}
	}'
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# timed NAME N COMMAND…: N a second; kilobytes; CPU us each.
timed() {
	local name=$1 n=$2
	shift 2
	/usr/bin/time -o time -f '%e %M %U %S' "$@" >out 2>err || {
		cat err >&2
		exit 1
	}
	awk -v n="$n" '{ print n / $1 }' time >>"rate.$name"
	awk '{ print $2 }' time >>"rss.$name"
	awk -v n="$n" '{ print ($3 + $4) / n * 1e6 }' time >>"cpu.$name"
}
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'; }
line() { printf '%-44s %10.0f /s %8s\n' "$1" "$(median "$2")" "$3"; }

# Storing

store_columns="seq, lane, due, outcome, attempts, taken, settled, turn, body"
import() { # KIND
	rm -f i i-*
	sqlite3 i "PRAGMA journal_mode=WAL; PRAGMA auto_vacuum=INCREMENTAL; $(sqlite3 q .schema)" >/dev/null
	# An empty column of a CSV is no NULL: its index would have every row.
	sqlite3 i 'DROP INDEX call_turn; DROP INDEX call_dead'
	timed "import-$1" "$calls" sqlite3 i 'PRAGMA synchronous=FULL' '.mode csv' \
		".import call-$1.csv call" ".import payload-$1.csv payload"
}
for kind in v7 random; do
	calls_of "$calls" $kind 3 >"$kind"
	rm -f q q-*
	ev-deliver -q q --enqueue "$kind"
	# 14 bytes of text for the 14 of the key.
	sqlite3 -csv q "SELECT $store_columns, substr(hex(same), 5, 14), id, event, name, reason FROM call" >"call-$kind.csv"
	sqlite3 -csv q "SELECT seq, CAST(text AS TEXT) FROM payload" >"payload-$kind.csv"
done
for ((round = 0; round < rounds; round++)); do
	for kind in v7 random; do
		rm -f q q-*
		timed "store-$kind" "$calls" ev-deliver -q q --enqueue "$kind"
		import $kind
	done
done
echo "storing $calls calls, medians of $rounds"
for kind in v7 random; do
	line "  --enqueue, $kind ids" "rate.store-$kind" "$(ratio "rate.store-$kind" "rate.import-$kind") x .import"
done
one() {
	local i
	for ((i = 0; i < 500; i++)); do
		IFS= read -r call <&3
		printf '%s\n{"barrier":"s.%d"}\n' "$call" "$i"
		IFS= read -r _ <&4
	done
}
rm -f q q-*
mkfifo there back
ev-deliver -q q --enqueue -r /dev/null <there >back &
pids+=("$!")
exec 5>there 4<back 3<v7
start=${EPOCHREALTIME/./}
one >&5
echo "  one at a time, each on disk before the next $((500 * 1000000 / (${EPOCHREALTIME/./} - start))) /s (by bash)"
exec 5>&- 4<&- 3<&-

# Delivering

start_nginx "$tmp"
pids+=("$nginx_pid")
cat >post.lua <<END
wrk.method = "POST"
wrk.body = '$body'
wrk.headers["Content-Type"] = "application/json"
END
registry() { # N
	awk -v n="$1" -v port="$port" 'BEGIN { printf "["
		for (i = 0; i < n; i++)
			printf "%s{\"id\":\"w%d\",\"url\":\"http://127.0.0.1:%d/%d\",\"subscriptions\":[\"ping\"]}", i ? ",\n" : "", i, port, i
		print "]" }'
}
registry 3 >w.json
rm -f w.db w.db.secrets
hook-admin -w w.db import w.json
for i in 0 1 2; do
	hook-admin -w w.db secret generate "w$i" >/dev/null
done
for ((round = 0; round < rounds; round++)); do
	wrk -t1 -c64 -d3s -s post.lua "http://127.0.0.1:$port/" |
		awk '/^Requests\/sec/ { print $2 }' >>rate.wrk
	timed memory "$calls" ev-deliver -w w.db --allow-net 127.0.0.0/8 v7
	rm -f q q-*
	ev-deliver -q q --enqueue v7
	timed durable "$calls" ev-deliver -q q -w w.db --drain \
		--allow-net 127.0.0.0/8 /dev/null
done
echo "delivering $calls calls, signed, 64 in flight, medians of $rounds"
line "  wrk -c64" rate.wrk "1.00 x wrk"
for kind in memory durable; do
	line "  $kind" rate.$kind "$(ratio rate.$kind rate.wrk) x wrk, $(median cpu.$kind) us CPU each, $(($(median rss.$kind) / 1024)) MiB"
done

# From a line in to a request out

hook-sink --listen 127.0.0.1:0 --port-file sinkport >sink 2>/dev/null &
pids+=("$!")
until [ -s sinkport ]; do sleep 0.05; done
rm -f q q-*
for ((i = 0; i < 1000; i++)); do
	printf '{"url":"http://127.0.0.1:%s/%s","headers":{},"body":{}}\n' \
		"$(<sinkport)" "$((${EPOCHREALTIME/./} / 1000))"
	sleep 0.009
done | ev-deliver -q q --allow-net 127.0.0.0/8 >/dev/null
sed -n 's|^{"time":"\([^"]*\)".*"target":"/\([0-9]*\)".*|\1 \2|p' sink |
	while read -r at sent; do
		frac=${at#*.}
		echo $(($(date -d "${at%.*}Z" +%s) * 1000 + 10#${frac%Z} - sent))
	done | sort -n >took
echo "a line in to a request out, durable, 100 a second: median $(sed -n "$(($(wc -l <took) / 2))p" took) ms, 99th percentile $(sed -n "$(($(wc -l <took) * 99 / 100))p" took) ms"

# A dead one among a thousand

registry 1000 >w.json
hook-sink --listen 127.0.0.1:0 --port-file deadport --script <(echo hang) \
	--quiet >/dev/null 2>&1 &
pids+=("$!")
until [ -s deadport ]; do sleep 0.05; done
jq -c --arg url "http://127.0.0.1:$(<deadport)/" \
	'. + [{id: "dead", url: $url, subscriptions: ["ping"]}]' w.json >dead.json
calls_of "$calls" v7 1000 >many
awk 'NR % 20 == 0 { d = $0; sub(/"webhook":"w[0-9]*"/, "\"webhook\":\"dead\"", d)
	sub(/"id":"msg_/, "\"id\":\"dead_", d); print d } { print }' many >many.dead
span() { # of the delivered, in us by their times
	jq -rn '[inputs | select(.outcome == "delivered").time[0:23] + "Z" |
		(.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber)] |
		max - min' "$1"
}
for ((round = 0; round < rounds; round++)); do
	for kind in many many.dead; do
		rm -f q q-*
		ev-deliver -q q --enqueue $kind
		ev-deliver -q q -w dead.json --allow-net 127.0.0.0/8 --timeout 2s \
			/dev/null >out 2>/dev/null
		awk -v n="$calls" -v ms="$(span out)" 'BEGIN { print n / ms * 1000 }' \
			>>rate.$kind
	done
done
echo "$calls calls to 1,000 webhooks, medians of $rounds"
line "  all well" rate.many ""
line "  and one that hangs, with a twentieth more" rate.many.dead "$(ratio rate.many.dead rate.many)"

# Memory over a backlog

rm -f q q-*
calls_of "$calls" v7 1000 >part
for ((n = 0; n < backlog; n += calls)); do
	sed "s/\"id\":\"msg_/&$n/" part
done | head -n "$backlog" | ev-deliver -q q --enqueue
ev-deliver -q q -w w.json --serve --allow-net 127.0.0.0/8 >out 2>/dev/null &
server=$!
sleep 5
echo "memory over a backlog of $backlog calls: $(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$server/status") MiB"
kill "$server"
wait "$server" || true
