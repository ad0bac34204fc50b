#!/usr/bin/env bash
# ev-deliver -q under SIGKILL: calls are fed by an enqueuer and sent by a server,
# both killed at random moments, to receivers that fail, hang, reset and answer
# 500, 429, 410 and 301. Then every call must have been answered with 2xx or be
# on record as dead, and first arrivals of each order key must be in order. What
# was delivered twice is counted.
# Usage: tests/soak/queue.sh [CALLS [KILLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH
calls=${1:-1000000}
kills=${2:-200}
chunk=$((calls / 100 + 1))
keys=50
RANDOM=${SEED:-$$}

tmp=$(mktemp -d)
declare -A running=()
cleanup() {
	local pid
	for pid in "${!running[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
cd "$tmp"
export EV_REJECTS=$tmp/rejects

# Receivers: each takes its steps in turn, over and over.
steps() {
	local i
	for ((i = 0; i < 400; i++)); do
		case $((RANDOM % 60)) in
		0) echo 'status 500' ;;
		1) echo drop ;;
		2) echo reset ;;
		3) echo 'status 301 Location: http://127.0.0.1:9/' ;;
		4) echo 'status 503' ;;
		5) echo 'delay 20ms then status 204' ;;
		6) echo garbage ;;
		*) echo 'status 204' ;;
		esac
	done
	echo hang
	echo 'status 410'
	echo 'status 429 Retry-After: 1'
	echo loop
}
ports=()
for r in 1 2 3 4; do
	steps >"steps$r"
	hook-sink --listen 127.0.0.1:0 --port-file "port$r" --script "steps$r" \
		>"sink$r" 2>"sink$r.err" &
	running[$!]=1
done
for r in 1 2 3 4; do
	for ((i = 0; i < 500; i++)); do
		[ -s "port$r" ] && break
		sleep 0.02
	done
	ports+=("$(<"port$r")")
done

# In every other part half of the calls have an order key, in which their numbers
# grow; the other parts have none, so that their calls are sent before they are put.
awk -v n="$calls" -v chunk="$chunk" -v keys=$keys -v ports="${ports[*]}" 'BEGIN {
	split(ports, port, " ")
	for (i = 1; i <= n; i++) {
		k = i % (2 * keys) + int((i - 1) / chunk) % 2 * keys
		key = k < keys ? sprintf(",\"key\":\"k%d\"", k) : ""
		printf "{\"url\":\"http://127.0.0.1:%s/%s/%d\",\"headers\":{},\"body\":{\"n\":%d},\"id\":\"c%d\",\"event\":\"%08x-0000-7000-8000-%012x\"%s}\n",
		    port[k % 4 + 1], k < keys ? "k" k : "free", i, i, i, i / 1000, i, key
	}
}' >calls
split -l "$chunk" -d -a 3 calls part.

deliver() {
	ev-deliver -q queue --serve --allow-net 127.0.0.0/8 --timeout 400ms \
		--schedule 20ms,50ms,100ms,200ms,400ms,1s,1s,1s,1s,1s,1s,1s \
		>>results 2>>errors </dev/null &
	server=$!
	running[$server]=1
}

# A part is fed again until its barrier has come back: then it is taken. It comes
# in two pieces, so that there is somebody to kill.
pause=$(awk -v k="$kills" 'BEGIN { printf "%.3f", k * 0.4 / 100 }')
feed() {
	local part n=0
	for part in part.*; do
		until (
			head -n $((chunk / 2)) "$part"
			sleep "$pause"
			tail -n +$((chunk / 2 + 1)) "$part"
			echo '{"barrier":"s.0"}'
		) |
			ev-deliver -q queue --enqueue 2>>errors |
			grep -q '"barrier":"s.0"'; do
			n=$((n + 1))
		done
	done
	echo "$n" >fed_again
}
deliver
feed &
feeder=$!
running[$feeder]=1

# Whoever enqueues: the child of the feeder's pipeline that is our program.
enqueuer() {
	pgrep -f -- "^ev-deliver -q queue --enqueue" || true
}
started=$SECONDS
n=0
while [ "$n" -lt "$kills" ]; do
	sleep "0.$(printf %03d $((RANDOM % 900 + 50)))"
	what=$((RANDOM % 3))
	if [ $what -ne 0 ]; then
		for pid in $(enqueuer); do
			[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$tmp" ] &&
				kill -9 "$pid" 2>/dev/null || true
		done
	fi
	if [ $what -ne 1 ]; then
		kill -9 "$server"
		wait "$server" 2>/dev/null || true
		unset "running[$server]"
		deliver
	fi
	n=$((n + 1))
done
wait "$feeder"
unset "running[$feeder]"

left() {
	sqlite3 -cmd '.timeout 10000' queue \
		'SELECT EXISTS(SELECT 1 FROM todo) OR
		EXISTS(SELECT 1 FROM call WHERE due >= 0)'
}
until [ "$(left)" = 0 ]; do
	kill -0 "$server" 2>/dev/null || {
		echo "soak: the server died" >&2
		tail -n 5 errors >&2
		exit 1
	}
	[ $((SECONDS - started)) -lt $((kills * 4 + calls / 200 + 120)) ] || {
		echo "soak: it does not come to an end" >&2
		exit 1
	}
	sleep 0.2
done
kill "$server"
wait "$server" || true
unset "running[$server]"

[ "$(sqlite3 queue 'PRAGMA integrity_check')" = ok ] || {
	echo "soak: the queue is damaged" >&2
	exit 1
}
sqlite3 queue 'SELECT id FROM call WHERE outcome = 4' | sort >dead
cat sink? | sed -n 's|.*"target":"/\([^/]*\)/\([0-9]*\)".*"action":"\([^"]*\)".*"status":204.*|c\2|p' |
	sort >told
sort -u told >told.once
seq "$calls" | sed 's/^/c/' | sort >all
sort -u told.once dead | comm -23 all - >lost
for r in 1 2 3 4; do
	sed -n 's|.*"target":"/\(k[0-9]*\)/\([0-9]*\)".*|\1 \2|p' "sink$r"
done | awk '!seen[$1, $2]++ { if ($2 + 0 <= last[$1] + 0) print; last[$1] = $2 }' >disorder

echo "$calls calls, $n kills, $(<fed_again) parts fed again," \
	"$((SECONDS - started)) s: $(wc -l <told.once) delivered" \
	"($(uniq -d told | wc -l) of them more than once)," \
	"$(comm -23 dead told.once | wc -l) dead and not delivered," \
	"$(wc -l <lost) lost, $(wc -l <disorder) out of order"
[ ! -s lost ] && [ ! -s disorder ] || {
	head -n 5 lost disorder >&2
	exit 1
}
