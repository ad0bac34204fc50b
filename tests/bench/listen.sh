#!/usr/bin/env bash
# ev-listen under wrk: requests of one event, each answered when it is on disk, by
# connections at a time. Medians.
# Usage: tests/bench/listen.sh [ROUNDS [SECONDS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-3} seconds=${2:-3}
command -v wrk >/dev/null || { echo "no wrk here: skipped"; exit 0; }
tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$tmp"' EXIT

event='{"name":"service:subscribed","payload":{"serviceId":"aServiceId12345","fiscalCode":"AAAAAA00A00A000A"}}'
cat >"$tmp/post.lua" <<END
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '$event'
END

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

"$bin/ev-listen" -q "$tmp/events" --listen 127.0.0.1:0 --port-file "$tmp/port" &
server=$!
until [ -s "$tmp/port" ]; do sleep 0.05; done
url=http://127.0.0.1:$(<"$tmp/port")/events

for ((i = 0; i < rounds; i++)); do
	for c in 1 16 64 256; do
		wrk -t1 -c$c -d"$seconds" -s "$tmp/post.lua" "$url" >"$tmp/said"
		if grep -q Non-2xx "$tmp/said"; then
			cat "$tmp/said"
			exit 1
		fi
		awk '/Requests.sec/ { print int($2) }' "$tmp/said" >>"$tmp/t.$c"
	done
done
echo "medians of $rounds rounds of $seconds s"
for c in 1 16 64 256; do
	printf '%4d connections %8d requests/s, each on disk before its answer\n' \
		$c "$(median "$tmp/t.$c")"
done
printf 'peak memory %s KiB\n' "$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status")"
