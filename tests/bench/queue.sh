#!/usr/bin/env bash
# The delivery queue in one run: storing, and sorting in, too, against `sqlite3
# .import` into the tables and indexes of what is sorted in; durable, signed delivery against wrk, and over TLS; from a line in to a
# request out; what a dead webhook costs 999 others; memory over a backlog.
# Usage: tests/bench/queue.sh [ROUNDS [CALLS [BACKLOG]]]; EV_BIN is where the
# programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
rounds=${1:-5}
calls=${2:-200000}
backlog=${3:-1000000}
unset EV_WEBHOOKS EV_REJECTS

for tool in nginx wrk sqlite3 jq openssl /usr/bin/time; do
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

# shellcheck source=tests/bench/calls.bash
source "$here/tests/bench/calls.bash"

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
sorted() { # KIND: in, as far as hook-admin does for one command
	ev-deliver -q q --enqueue "$1"
	hook-admin -q q stats
}
export -f sorted
for kind in v7 random; do
	calls_of "$calls" $kind 3 >"$kind"
	rm -f q q-*
	sorted "$kind" >/dev/null 2>&1
	# 14 bytes of text for the 14 of the key.
	sqlite3 -csv q "SELECT $store_columns, substr(hex(same), 5, 14), id, event, name, reason FROM call" >"call-$kind.csv"
	sqlite3 -csv q "SELECT seq, CAST(text AS TEXT) FROM payload" >"payload-$kind.csv"
done
for ((round = 0; round < rounds; round++)); do
	for kind in v7 random; do
		rm -f q q-*
		timed "store-$kind" "$calls" ev-deliver -q q --enqueue "$kind"
		import $kind
		rm -f q q-*
		timed "sorted-$kind" "$calls" bash -c 'sorted "$1"' sorted "$kind"
	done
done
echo "storing $calls calls, medians of $rounds"
for kind in v7 random; do
	line "  --enqueue, $kind ids" "rate.store-$kind" "$(ratio "rate.store-$kind" "rate.import-$kind") x .import"
	line "  and sorted in" "rate.sorted-$kind" "$(ratio "rate.sorted-$kind" "rate.import-$kind") x .import"
done
echo "  one at a time, each on disk before the next $(one_at_a_time 500 v7) /s (by perl)"

# Delivering

start_nginx "$tmp"
pids+=("$nginx_pid")
cat >post.lua <<END
wrk.method = "POST"
wrk.body = '$body'
wrk.headers["Content-Type"] = "application/json"
END
registry() { # N [SCHEME [CA]]
	awk -v n="$1" -v scheme="${2:-http}" -v port="$port" 'BEGIN { printf "["
		for (i = 0; i < n; i++)
			printf "%s{\"id\":\"w%d\",\"url\":\"%s://127.0.0.1:%d/%d\",\"subscriptions\":[\"ping\"]}", i ? ",\n" : "", i, scheme, port, i
		print "]" }' |
		jq -c --rawfile ca "${3:-/dev/null}" 'if $ca != "" then .[].ca = $ca else . end'
}
signed() { # NAME: a registry of it, NAME.json, with signing secrets
	hook-admin -w "$1" import "$1.json"
	for i in 0 1 2; do
		hook-admin -w "$1" secret generate "w$i" >/dev/null
	done
}
registry 3 >w.json
signed w
mkdir tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
	-subj /CN=receiver -addext 'subjectAltName=IP:127.0.0.1' \
	-keyout tls/key -out tls/ca 2>/dev/null
plain=$port
start_nginx "$tmp/tls" 127.0.0.1 "$tmp/tls/ca" "$tmp/tls/key"
pids+=("$nginx_pid")
tls=$port
registry 3 https tls/ca >s.json
signed s
port=$plain
wrk() { # NAME URL
	command wrk -t1 -c64 -d3s -s post.lua "$2" |
		awk '/^Requests\/sec/ { print $2 }' >>"rate.$1"
}
for ((round = 0; round < rounds; round++)); do
	wrk wrk "http://127.0.0.1:$plain/"
	timed memory "$calls" ev-deliver -w w --allow-net 127.0.0.0/8 v7
	rm -f q q-*
	ev-deliver -q q --enqueue v7
	timed durable "$calls" ev-deliver -q q -w w --drain \
		--allow-net 127.0.0.0/8 /dev/null
	wrk wrk-tls "https://127.0.0.1:$tls/"
	timed tls "$calls" ev-deliver -w s --allow-net 127.0.0.0/8 v7
done
echo "delivering $calls calls, signed, 64 in flight, medians of $rounds"
line "  wrk -c64" rate.wrk "1.00 x wrk"
for kind in memory durable; do
	line "  $kind" rate.$kind "$(ratio rate.$kind rate.wrk) x wrk, $(median cpu.$kind) us CPU each, $(($(median rss.$kind) / 1024)) MiB"
done
line "  wrk -c64 over TLS" rate.wrk-tls "1.00 x wrk"
line "  from memory over TLS" rate.tls "$(ratio rate.tls rate.wrk-tls) x wrk, $(median cpu.tls) us CPU each, $(($(median rss.tls) / 1024)) MiB"

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
	head -n $((backlog - n)) part | sed "s/\"id\":\"msg_/&$n/"
done | ev-deliver -q q --enqueue
ev-deliver -q q -w w.json --serve --allow-net 127.0.0.0/8 >out 2>/dev/null &
server=$!
sleep 5
echo "memory over a backlog of $backlog calls: $(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$server/status") MiB"
kill "$server"
wait "$server" || true
