# Loaded by every suite (`load helpers/common`): the programs under test first on
# PATH, no settings of the person who runs it, receivers that die in teardown.
# Records are compared with cmp or diff, never through `run`, which merges
# stderr and eats newlines.
# shellcheck shell=bash

# Used by the suites.
# shellcheck disable=SC2034
{
	REPO=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	PROGRAMS=(ev-push ev-listen ev-pull ev-validate ev-map ev-route ev-deliver hook-admin hook-sink)
	# Receivers are on this machine, which ev-deliver is to be told.
	LOOPBACK=--allow-net=127.0.0.0/8
	# What reads records.
	STAGES=(ev-validate ev-map ev-route ev-deliver)
}
export PATH="${EV_BIN:=$REPO/bin}:$PATH"
export EV_BIN EV_CATALOG="$REPO/examples/catalog"
export LC_ALL=C.UTF-8
unset EV_WEBHOOKS EV_REJECTS JOURNAL_STREAM NO_COLOR COLUMNS
export TERM=dumb
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy
EV_STARTED=()

# One fault of the code under test must not end in a hang of the suite: a
# sanitizer's build is given more time.
DEADLINE=${EV_SAN:+60}
DEADLINE=${DEADLINE:-20}

# wait_until COMMAND…: until it succeeds, or fail after $DEADLINE seconds.
wait_until() {
	local end=$((SECONDS + DEADLINE))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS > end)); then
			echo "not within $DEADLINE s: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# sort_in QUEUE: what was stored in it becomes rows of its table call.
sort_in() {
	hook-admin -q "$1" stats >/dev/null
}

# start_sink [OPTION…]: a receiver on a port of its own. Sets SINK_PORT, SINK_LOG
# (a line a request) and SINK_PID. Several may run.
start_sink() {
	local dir
	dir=$(mktemp -d "$BATS_TEST_TMPDIR/sink.XXXXXX")
	SINK_LOG=$dir/log
	hook-sink --listen 127.0.0.1:0 --port-file "$dir/port" "$@" \
		>"$SINK_LOG" 2>"$dir/err" </dev/null 3>&- 4>&- &
	SINK_PID=$!
	disown "$SINK_PID"
	EV_STARTED+=("$SINK_PID")
	if ! wait_until test -s "$dir/port"; then
		cat "$dir/err" >&2
		return 1
	fi
	SINK_PORT=$(<"$dir/port")
}

# stop_all: end what start_sink started, by its id.
stop_all() {
	local pid
	for pid in "${EV_STARTED[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${EV_STARTED[@]}"; do
		wait_until gone "$pid" || kill -9 "$pid" 2>/dev/null || true
	done
	EV_STARTED=()
}

# needs COMMAND…: or the test is skipped.
needs() {
	local name
	for name; do
		command -v "$name" >/dev/null || skip "no $name here"
	done
}

# A terminal can be had, or the test is skipped.
needs_terminal() {
	needs script
	script -qec true /dev/null >/dev/null 2>&1 </dev/null ||
		skip "no pseudo-terminals here"
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

teardown() {
	stop_all
}

# run_prog COMMAND…: its stdout, stderr and exit code to the files out, err and
# the variable CODE. Fails on death by signal and on a sanitizer's report.
run_prog() {
	CODE=0
	timeout -k 5 $((DEADLINE * 6)) "$@" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" 3>&- 4>&- || CODE=$?
	OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
	sound "$CODE" "$ERR" "$*"
}

# sound CODE ERR WHAT: no signal, no time-out, no sanitizer's report.
sound() {
	if (($1 >= 124)) || grep -Eqs 'runtime error:|Sanitizer' "$2"; then
		echo "$3: code $1" >&2
		head -c 4000 "$2" >&2
		return 1
	fi
}

# want_code N: of run_prog.
want_code() {
	if [ "$CODE" -ne "$1" ]; then
		echo "exit code $CODE, not $1" >&2
		head -c 2000 "$ERR" >&2
		return 1
	fi
}

# same WANT GOT: two files, byte for byte.
same() {
	cmp "$1" "$2" >&2 || {
		diff -u <(head -c 8000 "$1") <(head -c 8000 "$2") | cat -v >&2
		return 1
	}
}

# pipeline REGISTRY: events on stdin, calls on stdout, rejects in $REJECTS.
# The exit code is the worst of the three; 2 is a set-up error.
pipeline() {
	local codes
	ev-validate -r "$REJECTS" | ev-map -w "$1" -r "$REJECTS" |
		ev-route -w "$1" -r "$REJECTS"
	codes=("${PIPESTATUS[@]}")
	printf '%s\n' "${codes[@]}" | sort -n | tail -n 1 >"$BATS_TEST_TMPDIR/worst"
	return "$(<"$BATS_TEST_TMPDIR/worst")"
}

# manual_examples PAGE: its EXAMPLES to the files example.1, example.2, …
manual_examples() {
	rm -f example.*
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh DIAGNOSTICS/p' "$REPO/man/$1" |
		awk '/^\.Bd/ { n++; inside = 1; next }
		     /^\.Ed/ { inside = 0 }
		     inside { gsub(/\\e/, "\\"); print >("example." n) }'
}

# The registry of the original's integration test, at $SINK_PORT or three ports.
three_webhooks() { # PORT1 PORT2 PORT3
	jq -n --arg a "${1:-$SINK_PORT}" --arg b "${2:-$SINK_PORT}" \
		--arg c "${3:-$SINK_PORT}" '
	[ { id: "wh1", url: "http://127.0.0.1:\($a)/wh1", subscriptions: ["ping"],
	    attributes: { name: "wh1" } },
	  { id: "wh2", url: "http://127.0.0.1:\($b)/wh2",
	    subscriptions: ["ping", "service:subscribed"],
	    attributes: { name: "wh2", serviceId: "aServiceId12345" } },
	  { id: "wh3", url: "http://127.0.0.1:\($c)/wh3",
	    subscriptions: ["service:subscribed"],
	    attributes: { serviceId: "aServiceId09876" } } ]'
}
