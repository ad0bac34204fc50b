#!/usr/bin/env bash
# The event queue: ev-push against sqlite3 .import of the same rows into the same
# schema, ev-pull with cat, the whole durable pipeline; and how long one event
# takes through an idle one. Rounds interleaved, medians.
# Usage: tests/bench/events.sh [ROUNDS]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog
rounds=${1:-5}
n=200000
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

seconds() { # COMMAND…: wall µs
	local t0 t1
	t0=$(date +%s%N)
	"$@" >/dev/null
	t1=$(date +%s%N)
	echo $(((t1 - t0) / 1000))
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { # NAME
	awk -v name="$1" -v us="$(median "t.$1")" -v n="$n" -v base="$(median t.import)" \
		'BEGIN { printf "%-22s %9.0f events/s %6.2f x .import\n", name, n / us * 1e6, base / us }'
}

awk -v n="$n" 'BEGIN { for (i = 1; i <= n; i++) printf \
	"{\"name\":\"ping\",\"payload\":{\"name\":\"one\",\"text\":\"as long as events mostly are, which is some 140 bytes\",\"n\":%d}}\n", i }' >plain
awk -v n="$n" '{ printf "{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",%s\n", NR, substr($0, 2) }' plain >ids
echo '[{"id":"wh1","url":"http://127.0.0.1:9/","subscriptions":["ping"],
	"attributes":{"name":"one"}}]' >w.json

# What ev-push made of them, as rows for .import.
ev-push -q e.db plain
sqlite3 e.db '.mode ascii' 'SELECT seq, pushed, deaths, text FROM event' >rows
import() {
	sqlite3 "$1" 'PRAGMA synchronous = FULL' '.mode ascii' \
		'.import rows event' 'UPDATE meta SET next = 1000000'
}
chain() {
	ev-pull -q "$1" --drain -- sh -c 'ev-validate | ev-map -w w.json |
		ev-route -w w.json | ev-deliver -q "$0" --enqueue' "$2"
}

for ((i = 0; i < rounds; i++)); do
	rm -f ./*.db*
	ev-push -q i.db </dev/null
	seconds import i.db >>t.import
	seconds ev-push -q e.db plain >>t.ev-push
	seconds ev-push -q e2.db ids >>t.ev-push-own-ids
	seconds ev-pull -q e.db --drain -- cat >>t.ev-pull-cat
	seconds chain e2.db q.db >>t.whole-durable-pipeline
done
echo "medians of $rounds rounds, $n events"
for t in import ev-push ev-push-own-ids ev-pull-cat whole-durable-pipeline; do
	row "$t"
done

# One event at a time into an idle pipeline: until its call is stored.
rm -f ./*.db*
ev-push -q e.db </dev/null
ev-pull -q e.db -- sh -c 'ev-validate | ev-map -w w.json | ev-route -w w.json |
	ev-deliver -q q.db --enqueue' &
pull=$!
sleep 1
cat >latency.py <<'PY'
import sqlite3, subprocess, time
took = []
for i in range(50):
    time.sleep(0.05)
    push = subprocess.Popen(["ev-push", "-q", "e.db"], stdin=subprocess.PIPE)
    push.stdin.write(b'{"name":"ping","payload":{"name":"one"}}\n')
    push.stdin.close()
    push.wait()
    t = time.monotonic()
    e = sqlite3.connect("e.db")
    while e.execute("SELECT count(*) FROM event").fetchone()[0]:
        pass
    took.append((time.monotonic() - t) * 1000)
took.sort()
print("pushed to acknowledged, idle: median %.1f ms, worst %.1f ms" %
      (took[25], took[-1]))
PY
if command -v python3 >/dev/null; then python3 latency.py; fi
kill "$pull"
wait "$pull"
