#!/usr/bin/env bash
# soak/chain.bash with the events in a file.
# Usage: tests/soak/events.sh [EVENTS [KILLS]]; EV_BIN is where the programs are.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${EV_BIN:-$here/bin}:$PATH EV_CATALOG=$here/examples/catalog
RANDOM=${SEED:-$$}
# shellcheck source=tests/soak/chain.bash
. "$here/tests/soak/chain.bash"

tmp=$(mktemp -d)
trap 'end_chain; rm -rf "$tmp"' EXIT
cd "$tmp"
queue=events
left() {
	sqlite3 -readonly -cmd '.timeout 10000' events 'SELECT count(*) FROM event'
}
run_chain "${1:-500000}" "${2:-100}"
