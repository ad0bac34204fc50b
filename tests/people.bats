#!/usr/bin/env bats
# What is for people: error texts that say what to do next.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

# says PROGRAM TEXT ARG…: wrong usage, whose first line on stderr is this text.
says() {
	local program=$1 text=$2
	shift 2
	run_prog "$program" "$@" </dev/null
	want_code 2
	[ ! -s "$OUT" ]
	[ "$(head -n 1 "$ERR")" = "$program: $text" ] || {
		echo "$program $*: '$(head -n 1 "$ERR")', not '$text'" >&2
		return 1
	}
}

@test "options: what is wrong, and which one was meant" {
	local p
	for p in "${PROGRAMS[@]}"; do
		says "$p" "option '--verbsoe' is unknown; did you mean '--verbose'?" \
			--verbsoe
		says "$p" "option '--nothing-like-it' is unknown" --nothing-like-it=1
		says "$p" "option '--ver' may be --verbose, --version" --ver
		says "$p" "option '-Z' is unknown" -v -vZ
		says "$p" "option '-Z' is unknown" --verbose -Zv
		says "$p" "option '--verbose' takes no argument" --verbose=1
		# Foreign text, made printable.
		says "$p" "option '--\\x1b[1m' is unknown" $'--\e[1m'
		says "$p" "option '-\\xc3' is unknown" -é
	done
	for p in "${STAGES[@]}"; do
		says "$p" "option '--rejects' needs an argument" --rejects
		says "$p" "option '-r' needs an argument" -r
		says "$p" "option '-r' needs an argument" --verbose -vr
		says "$p" "option '--maxline' is unknown; did you mean '--max-line'?" \
			- --maxline 5
	done
}

@test "commands and ids: which one was meant" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	says hook-admin "unknown command 'lits'; did you mean 'list'?" lits
	says hook-admin "unknown command 'EVENT'; did you mean 'events'?" EVENT
	says hook-admin "unknown command 'frobnicate'; see hook-admin -h" frobnicate
	echo '[{"id":"billing","url":"http://a.example/","subscriptions":[]}]' >w
	export EV_WEBHOOKS=w
	says hook-admin "no webhook 'biling'; did you mean 'billing'?" show biling
	says hook-admin "no webhook 'shop'; see hook-admin list" show shop
}
