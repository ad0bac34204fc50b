#!/bin/bash
# ev-validate against ajv (npm) on mutated events of a dozen schemas: every line
# on which they disagree is shown. Needs node and npm; what is installed goes to
# ${EV_BENCH_CACHE:-~/.cache/evpipe-bench}.
#   differential.sh [EVENTS-PER-SCHEMA [SEED]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${EV_BENCH_CACHE:-$HOME/.cache/evpipe-bench}
mkdir -p "$cache/ajv"
[ -d "$cache/ajv/node_modules/ajv" ] ||
	npm install --silent --prefix "$cache/ajv" ajv@8 >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
NODE_PATH=$cache/ajv/node_modules node "$here/differential.js" "$work" \
	"${EV_BIN:-$here/../../bin}/ev-validate" "${1:-10000}" "${2:-1}"
