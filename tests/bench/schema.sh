#!/usr/bin/env bash
# ev-validate --schema in lines a second, memory and time to the first verdict;
# with SCHEMA_PEERS=DIR (peers.bash) beside the peers, in rounds that take
# turns. The inputs are the same in each run.
# Usage: tests/bench/schema.sh [ROUNDS]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
rounds=${1:-5}
# shellcheck source=tests/bench/peers.bash
. "$here/tests/bench/peers.bash"
command -v /usr/bin/time >/dev/null || {
	echo "schema.sh: /usr/bin/time is not installed: nothing measured" >&2
	exit 0
}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/small.json" <<'END'
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 64},
    "name": {"enum": ["profile:completed", "service:subscribed",
      "message:created", "payment:updated"]},
    "payload": {
      "type": "object",
      "properties": {
        "fiscalCode": {"type": "string", "pattern":
          "^[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]$"},
        "serviceId": {"type": "string", "minLength": 1}
      },
      "required": ["fiscalCode", "serviceId"],
      "additionalProperties": false
    },
    "time": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}T"}
  },
  "required": ["id", "name", "payload", "time"],
  "additionalProperties": false
}
END
cat >"$tmp/nested.json" <<'END'
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$ref": "#/$defs/order",
  "$defs": {
    "text": {"type": "string", "minLength": 1, "maxLength": 200},
    "cents": {"type": "integer", "minimum": 0, "maximum": 100000000},
    "currency": {"enum": ["EUR", "USD", "GBP", "CHF"]},
    "address": {
      "type": "object",
      "properties": {
        "street": {"$ref": "#/$defs/text"},
        "city": {"$ref": "#/$defs/text"},
        "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
        "country": {"type": "string", "minLength": 2, "maxLength": 2}
      },
      "required": ["street", "city", "zip", "country"],
      "additionalProperties": false
    },
    "item": {
      "type": "object",
      "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{6}$"},
        "title": {"$ref": "#/$defs/text"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 999},
        "price": {"$ref": "#/$defs/cents"},
        "currency": {"$ref": "#/$defs/currency"},
        "weight": {"type": "number", "exclusiveMinimum": 0},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/text"},
          "maxItems": 8},
        "gift": {"type": "boolean"}
      },
      "required": ["sku", "title", "quantity", "price", "currency"],
      "additionalProperties": false
    },
    "order": {
      "type": "object",
      "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 64},
        "name": {"const": "order:placed"},
        "time": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}T"},
        "customer": {
          "type": "object",
          "properties": {
            "id": {"$ref": "#/$defs/text"},
            "email": {"type": "string", "pattern": "^[^@]+@[^@]+$"},
            "shipping": {"$ref": "#/$defs/address"},
            "billing": {"$ref": "#/$defs/address"}
          },
          "required": ["id", "shipping"],
          "additionalProperties": false
        },
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"},
          "minItems": 1, "maxItems": 100},
        "total": {"$ref": "#/$defs/cents"},
        "currency": {"$ref": "#/$defs/currency"},
        "note": {"type": ["string", "null"]}
      },
      "required": ["id", "name", "time", "customer", "items", "total",
        "currency"],
      "additionalProperties": false
    }
  }
}
END

small() { # COUNT events of 142 bytes
	awk -v n="$1" 'BEGIN {
		split("profile:completed service:subscribed message:created", name, " ")
		for (i = 0; i < n; i++)
			printf "{\"id\":\"%0*d\",\"name\":\"%s\",\"payload\":{\"fiscalCode\":\"RSSMRA%02dA01H%03dU\",\"serviceId\":\"svc%05d\"},\"time\":\"2026-11-23T18:42:%02dZ\"}\n", \
				25 - length(name[i % 3 + 1]), i, name[i % 3 + 1], i % 100, i % 1000, i % 99991, i % 60 }'
}
nested() { # COUNT orders of 6 items, about 1.4 KB
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) {
			printf "{\"id\":\"ord_%08d\",\"name\":\"order:placed\",\"time\":\"2026-11-23T18:42:%02d.123Z\",\"customer\":{\"id\":\"cus_%06d\",\"email\":\"someone.%d@mail.example.org\",", i, i % 60, i % 99991, i % 9973
			printf "\"shipping\":{\"street\":\"Via Garibaldi %d\",\"city\":\"Torino\",\"zip\":\"%05d\",\"country\":\"IT\"},\"billing\":{\"street\":\"Piazza del Popolo %d\",\"city\":\"Roma\",\"zip\":\"%05d\",\"country\":\"IT\"}},\"items\":[", i % 300, i % 100000, i % 50, i % 99
			for (k = 0; k < 6; k++)
				printf "%s{\"sku\":\"ABC-%06d\",\"title\":\"An article with a rather long name, number %d\",\"quantity\":%d,\"price\":%d,\"currency\":\"EUR\",\"weight\":%d.%d,\"tags\":[\"new\",\"season-%d\"],\"gift\":%s}", k ? "," : "", (i + k * 7919) % 1000000, k, k + 1, (i * 31 + k) % 100000, k, i % 9 + 1, i % 4, i % 2 ? "true" : "false"
			printf "],\"total\":%d,\"currency\":\"EUR\",\"note\":null}\n", i % 1000000 }
		}'
}
TIMEFORMAT='%R %U %S'
seconds() { # COMMAND…: wall seconds, and those of the processor
	{ time "$@" >/dev/null 2>"$tmp/stderr"; } 2>"$tmp/time" || {
		cat "$tmp/stderr" >&2
		exit 1
	}
	awk '{ print $1, $2 + $3 }' "$tmp/time"
}
kib() { # COMMAND…: the most memory that it had
	/usr/bin/time -o "$tmp/kib" -f %M "$@" >/dev/null 2>&1
	cat "$tmp/kib"
}
median() { # FILE COLUMN
	cut -d' ' -f"$2" "$1" | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

small 1000000 >"$tmp/small.jsonl"
nested 200000 >"$tmp/nested.jsonl"
ours=("$bin/ev-validate" --schema)
programs=(ours)
if find_peers; then
	sourcemeta=("$sourcemeta" validate --fast)
	ajv=(node "$here/tests/bench/ajv.js")
	programs+=(sourcemeta ajv)
	peer_versions
else
	echo "schema.sh: SCHEMA_PEERS is not set: without the peers"
fi
for shape in small nested; do
	n=$(wc -l <"$tmp/$shape.jsonl")
	head -n 1 "$tmp/$shape.jsonl" >"$tmp/$shape.first.jsonl"
	[ "$("${ours[@]}" "$tmp/$shape.json" "$tmp/$shape.jsonl" | wc -l)" -eq "$n" ]
	for ((i = 0; i < rounds; i++)); do
		for program in "${programs[@]}"; do
			declare -n command=$program
			seconds "${command[@]}" "$tmp/$shape.json" \
				"$tmp/$shape.jsonl" >>"$tmp/t.$shape.$program"
			seconds "${command[@]}" "$tmp/$shape.json" \
				"$tmp/$shape.first.jsonl" >>"$tmp/first.$shape.$program"
		done
	done
	echo "$n $shape events of $(($(wc -c <"$tmp/$shape.jsonl") / n)) bytes, medians of $rounds rounds; x: ev-validate is as many times as fast (by processor time)"
	for program in "${programs[@]}"; do
		declare -n command=$program
		awk -v name="$program" -v n="$n" \
			-v wall="$(median "$tmp/t.$shape.$program" 1)" \
			-v cpu="$(median "$tmp/t.$shape.$program" 2)" \
			-v our_wall="$(median "$tmp/t.$shape.ours" 1)" \
			-v our_cpu="$(median "$tmp/t.$shape.ours" 2)" \
			-v kib="$(kib "${command[@]}" "$tmp/$shape.json" "$tmp/$shape.jsonl")" \
			-v first="$(median "$tmp/first.$shape.$program" 1)" 'BEGIN {
			sub("ours", "ev-validate", name)
			printf "%-12s %9.0f lines/s  %5.1f x (%5.1f x)  %7.1f MB  first verdict %4.0f ms\n", \
				name, n / wall, wall / our_wall, cpu / our_cpu, kib / 1024, first * 1000 }'
	done
done
