#!/usr/bin/env bash
# The event queue in one run: ev-push against sqlite3 .import of the same rows into
# the same schema, ev-pull with cat, the whole durable pipeline to a receiver, in both
# layouts of services; how long one event takes through an idle one; and how often an
# idle one wakes up. Rounds interleaved, medians.
# Usage: tests/bench/events.sh [ROUNDS [EVENTS [IDLE_SECONDS]]]; EV_BIN is where the
# programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog
rounds=${1:-5}
n=${2:-200000}
idle_seconds=${3:-60}
unset EV_WEBHOOKS EV_REJECTS

command -v nginx >/dev/null || {
	echo "events.sh: nginx is not installed: nothing measured" >&2
	exit 0
}
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

seconds() { # COMMAND…: wall µs
	local t0 t1
	t0=$(date +%s%N)
	"$@" >/dev/null
	t1=$(date +%s%N)
	echo $(((t1 - t0) / 1000))
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { # NAME BAR
	awk -v name="$1" -v us="$(median "t.$1")" -v n="$n" -v bar="$2" \
		-v base="$(median t.import)" 'BEGIN {
			printf "%-26s %9.0f events/s %6.2f x .import%s\n", name,
				n / us * 1e6, base / us, bar ? "   bar " bar : "" }'
}
registry() { # PORT
	cat <<-END
		[{"id":"wh1","url":"http://127.0.0.1:$1/","subscriptions":["ping"],
		  "attributes":{"name":"one"}}]
	END
}
deliver=(ev-deliver -w w.json --allow-net 127.0.0.0/8)

awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) printf \
	"{\"name\":\"ping\",\"payload\":{\"name\":\"one\",\"text\":\"as long as events mostly are, which is some 140 bytes\",\"n\":%d}}\n", i }' >plain
awk -v n="$n" '{ printf "{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",%s\n", NR, substr($0, 2) }' plain >ids
start_nginx "$tmp"
pids+=("$nginx_pid")
registry "$port" >w.json

# Rates

# What ev-push made of them, as rows for .import.
ev-push -q e.db plain
sqlite3 e.db '.mode ascii' 'SELECT seq, pushed, deaths, text FROM event' >rows
import() {
	sqlite3 "$1" 'PRAGMA synchronous = FULL' '.mode ascii' \
		'.import rows event' 'UPDATE meta SET next = 1000000'
}
echo 'ev-validate | ev-map -w w.json | ev-route -w w.json | "$@"' >stages
all_are_received() { # RESULTS
	[ "$(grep -c '"delivered"' "$1")" -eq "$n" ] || {
		echo "events.sh: not all were delivered" >&2
		exit 1
	}
}
# From nothing on disk to the last answer recorded.
one_service() {
	ev-push -q one.db plain
	ev-pull -q one.db --drain -- sh stages "${deliver[@]}" -q one-q.db >results
	all_are_received results
}
two_services() {
	local serve
	ev-push -q two.db plain
	ev-pull -q two.db --drain -- sh stages ev-deliver -q two-q.db --enqueue &
	pids+=($!)
	"${deliver[@]}" -q two-q.db --serve >out &
	serve=$!
	pids+=("$serve")
	head -n "$n" <out >results
	all_are_received results
	kill "$serve"
	wait "$serve"
}

mkfifo out
for ((i = 0; i < rounds; i++)); do
	rm -f ./*.db*
	ev-push -q i.db </dev/null
	seconds import i.db >>t.import
	seconds ev-push -q e.db plain >>t.ev-push
	seconds ev-push -q e2.db ids >>t.ev-push-own-ids
	seconds ev-pull -q e.db --drain -- cat >>t.ev-pull-cat
	seconds ev-pull -q e2.db --drain -- sh stages ev-deliver -q q.db --enqueue >>t.to-enqueue
	seconds one_service >>t.delivered-one-service
	seconds two_services >>t.delivered-two-services
done
echo "medians of $rounds rounds, $n events"
row import ''
row ev-push '0.7 x'
row ev-push-own-ids ''
row ev-pull-cat 200000/s
row to-enqueue ''
row delivered-one-service 23000/s
row delivered-two-services 23000/s

# One event at a time into an idle pipeline, and then none.

cat >latency.py <<'PY'
import os, socketserver, sqlite3, subprocess, sys, threading, time

events, name = sys.argv[1:]
arrived = threading.Event()

class Receiver(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            arrived.at = time.monotonic()
            arrived.set()
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

socketserver.ThreadingTCPServer.daemon_threads = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open("port.new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename("port.new", "port")
while not os.path.exists("go"):
    time.sleep(0.02)
queue = sqlite3.connect(events)
received, acknowledged = [], []
for i in range(60):
    time.sleep(0.1)
    arrived.clear()
    push = subprocess.Popen(["ev-push", "-q", events], stdin=subprocess.PIPE)
    time.sleep(0.02) # its start is not an event's way
    begun = time.monotonic()
    push.stdin.write(b'{"name":"ping","payload":{"name":"one","n":%d}}\n' % i)
    push.stdin.close()
    push.wait()
    while queue.execute("SELECT count(*) FROM event").fetchone()[0]:
        time.sleep(0.0002)
    acked = time.monotonic()
    if not arrived.wait(10):
        sys.exit("events.sh: nothing arrived")
    received.append((arrived.at - begun) * 1000)
    acknowledged.append((acked - begun) * 1000)
for what, took, bar in (("received", received, 10), ("acknowledged", acknowledged, 20)):
    took = sorted(took[10:])
    print("%s: pushed to %-13s median %5.1f ms, worst %5.1f ms   bar %d ms" %
          (name, what + ",", took[len(took) // 2], took[-1], bar))
PY
family() { # PID…: and all that they started
	local pid
	for pid in "$@"; do
		echo "$pid"
		# shellcheck disable=SC2046
		family $(pgrep -P "$pid")
	done
}
# idle NAME PID…: what strace sees in a while; a call that was going on is none.
idle() {
	local name=$1 pid attach=()
	shift
	for pid in $(family "$@"); do
		attach+=(-p "$pid")
	done
	timeout "$idle_seconds" strace -f -o idle "${attach[@]}" 2>strace.err || true
	awk -v name="$name" -v n=$((${#attach[@]} / 2)) -v s="$idle_seconds" '
		# The first line of each is the call that it was waiting in.
		seen[$1]++ && !/<detached \.\.\.>/ { calls++ }
		END { for (p in seen) watched++
			if (watched != n)
				print name ": not all were watched"
			printf "%s: %d system calls of %d processes in %d s idle   bar 0\n",
				name, calls, watched, s }' idle
}
layout() { # NAME EVENTS SERVICES
	running=()
	rm -f go port
	if command -v python3 >/dev/null; then
		python3 latency.py "$2" "$1" &
		local python=$!
		until [ -s port ]; do sleep 0.02; done
		registry "$(cat port)" >w.json
	fi
	"$3"
	until sqlite3 -readonly "$2" 'SELECT count(*) FROM event' >/dev/null 2>&1; do
		sleep 0.05
	done
	pids+=("${running[@]}")
	sleep 1
	touch go
	[ -z "${python:-}" ] || wait "$python"
	sleep 1
	! command -v strace >/dev/null || idle "$1" "${running[@]}"
	kill "${running[@]}"
	wait "${running[@]}"
}
one() {
	ev-pull -q one.db -- sh stages "${deliver[@]}" -q one-q.db >results &
	running+=($!)
}
two() {
	ev-pull -q two.db -- sh stages ev-deliver -q two-q.db --enqueue &
	running+=($!)
	"${deliver[@]}" -q two-q.db --serve >results &
	running+=($!)
}
rm -f ./*.db*
layout "one service" one.db one
layout "two services" two.db two
