#!/usr/bin/env bash
# Do ev-validate, ajv and sourcemeta agree? 100,000 events, varied at random, of
# fourteen schemas; needs SCHEMA_PEERS=DIR (peers.bash). Not a measurement, but
# of the same peers, and as long. The code is 1 if ev-validate stands alone.
# Usage: tests/bench/schema-diff.sh [EVENTS [SEED]]; EV_BIN: the programs.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
bin=${EV_BIN:-$here/bin}
# shellcheck source=tests/bench/peers.bash
. "$here/tests/bench/peers.bash"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find_peers || {
	echo "schema-diff.sh: SCHEMA_PEERS is not set: nothing compared"
	exit 0
}
peer_versions
node "$here/tests/bench/schema-diff.js" "$bin/ev-validate" "$sourcemeta" \
	"$tmp" "$@"
