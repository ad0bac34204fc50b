#!/bin/bash
# Run the unit tests and the bats suites, as many at a time as there are
# processors, show each one's TAP when it ends, and count. Run by `make check`
# with EV_BIN, EV_UNITS and ONLY; the last line is `N passed, N failed`.
set -u
cd "$(dirname "$0")/../.." || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

one() { # a unit test or a suite: its TAP on stdout
	local said code
	said=$work/$(basename "$1").said
	case $1 in
	*.bats) bats --tap "$1" ;;
	*)
		"$1" >"$said" 2>&1
		code=$?
		# One that speaks no TAP counts as one test.
		if grep -Eq '^(not )?ok ' "$said"; then
			cat "$said"
		elif [ $code -eq 0 ]; then
			echo "ok 1 unit/$(basename "$1")"
		else
			sed 's/^/# /' "$said"
		fi
		[ $code -eq 0 ] || echo "not ok 1 unit/$(basename "$1"): exit $code"
		;;
	esac 2>&1 3>&- 4>&-
}

run() {
	local name tap start
	name=$(basename "$1" .bats)
	tap=$work/$(basename "$1").tap # a unit test and a suite may share a name
	start=$SECONDS
	one "$1" >"$tap"
	local code=$?
	# A suite that dies before its first test must not count as good.
	if [[ $1 == *.bats ]] && [ $code -ne 0 ] &&
		! grep -q '^not ok' "$tap"; then
		echo "not ok 1 $name: bats exit $code" >>"$tap"
	fi
	{
		flock 9
		echo "# $name ($((SECONDS - start)) s)"
		cat "$tap"
	} 9>"$work/lock"
}

suites=()
for suite in ${EV_UNITS:-} tests/*.bats; do
	if [ -e "$suite" ] && [[ $(basename "$suite") == *${ONLY:-}* ]]; then
		suites+=("$suite")
	fi
done
if [ ${#suites[@]} -eq 0 ]; then
	echo "no suite is called '${ONLY:-}'" >&2
	exit 2
fi

jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
for suite in "${suites[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n
	done
	run "$suite" &
done
wait

passed=$(cat "$work"/*.tap | grep -c '^ok ')
failed=$(cat "$work"/*.tap | grep -c '^not ok ')
if [ "$failed" -gt 0 ]; then
	echo "# failed:"
	grep '^not ok ' "$work"/*.tap | sed "s|^$work/|#   |"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
