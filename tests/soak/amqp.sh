#!/usr/bin/env bash
# soak/chain.bash with the events on a quorum queue of three RabbitMQ nodes on
# loopback; each tenth kill is that of a node, which is started again.
# Usage: tests/soak/amqp.sh [EVENTS [KILLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog DEADLINE=60
RANDOM=${SEED:-$$}
# shellcheck source=tests/soak/chain.bash
. "$here/tests/soak/chain.bash"
# shellcheck source=tests/helpers/rabbitmq.bash
. "$here/tests/helpers/rabbitmq.bash"
has_rabbitmq || { echo "no rabbitmq-server here: skipped"; exit 0; }

tmp=$(mktemp -d)
trap 'end_chain; rabbit_stop "$tmp/rabbit"; rm -rf "$tmp"' EXIT
cd "$tmp"

rabbit_base
config=("cluster_formation.peer_discovery_backend = classic_config"
	"cluster_partition_handling = ignore")
hosts=
for n in 1 2 3; do
	config+=("cluster_formation.classic_config.nodes.$n = n${n}_$RABBIT_BASE@localhost")
	hosts+=${hosts:+,}127.0.0.1:$((RABBIT_BASE + 10 * n))
done
for n in 1 2 3; do
	rabbit_start "$tmp/rabbit" $n "${config[@]}"
	rabbit_wait "$tmp/rabbit" $n
done
for ((i = 0; i < 300; i++)); do
	[ "$(rabbit_ctl rabbit 1 cluster_status --formatter json |
		jq '.running_nodes | length')" -lt 3 ] || break
	sleep 0.2
done
queue="amqp://$hosts?queue=soak"
ev-pull -q "$queue" --declare

# One at a time, so that most of them are there.
kill_more() {
	local node=$((RANDOM % 3 + 1))
	rabbit_kill rabbit $node
	echo node >>killed
	sleep "0.$((RANDOM % 10))"
	rabbit_start "$tmp/rabbit" $node
	rabbit_wait "$tmp/rabbit" $node
}
# The broker's counts are some seconds late: nothing must be there twice.
left() {
	local n i
	for i in 1 2; do
		n=$(rabbit_ctl rabbit 1 list_queues name messages |
			awk '$1 == "soak" { print $2 }')
		[ "$n" = 0 ] && [ "$i" = 1 ] || break
		sleep 6
	done
	echo "$n"
}
run_chain "${1:-500000}" "${2:-100}"
