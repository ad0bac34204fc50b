#!/bin/sh
# seeds.sh TARGET DIR: what a fuzz target begins with. The schema's is the
# official test suite: each schema with each of its instances. The answer's are
# one for each way in which a body ends, and two that are too long.
set -eu
if [ "$1" = answer ]; then
	long=$(printf '%20000s' '')
	n=0
	for text in '204 x\r\nRetry-After: 7\r\n\r\nHTTP/1.1 200 y\r\n\r\nz' \
		'103 x\r\nLink: y\r\n\r\nHTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc' \
		'200 x\r\nTransfer-Encoding: chunked\r\n\r\n3;e\r\nabc\r\n0\r\nT: u\r\n\r\n' \
		'503 x\r\nwebhook-delivery: disable\r\n\r\nto the end' \
		"103 x\\r\\n\\r\\n$long" \
		"200 x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n7000\\r\\n$long$long"; do
		printf %b "aHTTP/1.1 $text" >"$2/seed-$n"
		n=$((n + 1))
	done
fi
suite=${EV_SCHEMA_SUITE:-/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance}
[ "$1" = schema ] || exit 0
[ -d "$suite" ] || exit 0
[ ! -e "$2/seed-0" ] || exit 0
find "$suite/tests/draft2020-12" -name '*.json' -exec jq -c \
	'.[] | .schema as $s | .tests[] | $s, .data' {} + |
	awk -v dir="$2" 'NR % 2 { file = dir "/seed-" n++; print > file; next }
		{ printf "%s", $0 > file; close(file) }'
