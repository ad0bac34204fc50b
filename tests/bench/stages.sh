#!/usr/bin/env bash
# The filters against jq in one run: rounds interleaved, medians, ratios.
# Usage: tests/bench/stages.sh [ROUNDS]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-5}
export EV_CATALOG=$here/examples/catalog
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# COUNT events, each for one of HOOKS webhooks; every FIFTHth a profile event.
events() {
	awk -v n="$1" -v hooks="$2" 'BEGIN { for (i = 0; i < n; i++)
		printf "{\"name\":\"service:subscribed\",\"payload\":{\"serviceId\":\"svc-%06d\",\"fiscalCode\":\"AAAAAA00A00A000A\"}}\n", (i * 7919) % hooks }'
}
profiles() {
	awk -v n="$1" -v every="$2" 'BEGIN { for (i = 0; i < n; i++)
		if (i % every == 0)
			printf "{\"name\":\"profile:completed\",\"payload\":{\"fiscalCode\":\"AAAAAA00A00A000A\",\"servicePreferencesMode\":\"AUTO\"}}\n"
		else
			printf "{\"name\":\"service:subscribed\",\"payload\":{\"serviceId\":\"svc-000001\",\"fiscalCode\":\"AAAAAA00A00A000A\"}}\n" }'
}
hooks() {
	awk -v n="$1" 'BEGIN { printf "["; for (i = 0; i < n; i++)
		printf "%s{\"id\":\"wh-%06d\",\"url\":\"http://127.0.0.1:9000/%06d\",\"subscriptions\":[\"service:subscribed\"],\"attributes\":{\"serviceId\":\"svc-%06d\"}}", i ? ",\n" : "", i, i, i
		print "]" }'
}
seconds() { # COMMAND…: wall seconds
	local t0 t1
	t0=$(date +%s%N)
	"$@" > /dev/null
	t1=$(date +%s%N)
	echo $(((t1 - t0) / 1000))
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
row() { # NAME EVENTS BASE: a line of the table
	awk -v name="$1" -v us="$(median "$tmp/t.$1")" -v n="$2" \
	    -v base="$(median "$tmp/t.$3")" -v base_n="$4" 'BEGIN {
		printf "%-34s %10.0f events/s %8.2f x\n", name, n / us * 1e6, (base / base_n) / (us / n) }'
}

# jq's own run of the shipped map, with the very webhooks that ev-map binds.
jq_map() {
	jq -c --argjson webhooks "$(jq -c 'map({id, url, subscriptions, attributes})' "$tmp/3.json")" \
	    "if .name == \"profile:completed\" then ($(cat "$EV_CATALOG/profile.jq")
	    ) else . end" "$1"
}

events 1000000 1000 > "$tmp/route1k.ndjson"
events 1000000 100000 > "$tmp/route100k.ndjson"
events 200000 1000 > "$tmp/jq.ndjson"
profiles 100000 1 > "$tmp/map.ndjson"
profiles 200000 5 > "$tmp/map5.ndjson"
hooks 1000 > "$tmp/1k.json"
hooks 100000 > "$tmp/100k.json"
hooks 3 > "$tmp/3.json"
# A thousand webhooks that share a filter: each event tries it once.
filter='select(.payload.serviceId | endswith("7"))'
jq --arg filter "$filter" 'map(.filter = $filter)' "$tmp/1k.json" > "$tmp/filter.json"

for ((i = 0; i < rounds; i++)); do
	seconds jq -c . "$tmp/jq.ndjson" >> "$tmp/t.jq"
	seconds "$bin/ev-validate" "$tmp/route1k.ndjson" >> "$tmp/t.validate"
	seconds "$bin/ev-route" -w "$tmp/1k.json" "$tmp/route1k.ndjson" >> "$tmp/t.route-1000-webhooks"
	seconds "$bin/ev-route" -w "$tmp/100k.json" "$tmp/route100k.ndjson" >> "$tmp/t.route-100000-webhooks"
	seconds jq -c "$filter" "$tmp/jq.ndjson" >> "$tmp/t.jq-filter"
	seconds "$bin/ev-route" -w "$tmp/filter.json" "$tmp/jq.ndjson" >> "$tmp/t.route-filter"
	seconds jq_map "$tmp/map.ndjson" >> "$tmp/t.jq-map"
	seconds "$bin/ev-map" -w "$tmp/3.json" "$tmp/map.ndjson" >> "$tmp/t.map"
	seconds jq_map "$tmp/map5.ndjson" >> "$tmp/t.jq-map-one-in-five"
	seconds "$bin/ev-map" -w "$tmp/3.json" "$tmp/map5.ndjson" >> "$tmp/t.map-one-in-five"
done
echo "medians of $rounds rounds; x: times as fast as jq doing the same (map) or 'jq -c .'"
row jq 200000 jq 200000
row validate 1000000 jq 200000
row route-1000-webhooks 1000000 jq 200000
row route-100000-webhooks 1000000 route-1000-webhooks 1000000
row jq-filter 200000 jq-filter 200000
row route-filter 200000 jq-filter 200000
row jq-map 100000 jq-map 100000
row map 100000 jq-map 100000
row jq-map-one-in-five 200000 jq-map-one-in-five 200000
row map-one-in-five 200000 jq-map-one-in-five 200000

rss() { # EVENTS: KiB at most
	profiles "$1" 5 > "$tmp/rss.ndjson"
	if command -v /usr/bin/time > /dev/null; then
		/usr/bin/time -f %M "$bin/ev-map" -w "$tmp/3.json" "$tmp/rss.ndjson" 2>&1 > /dev/null
	fi
}
echo "ev-map memory (KiB): $(rss 10000) after 10,000 events, $(rss 1000000) after 1,000,000"

null() { for ((k = 0; k < 200; k++)); do "$@" < /dev/null > /dev/null; done; }
for ((i = 0; i < rounds; i++)); do
	seconds null sh -c : >> "$tmp/t.sh"
	seconds null "$bin/ev-validate" >> "$tmp/t.start-validate"
	seconds null "$bin/ev-route" -w "$tmp/3.json" >> "$tmp/t.start-route"
	seconds null "$bin/hook-admin" -w "$tmp/3.json" list >> "$tmp/t.start-hook-admin"
	seconds null "$bin/ev-map" -w "$tmp/3.json" >> "$tmp/t.start-map"
done
for p in validate route hook-admin map; do
	awk -v p="$p" -v a="$(median "$tmp/t.start-$p")" -v b="$(median "$tmp/t.sh")" \
	    'BEGIN { printf "start and end of %-12s %6.2f ms = %.2f x sh -c : (%.2f ms)\n", p, a / 200000, a / b, b / 200000 }'
done
