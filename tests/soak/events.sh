#!/usr/bin/env bash
# From ev-push to the receiver under SIGKILL: events are pushed, pulled through
# all stages and delivered, while random processes of the chain are killed: the
# pusher, ev-pull, its shell, each stage. Then every event must have been
# received and acknowledged, and none be a dead letter; what was received twice
# is counted.
# Usage: tests/soak/events.sh [EVENTS [KILLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog
events=${1:-500000}
kills=${2:-100}
chunk=$((events / 20 + 1))
RANDOM=${SEED:-$$}

tmp=$(mktemp -d)
jobs=()
cleanup() {
	touch "$tmp/stop"
	local pid
	for pid in "${jobs[@]}" $(cat "$tmp"/*.pid 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp"

hook-sink --listen 127.0.0.1:0 --port-file port >sink 2>sink.err &
jobs+=($!)
for ((i = 0; i < 500; i++)); do
	[ ! -s port ] || break
	sleep 0.02
done
cat >w.json <<-JSON
	[{"id":"wh1","url":"http://127.0.0.1:$(cat port)/","subscriptions":["ping"],
	  "attributes":{"name":"one"}}]
JSON

# Chunks of events with ids, each pushed until that works.
awk -v n="$events" 'BEGIN { for (i = 1; i <= n; i++) printf \
	"{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",\"name\":\"ping\"," \
	"\"payload\":{\"name\":\"one\",\"n\":%d}}\n", i, i }' |
	split -l "$chunk" - chunk.
push() {
	local file pid
	for file in chunk.*; do
		while [ ! -e stop ]; do
			ev-push -q events "$file" 2>>push.err &
			pid=$!
			echo "$pid" >push.pid
			! wait "$pid" || break
		done
	done
	rm -f push.pid
}
pull() {
	local pid
	while [ ! -e stop ]; do
		ev-pull -q events -- sh -c 'ev-validate | ev-map -w w.json |
			ev-route -w w.json | ev-deliver -w w.json -q queue \
			--allow-net 127.0.0.0/8' >>results 2>>pull.err &
		pid=$!
		echo "$pid" >pull.pid
		wait "$pid" || true
	done
}
push 2>/dev/null &
jobs+=($!)
push_job=$!
pull 2>/dev/null &
jobs+=($!)
pull_job=$!

# One of the chain that runs now.
victim() {
	local pull shell=
	pull=$(cat pull.pid 2>/dev/null || true)
	[ -z "$pull" ] || shell=$(pgrep -P "$pull" | head -n 1 || true)
	{
		cat push.pid 2>/dev/null || true
		[ -z "$pull" ] || echo "$pull"
		[ -z "$shell" ] || { echo "$shell"; pgrep -P "$shell" || true; }
	} | shuf -n 1
}
n=0
while [ "$n" -lt "$kills" ]; do
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	pid=$(victim)
	name=$(cat "/proc/${pid:-none}/comm" 2>/dev/null || true)
	if [ -n "$name" ] && kill -9 "$pid" 2>/dev/null; then
		n=$((n + 1))
		echo "$name" >>killed
	fi
done

# To the end, undisturbed.
wait "$push_job"
left() {
	sqlite3 -readonly -cmd '.timeout 10000' "$1" "$2"
}
for ((i = 0; i < 6000; i++)); do
	[ "$(left events 'SELECT count(*) FROM event')" -gt 0 ] || break
	sleep 0.1
done
touch stop
kill "$(cat pull.pid)"
wait "$pull_job" || true
timeout 600 ev-deliver -w w.json -q queue --allow-net 127.0.0.0/8 --drain \
	>>results 2>>deliver.err || true

sort killed | uniq -c | sed 's/^/killed/'
grep -oE 'n[\]":[0-9]+' sink | grep -oE '[0-9]+' | sort -n >received
sort -nu received >distinct
dead=$(ev-pull -q events --dead | wc -l)
echo "$events events, $(wc -l <distinct) received," \
	"$(($(wc -l <received) - $(wc -l <distinct))) of them repeated," \
	"$(left events 'SELECT count(*) FROM event') unacknowledged," \
	"$dead dead letters, $(wc -l <killed) kills"
seq "$events" >want
if ! cmp -s want distinct || [ "$dead" -gt 0 ] ||
	[ "$(left events 'SELECT count(*) FROM event')" -gt 0 ]; then
	diff want distinct | head -n 20
	tail -n 20 pull.err
	echo "lost or left behind"
	exit 1
fi
