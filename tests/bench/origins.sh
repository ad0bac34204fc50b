#!/usr/bin/env bash
# Many origins: the same number of calls to 1, 1,000 and 20,000 of them, each an address
# of 127.0.0.0/8 that one nginx answers for, in turn, 64 in flight; medians. In a network
# of its own, since it listens on all addresses.
# Usage: tests/bench/origins.sh [ROUNDS [CALLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
rounds=${1:-5}
calls=${2:-60000}
unset EV_WEBHOOKS EV_REJECTS

if [ -z "${ORIGINS_INSIDE:-}" ]; then
	for tool in nginx ip unshare /usr/bin/time; do
		command -v "$tool" >/dev/null || {
			echo "origins.sh: $tool is not installed: nothing measured" >&2
			exit 0
		}
	done
	unshare -n ip link set lo up 2>/dev/null || {
		echo "origins.sh: no right to a network of its own: nothing measured" >&2
		exit 0
	}
	ORIGINS_INSIDE=1 exec unshare -n bash "$0" "$@"
fi
ip link set lo up
tmp=$(mktemp -d)
nginx_pid=
cleanup() {
	[ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
	[ -z "$nginx_pid" ] || wait "$nginx_pid" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp"
# shellcheck source=tests/bench/nginx.bash
source "$here/tests/bench/nginx.bash"
# shellcheck source=tests/bench/calls.bash
source "$here/tests/bench/calls.bash"

start_nginx "$tmp" 0.0.0.0
sizes=(1 1000 20000)
for n in "${sizes[@]}"; do
	awk -v calls="$calls" -v n="$n" -v port="$port" -v body="$body" 'BEGIN {
		for (i = 0; i < calls; i++)
			printf "{\"url\":\"http://127.1.%d.%d:%d/\",\"headers\":{},\"body\":%s}\n", i % n / 200, i % n % 200 + 1, port, body
	}' >"to-$n"
done
for ((round = 0; round < rounds; round++)); do
	for n in "${sizes[@]}"; do
		timed "$n" "$calls" ev-deliver --allow-net 127.0.0.0/8 "to-$n"
		[ "$(grep -c '"outcome":"delivered"' out)" -eq "$calls" ]
	done
done
echo "$calls calls from memory, medians of $rounds"
for n in "${sizes[@]}"; do
	line "  to $n origins" "rate.$n" "$(median "cpu.$n") us CPU each, $(($(median "rss.$n") / 1024)) MiB"
done
