#!/usr/bin/env bash
# ev-deliver against BullMQ with redis-server and undici, doing the same: calls put on
# disk, then each POSTed, signed, to an nginx that answers 204, 64 in flight. One run,
# rounds interleaved, medians, ratios.
# The peer as its documentation has it for durable work: addBulk by 1,000, attempts 5
# with exponential back-off, removeOnComplete, one worker process, an undici Pool of 64
# connections, HMAC by node; redis on a local socket with an append-only file, synced
# once a second (a crash loses a second) and always (as durable as ev-deliver). Its rates
# and CPU are taken inside node, without node's start; ev-deliver's are of the whole
# process. CPU and memory are of all processes but nginx.
# Usage: tests/bench/bullmq.sh [ROUNDS [CALLS [JOBS]]]: ev-deliver's CALLS, BullMQ's JOBS;
# EV_BIN is where the programs are. BullMQ comes from $BULLMQ_DIR (a folder with
# node_modules), else by npm.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
rounds=${1:-5}
calls=${2:-200000}
jobs=${3:-30000}
one=1000
unset EV_WEBHOOKS EV_REJECTS

left_out() {
	echo "bullmq.sh: $1: nothing measured" >&2
	exit 0
}
for tool in nginx redis-server redis-cli node npm /usr/bin/time; do
	command -v "$tool" >/dev/null || left_out "$tool is not installed"
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

peer=${BULLMQ_DIR:-$tmp/npm}
if [ ! -d "$peer/node_modules/bullmq" ]; then
	mkdir -p "$peer"
	(cd "$peer" && timeout 120 npm install --no-audit --no-fund --loglevel=error \
		bullmq@6 ioredis undici@7 >/dev/null 2>&1) ||
		left_out "npm does not get bullmq"
fi
export NODE_PATH=$peer/node_modules
node -p '["bullmq", "ioredis", "undici"].map((name) => name + " " +
	JSON.parse(require("fs").readFileSync(process.env.NODE_PATH + "/" + name +
	"/package.json")).version).join(", ") + ", node " + process.versions.node'
redis-server --version

# start_redis WHEN: its file synced so. Sets redis_pid.
start_redis() {
	mkdir "$tmp/redis-$1"
	redis-server --port 0 --unixsocket "$tmp/$1.sock" --dir "$tmp/redis-$1" \
		--save '' --appendonly yes --appendfsync "$1" >"$1.log" 2>&1 &
	redis_pid=$!
	pids+=("$redis_pid")
	for ((i = 0; i < 100; i++)); do
		[ "$(redis-cli -s "$tmp/$1.sock" ping 2>/dev/null)" != PONG ] || return 0
		sleep 0.1
	done
	left_out "redis-server does not start"
}
# bullmq WHEN ONE
bullmq() {
	local name rate cpu pid=${redis_of[$1]}
	echo 5 >"/proc/$pid/clear_refs" # its peak begins anew
	timeout 300 node "$here/tests/bench/bullmq.js" "$tmp/$1.sock" "$pid" "$port" \
		"$jobs" "$2" "$body" >said
	while read -r name rate cpu; do
		echo "$rate" >>"rate.$name-$1"
		echo "$cpu" >>"cpu.$name-$1"
	done <said
}

start_nginx "$tmp"
pids+=("$nginx_pid")
declare -A redis_of
for when in everysec always; do
	start_redis $when
	redis_of[$when]=$redis_pid
done
calls_of "$calls" v7 3 >v7
for i in 0 1 2; do
	hook-admin -w w add --id "w$i" --url "http://127.0.0.1:$port/$i" \
		--subscribe ping --attribute name=x >/dev/null
	hook-admin -w w secret generate "w$i" >/dev/null
done

for ((round = 0; round < rounds; round++)); do
	bullmq everysec 0
	rm -f q q-*
	timed store "$calls" ev-deliver -q q --enqueue v7
	timed drain "$calls" ev-deliver -q q -w w --drain --allow-net 127.0.0.0/8 \
		/dev/null
	[ "$(wc -l <out)" -eq "$calls" ]
	bullmq always 0
	bullmq always "$one"
	one_at_a_time "$one" v7 >>rate.one
done

echo "medians of $rounds: $calls calls by ev-deliver, $jobs by BullMQ"
echo "stored in bulk, a second"
for when in everysec always; do
	line "  addBulk, appendfsync $when" "rate.bulk-$when" ""
	line "  ev-deliver --enqueue" rate.store "$(ratio rate.store "rate.bulk-$when") x"
done
echo "stored one at a time, each on disk before the next"
line "  add, appendfsync always" rate.one-always ""
line "  ev-deliver and a barrier (by perl)" rate.one "$(ratio rate.one rate.one-always) x"
echo "delivered"
for when in everysec always; do
	line "  BullMQ, appendfsync $when" "rate.drain-$when" \
		"  $(median "cpu.drain-$when" | cut -c 1-5) us CPU each, $(($(median "rate.rss-$when") / 1024)) MiB"
	line "  ev-deliver -q --drain" rate.drain \
		"$(ratio rate.drain "rate.drain-$when") x, CPU $(ratio cpu.drain "cpu.drain-$when"), memory $(ratio rss.drain "rate.rss-$when")"
done
