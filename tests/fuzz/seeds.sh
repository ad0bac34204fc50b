#!/bin/sh
# seeds.sh TARGET DIR: what a fuzz target begins with. The schema's is the
# official test suite: each schema with each of its instances.
set -eu
suite=${EV_SCHEMA_SUITE:-/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance}
[ "$1" = schema ] || exit 0
[ -d "$suite" ] || exit 0
[ ! -e "$2/seed-0" ] || exit 0
find "$suite/tests/draft2020-12" -name '*.json' -exec jq -c \
	'.[] | .schema as $s | .tests[] | $s, .data' {} + |
	awk -v dir="$2" 'NR % 2 { file = dir "/seed-" n++; print > file; next }
		{ printf "%s", $0 > file; close(file) }'
