# Files of --metrics: are they sound, and what do they say?
# shellcheck shell=bash

# is_sound FILE…: each is what Prometheus takes, strictly.
is_sound() {
	local file
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\)\( Ar\)*/\1/p' \
		"$REPO/man/evpipe-metrics.5" >page
	for file; do
		awk -f "$REPO/tests/helpers/metrics.awk" "$file" >&2
		# The labels are what the page says.
		sed -n 's/^\(evpipe_[a-z_]*\){\(.*\)} [0-9.]*$/\1 \2/p' "$file" |
			sed 's/="\([^"\]\|\\.\)*"//g; s/,/ /g; s/ le$//
				s/_\(bucket\|sum\|count\) / /; s/ program service//' |
			sort -u | grep -vxFf page >&2 && return 1
		if command -v promtool >/dev/null; then
			promtool check metrics <"$file" >&2
		fi
	done
}

# value FILE NAME [LABEL=VALUE…]: of the sample with these labels.
value() {
	local lines
	lines=$(grep -E "^$2[{ ]" "$1")
	local label
	for label in "${@:3}"; do
		lines=$(grep -F "${label%%=*}=\"${label#*=}\"" <<<"$lines")
	done
	sed 's/.*} //' <<<"$lines"
}

# counts FILE NAME WANT [LABEL=VALUE…]
counts() {
	local got
	got=$(value "$1" "$2" "${@:4}")
	[ "$got" = "$3" ] || {
		echo "$1: $2 ${*:4}: '$got', not '$3'" >&2
		return 1
	}

# at_least FILE NAME N: the same, where more is no fault.
at_least() {
	local n
	n=$(value "$1" "$2") && [ -n "$n" ] && [ "$n" -ge "$3" ]
}
}

is_running() { # FILE: it says so
	[ -s "$1" ] && counts "$1" evpipe_up 1
}

start() { # COMMAND…: in the background, ended by teardown
	"$@" >started.out 2>started.err </dev/null 3>&- 4>&- &
	STARTED=$!
	EV_STARTED+=("$STARTED")
}
