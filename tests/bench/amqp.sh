#!/usr/bin/env bash
# The event queue on a quorum queue of one RabbitMQ node, on the same machine:
# ev-push in bulk, each confirmed, and ev-pull with cat. Medians.
# Usage: tests/bench/amqp.sh [ROUNDS [EVENTS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
# shellcheck source=tests/helpers/rabbitmq.bash
. "$here/tests/helpers/rabbitmq.bash"
rounds=${1:-3} events=${2:-200000}
has_rabbitmq || { echo "no rabbitmq-server here: skipped"; exit 0; }

tmp=$(mktemp -d)
trap 'rabbit_stop "$tmp/rabbit"; rm -rf "$tmp"' EXIT
mkdir "$tmp/rabbit"
rabbit_start "$tmp/rabbit" 1
DEADLINE=60 rabbit_wait "$tmp/rabbit" 1
queue="amqp://127.0.0.1:$RABBIT_PORT?queue=bench"
ev-pull -q "$queue" --declare
awk -v n="$events" 'BEGIN { for (i = 1; i <= n; i++) printf \
	"{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",\"name\":\"ping\"," \
	"\"payload\":{\"name\":\"one\",\"n\":%d}}\n", i, i }' >"$tmp/in"

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for ((i = 0; i < rounds; i++)); do
	t0=$(date +%s%N)
	ev-push -q "$queue" "$tmp/in"
	t1=$(date +%s%N)
	ev-pull -q "$queue" -- cat >"$tmp/out" &
	pull=$!
	until [ "$(wc -l <"$tmp/out")" -ge "$events" ]; do sleep 0.01; done
	t2=$(date +%s%N)
	kill "$pull"
	wait "$pull"
	echo $((events * 1000000 / ((t1 - t0) / 1000))) >>"$tmp/push"
	echo $((events * 1000000 / ((t2 - t1) / 1000))) >>"$tmp/pull"
done
echo "medians of $rounds rounds of $events events, one node"
printf 'ev-push, confirmed   %8d events/s\n' "$(median "$tmp/push")"
printf 'ev-pull with cat     %8d events/s\n' "$(median "$tmp/pull")"
