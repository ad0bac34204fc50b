#!/usr/bin/env bash
# ev-deliver against wrk and node's undici pool in one run: the same POST to an
# nginx on loopback that answers 204, rounds interleaved, medians, ratios.
# Usage: tests/bench/deliver.sh [ROUNDS [CALLS]]; EV_BIN is where the programs
# are. undici is taken from $UNDICI_DIR (a folder with node_modules), else by
# npm, else left out.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-5}
calls=${2:-200000}
in_flight=64
body='{"name":"ping","payload":{"text":"0123456789012345678901234567890123456789012345678901234567890123456789"}}'

for tool in nginx wrk /usr/bin/time; do
	command -v "$tool" >/dev/null || {
		echo "deliver.sh: $tool is not installed: nothing measured" >&2
		exit 0
	}
done
tmp=$(mktemp -d)
nginx_pid=
cleanup() {
	[ -z "$nginx_pid" ] || kill "$nginx_pid" 2>/dev/null || true
	[ -z "$nginx_pid" ] || wait "$nginx_pid" 2>/dev/null || true
	rm -rf "$tmp"
}
trap cleanup EXIT

# shellcheck source=tests/bench/nginx.bash
source "$here/tests/bench/nginx.bash"

find_undici() {
	undici=${UNDICI_DIR:-$tmp/npm}
	if [ ! -d "$undici/node_modules/undici" ] && command -v npm >/dev/null; then
		mkdir -p "$undici"
		(cd "$undici" && timeout 60 npm install --no-audit --no-fund \
			undici@6 >/dev/null 2>&1) || true
	fi
	[ -d "$undici/node_modules/undici" ] && command -v node >/dev/null
}

start_nginx "$tmp"
url=http://127.0.0.1:$port/hook
awk -v n="$calls" -v url="$url" -v body="$body" 'BEGIN { for (i = 0; i < n; i++)
	printf "{\"url\":\"%s\",\"headers\":{},\"body\":%s,\"id\":\"msg_%d\"}\n", url, body, i }' \
	>"$tmp/calls.ndjson"
cat >"$tmp/post.lua" <<END
wrk.method = "POST"
wrk.body = '$body'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["User-Agent"] = "evpipe"
END
cat >"$tmp/pool.js" <<END
const { Pool } = require(process.argv[2] + '/node_modules/undici');
const pool = new Pool('http://127.0.0.1:$port', { connections: $in_flight });
let left = $calls;
const body = '$body';
const headers = { 'content-type': 'application/json', 'user-agent': 'evpipe' };
async function worker() {
	while (left-- > 0) {
		const r = await pool.request({ path: '/hook', method: 'POST', headers, body });
		if (r.statusCode !== 204) process.exitCode = 1;
		await r.body.dump();
	}
}
Promise.all(Array.from({ length: $in_flight }, worker)).then(() => pool.close());
END

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# timed NAME COMMAND…: requests a second and CPU us a request, a line each run.
timed() {
	local name=$1
	shift
	/usr/bin/time -o "$tmp/time" -f '%e %U %S' "$@" >"$tmp/out" 2>"$tmp/err" || {
		cat "$tmp/err" >&2
		exit 1
	}
	awk -v n="$calls" '{ print n / $1 }' "$tmp/time" >>"$tmp/rate.$name"
	awk -v n="$calls" '{ print ($2 + $3) / n * 1e6 }' "$tmp/time" >>"$tmp/cpu.$name"
}

names=(ev-deliver ev-deliver-default)
if find_undici; then
	names+=(undici)
else
	echo "undici: not to be had, left out"
fi
for ((round = 0; round < rounds; round++)); do
	wrk -t1 -c"$in_flight" -d3s -s "$tmp/post.lua" "$url" |
		awk '/^Requests\/sec/ { print $2 }' >>"$tmp/rate.wrk"
	timed ev-deliver "$bin/ev-deliver" --allow-net 127.0.0.0/8 \
		--concurrency "$in_flight" \
		--per-webhook "$in_flight" "$tmp/calls.ndjson"
	timed ev-deliver-default "$bin/ev-deliver" --allow-net 127.0.0.0/8 \
		"$tmp/calls.ndjson"
	if [ ${#names[@]} -eq 3 ]; then
		timed undici node "$tmp/pool.js" "$undici"
	fi
done

wrk_rate=$(median "$tmp/rate.wrk")
printf '%-20s %10s %8s %12s\n' "medians of $rounds" requests/s "x wrk" "us CPU/req"
printf '%-20s %10.0f %8.2f\n' "wrk -c$in_flight" "$wrk_rate" 1
for name in "${names[@]}"; do
	printf '%-20s %10.0f %8s %12.1f\n' "$name" "$(median "$tmp/rate.$name")" \
		"$(awk -v a="$(median "$tmp/rate.$name")" -v b="$wrk_rate" \
			'BEGIN { printf "%.2f", a / b }')" \
		"$(median "$tmp/cpu.$name")"
done
