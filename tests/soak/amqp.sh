#!/usr/bin/env bash
# As soak/events.sh, with the events on a quorum queue of three RabbitMQ nodes on
# loopback: random processes of the chain are killed, and now and then a node,
# which is started again.
# Usage: tests/soak/amqp.sh [EVENTS [KILLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog
# shellcheck source=tests/helpers/rabbitmq.bash
. "$here/tests/helpers/rabbitmq.bash"
events=${1:-500000}
kills=${2:-100}
chunk=$((events / 20 + 1))
RANDOM=${SEED:-$$}
has_rabbitmq || { echo "no rabbitmq-server here: skipped"; exit 0; }

tmp=$(mktemp -d)
jobs=()
cleanup() {
	touch "$tmp/stop"
	local pid
	for pid in "${jobs[@]}" $(cat "$tmp"/*.pid 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null || true
	done
	rabbit_stop "$tmp/rabbit"
	wait 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp"

RABBIT_BASE=$((20000 + (RANDOM % 400) * 50))
mkdir rabbit
config=("cluster_formation.peer_discovery_backend = classic_config"
	"cluster_partition_handling = ignore")
for n in 1 2 3; do
	config+=("cluster_formation.classic_config.nodes.$n = n${n}_$RABBIT_BASE@localhost")
done
for n in 1 2 3; do
	rabbit_start "$tmp/rabbit" $n "${config[@]}"
	DEADLINE=60 rabbit_wait "$tmp/rabbit" $n
done
for ((i = 0; i < 300; i++)); do
	[ "$(rabbit_ctl rabbit 1 cluster_status --formatter json |
		jq '.running_nodes | length')" -lt 3 ] || break
	sleep 0.2
done
queue="amqp://127.0.0.1:$((RABBIT_BASE + 10)),127.0.0.1:$((RABBIT_BASE + 20)),127.0.0.1:$((RABBIT_BASE + 30))?queue=soak"
ev-pull -q "$queue" --declare

hook-sink --listen 127.0.0.1:0 --port-file port >sink 2>sink.err &
jobs+=($!)
until [ -s port ]; do sleep 0.02; done
cat >w.json <<-JSON
	[{"id":"wh1","url":"http://127.0.0.1:$(cat port)/","subscriptions":["ping"],
	  "attributes":{"name":"one"}}]
JSON

awk -v n="$events" 'BEGIN { for (i = 1; i <= n; i++) printf \
	"{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",\"name\":\"ping\"," \
	"\"payload\":{\"name\":\"one\",\"n\":%d}}\n", i, i }' |
	split -l "$chunk" - chunk.
push() {
	local file pid
	for file in chunk.*; do
		while [ ! -e stop ]; do
			ev-push -q "$queue" "$file" 2>>push.err &
			pid=$!
			echo "$pid" >push.pid
			! wait "$pid" || break
			sleep 0.1
		done
	done
	rm -f push.pid
}
pull() {
	local pid
	while [ ! -e stop ]; do
		EV_REJECTS=$tmp/rejects ev-pull -q "$queue" -- sh -c 'ev-validate |
			ev-map -w w.json | ev-route -w w.json | ev-deliver -w w.json \
			-q queue --allow-net 127.0.0.0/8' >>results 2>>pull.err &
		pid=$!
		echo "$pid" >pull.pid
		wait "$pid" || true
		sleep 0.1
	done
}
push 2>/dev/null &
jobs+=($!)
push_job=$!
pull 2>/dev/null &
jobs+=($!)
pull_job=$!

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
# Each tenth is a node: one at a time, so that most of them are there.
kill_node() {
	local node=$((RANDOM % 3 + 1))
	rabbit_kill rabbit $node
	echo node >>killed
	sleep "0.$((RANDOM % 10))"
	rabbit_start "$tmp/rabbit" $node
	DEADLINE=60 rabbit_wait "$tmp/rabbit" $node
}
n=0
while [ "$n" -lt "$kills" ]; do
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	if ((n % 10 == 9)); then
		kill_node
		n=$((n + 1))
		continue
	fi
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
	rabbit_ctl rabbit 1 list_queues name messages |
		awk -v name="$1" '$1 == name { print $2 }'
}
# The counts are some seconds late: the same twice.
for ((i = 0; i < 600; i++)); do
	if [ "$(left soak)" = 0 ]; then
		sleep 6
		[ "$(left soak)" != 0 ] || break
	fi
	sleep 1
done
touch stop
kill "$(cat pull.pid)"
wait "$pull_job" || true
timeout 600 ev-deliver -w w.json -q queue --allow-net 127.0.0.0/8 --drain \
	>>results 2>>deliver.err || true

sort killed | uniq -c | sed 's/^/killed/'
grep -oE 'n[\]":[0-9]+' sink | grep -oE '[0-9]+' | sort -n >received
sort -nu received >distinct
dead=$(ev-pull -q "$queue" --dead | wc -l)
echo "$events events, $(wc -l <distinct) received," \
	"$(($(wc -l <received) - $(wc -l <distinct))) of them repeated," \
	"$(left soak) unacknowledged, $dead dead letters, $(wc -l <killed) kills"
seq "$events" >want
if ! cmp -s want distinct || [ "$dead" -gt 0 ] || [ "$(left soak)" != 0 ]; then
	diff want distinct | head -n 20
	tail -n 20 pull.err
	echo "lost or left behind"
	exit 1
fi
