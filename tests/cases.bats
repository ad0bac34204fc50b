#!/usr/bin/env bats
# Whole input, whole output: a case is a folder cases/PROGRAM/NAME with
#   in            stdin (empty if absent)
#   args          options, as shell words; files of the folder by their names
#   want.out      stdout, byte for byte (nothing if absent)
#   want.err      stderr (not looked at if absent)
#   want.rejects  the rejects without their times (none if absent)
#   want.code     exit code (0 if absent)

load helpers/common

check_case() { # DIR PROGRAM
	local args=() want=0
	cd "$1"
	[ ! -e args ] || eval "args=($(<args))"
	[ ! -e want.code ] || want=$(<want.code)
	[ -e in ] || set -- "$1" "$2" /dev/null
	rm -f "$BATS_TEST_TMPDIR/rejects"
	EV_REJECTS=$BATS_TEST_TMPDIR/rejects run_prog "$2" "${args[@]}" \
		<"${3:-in}"
	want_code "$want"
	same "$([ -e want.out ] && echo want.out || echo /dev/null)" "$OUT"
	[ ! -e want.err ] || same want.err "$ERR"
	sed 's/"time":"[^"]*",//' "$BATS_TEST_TMPDIR/rejects" \
		>"$BATS_TEST_TMPDIR/got.rejects" 2>/dev/null || true
	same "$([ -e want.rejects ] && echo want.rejects || echo /dev/null)" \
		"$BATS_TEST_TMPDIR/got.rejects"
}

check_program() {
	local dir n=0 failed=()
	for dir in "$BATS_TEST_DIRNAME/cases/$1"/*/; do
		# A shell of its own: the first difference ends a case, not the rest.
		(set -e; check_case "$dir" "$1") >&2 || failed+=("$(basename "$dir")")
		n=$((n + 1))
	done
	echo "# $1: $n cases, ${#failed[@]} failed" >&3
	[ "$n" -gt 0 ]
	[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; return 1; }
}

@test "cases of ev-validate" {
	check_program ev-validate
}

@test "cases of ev-map" {
	check_program ev-map
}

@test "cases of ev-route" {
	check_program ev-route
}
