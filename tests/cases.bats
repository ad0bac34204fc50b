#!/usr/bin/env bats
# Whole input, whole output: a case is a folder cases/PROGRAM/NAME with
#   in            stdin (empty if absent)
#   args          options, as shell words; files of the folder by their names
#   want.out      stdout, byte for byte (nothing if absent)
#   want.err      stderr (not looked at if absent)
#   want.rejects  the rejects without their times (none if absent)
#   want.code     exit code (0 if absent)

load helpers/common

# The file, or nothing.
wanted() {
	if [ -e "$1" ]; then echo "$1"; else echo /dev/null; fi
}

# No `set -e` here: a function behind || has none. Each step says what it found.
check_case() { # DIR PROGRAM
	local args=() want=0 rejects=$BATS_TEST_TMPDIR/rejects
	cd "$1" || return 1
	[ ! -e args ] || eval "args=($(<args))"
	[ ! -e want.code ] || want=$(<want.code)
	: >"$rejects"
	EV_REJECTS=$rejects run_prog "$2" "${args[@]}" <"$(wanted in)" || return 1
	sed -i 's/"time":"[^"]*",//' "$rejects"
	want_code "$want" || return 1
	same "$(wanted want.out)" "$OUT" || return 1
	[ ! -e want.err ] || same want.err "$ERR" || return 1
	same "$(wanted want.rejects)" "$rejects"
}

check_program() {
	local dir n=0 failed=()
	for dir in "$BATS_TEST_DIRNAME/cases/$1"/*/; do
		(check_case "$dir" "$1") >&2 || failed+=("$(basename "$dir")")
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
