#!/usr/bin/env bats
# ev-deliver -q when the system fails: the Nth read, write and sync of the queue,
# for every N; a disk that fills at every point; SIGKILL. Afterwards the queue is
# whole, and nothing that was taken is missing.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	: >rejects
}

shim() {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o fault.so "$REPO/tests/helpers/fault.c" -ldl
}

# failing N ERRNO COMMAND…: with the Nth operation on the queue failing.
failing() {
	local at=$1 why=$2
	shift 2
	rm -f fired
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FILE="$PWD/q" \
		FAULT_AT="$at" FAULT_ERRNO="$why" FAULT_MARK="$PWD/fired" "$@"
}

calls() { # FIRST LAST
	local i
	for ((i = $1; i <= $2; i++)); do
		printf '{"url":"http://127.0.0.1:%s/%s","headers":{},"body":{},"id":"c%s"}\n' \
			"${SINK_PORT:-9}" "$i" "$i"
	done
}

# What the receiver got since `before` was set, each path once.
since() {
	tail -n +$((before + 1)) "$SINK_LOG" | jq -r .target | sort -u
}

# Taken is what a barrier says: 5 calls for each that came out.
check_taken() {
	local taken
	taken=$(grep -c barrier "$OUT" || true)
	[ ! -e q ] || [ "$(sqlite3 q 'PRAGMA integrity_check')" = ok ]
	[ "$taken" = 0 ] || sort_in q
	[ "$taken" = 0 ] || [ "$(sqlite3 q 'SELECT count(*) FROM call WHERE
		due IS NULL OR seq IN (SELECT seq FROM payload)')" -ge $((taken * 5)) ]
}

@test "storing: each read, write and sync fails in turn" {
	shim
	{
		calls 1 5
		echo '{"barrier":"s.0"}'
		calls 6 10
		echo '{"barrier":"s.1"}'
	} >in
	local n
	for ((n = 1; n < 500; n++)); do
		rm -f q q-*
		# EIO and ENOSPC in turn.
		failing $n $((n % 2 ? 5 : 28)) ev-deliver -q q --enqueue in
		check_taken
		[ -e fired ] || break
		# Some failures change nothing: of a checkpoint at the end, say.
		[ "$CODE" = 0 ] || [ "$CODE" = 3 ]
		[ "$CODE" = 0 ] || [ -s "$ERR" ]
		run_prog ev-deliver -q q --enqueue in
		want_code 0
		sort_in q
		[ "$(sqlite3 q 'SELECT count(*) FROM call')" = 10 ]
	done
	echo "# $((n - 1)) operations" >&3
	[ "$n" -gt 15 ] && [ "$n" -lt 500 ]
}

@test "delivering: each read, write and sync fails in turn" {
	shim
	start_sink
	calls 1 5 >in
	local n
	for ((n = 1; n < 500; n++)); do
		rm -f q q-*
		before=$(wc -l <"$SINK_LOG")
		ev-deliver -q q --enqueue in
		failing $n 5 ev-deliver -q q $LOOPBACK --drain /dev/null
		[ "$(sqlite3 q 'PRAGMA integrity_check')" = ok ]
		[ -e fired ] || break
		[ "$CODE" = 0 ] || [ "$CODE" = 3 ]
		ev-deliver -q q $LOOPBACK --drain </dev/null >out
		[ "$(since | paste -sd' ')" = "/1 /2 /3 /4 /5" ]
		[ "$(sqlite3 q 'SELECT count(*) FROM call WHERE outcome = 1')" = 5 ]
	done
	echo "# $((n - 1)) operations" >&3
	[ "$n" -gt 15 ] && [ "$n" -lt 500 ]
}

@test "delivering: whatever fails, no call is in the queue twice" {
	shim
	start_sink
	calls 1 5 | sed 's/,"id":"[^"]*"//' >in
	local n
	for ((n = 1; n < 500; n++)); do
		rm -f q q-*
		ev-deliver -q q --enqueue in
		failing $n 5 ev-deliver -q q $LOOPBACK --drain /dev/null
		[ -e fired ] || break
		ev-deliver -q q $LOOPBACK --drain </dev/null >out
		[ "$(sqlite3 q 'SELECT count(*) FROM call')" = 5 ]
	done
	[ "$n" -gt 15 ] && [ "$n" -lt 500 ]
}

@test "the disk fills, at every point of storing and delivering" {
	shim
	start_sink
	{
		calls 1 5
		echo '{"barrier":"s.0"}'
		calls 6 10
		echo '{"barrier":"s.1"}'
	} >in
	export FAULT_LAST=1
	local n
	for ((n = 1; n < 500; n++)); do
		rm -f q q-*
		before=$(wc -l <"$SINK_LOG")
		failing $n 28 ev-deliver -q q $LOOPBACK --drain in
		check_taken
		[ -e fired ] || break
		[ "$CODE" = 0 ] || [ "$CODE" = 3 ]
		[ "$CODE" = 0 ] || [ -s "$ERR" ]
		ev-deliver -q q $LOOPBACK --drain in >out
		[ "$(since | wc -l)" = 10 ]
		[ "$(sqlite3 q 'SELECT count(*) FROM call WHERE outcome = 1')" = 10 ]
	done
	echo "# $((n - 1)) operations" >&3
	[ "$n" -gt 20 ] && [ "$n" -lt 500 ]
}

@test "a small file system that is full: exit 3, and what to do; then it goes on" {
	[ "$(id -u)" -eq 0 ] || skip "only root may mount"
	start_sink
	mkdir small
	mount -t tmpfs -o size=300k none small || skip "no right to mount"
	calls 1 20000 >in
	run_prog ev-deliver -q small/q --enqueue in
	cp small/q* . || true
	umount small
	want_code 3
	grep -q 'the disk is full: make room' "$ERR"
	taken=$(sqlite3 q 'SELECT count(*) FROM call')
	[ "$(sqlite3 q 'PRAGMA integrity_check')" = ok ]
	ev-deliver -q q $LOOPBACK --drain </dev/null >out
	[ "$(jq -r .target "$SINK_LOG" | sort -u | wc -l)" = "$taken" ]
}

@test "SIGKILL at random moments, of who stores and who delivers" {
	bash "$REPO/tests/soak/queue.sh" 3000 10 >out 2>err
	grep -q ' 0 lost, 0 out of order' out
	sed 's/^/# /' out >&3
}
