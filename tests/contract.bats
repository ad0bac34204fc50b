#!/usr/bin/env bats
# What every program promises (DESIGN.md section 5), tried on each of them.

load helpers/common

setup() {
	W=$BATS_TEST_TMPDIR/w.json REJECTS=$BATS_TEST_TMPDIR/rejects
	IN=$BATS_TEST_TMPDIR/in WANT=$BATS_TEST_TMPDIR/want
	cat >"$W" <<-'END'
	[{"id":"wh1","url":"http://one.example/","subscriptions":["ping"],
	  "attributes":{"name":"one"}}]
	END
}

# A program that would wait for ever is killed: code 124, an unwanted one.
limited() {
	timeout -k 5 $((DEADLINE * 3)) "$@"
}

# set_up PROGRAM: ARGS, and GOOD (a line it takes) with one line out.
set_up() {
	GOOD='{"name":"ping","payload":{"name":"one","n":1.0}}'
	case $1 in
	ev-validate) ARGS=() ;;
	ev-map | ev-route) ARGS=(-w "$W") ;;
	ev-deliver)
		[ -n "${SINK_PID:-}" ] || start_sink
		ARGS=("$LOOPBACK" --schedule 0.01s)
		GOOD='{"url":"http://127.0.0.1:'$SINK_PORT'/","headers":{},"body":{"n":1.0}}'
		;;
	esac
}

# A hostile line between two good ones: both go through, it gets one reject that
# gives its bytes back, the code is 1.
between() { # PROGRAM NAME REASON_PATTERN, the line in $IN.bad
	local got
	rm -f "$REJECTS"
	{ echo "$GOOD"; cat "$IN.bad"; echo; echo "$GOOD"; } >"$IN"
	run_prog "$1" "${ARGS[@]}" -r "$REJECTS" "$IN"
	want_code 1 || { echo "$1, $2" >&2; return 1; }
	[ "$(wc -l <"$OUT")" -eq 2 ] || {
		echo "$1, $2: not two lines out" >&2
		return 1
	}
	got=$(jq -r '"\(.program) \(.line) \(.reason)"' "$REJECTS")
	[[ $got == "$1 2 "$3 ]] || {
		echo "$1, $2: reject '$got', not '$1 2 $3'" >&2
		return 1
	}
	[ -s "$ERR" ]
}

gives_back() {
	if jq -e 'has("input_base64")' "$REJECTS" >/dev/null; then
		jq -r .input_base64 "$REJECTS" | base64 -d >"$IN.back"
	else
		jq -j .input "$REJECTS" >"$IN.back"
	fi
	same "$IN.bad" "$IN.back"
}

@test "-h and -V: on stdout, code 0" {
	local p
	for p in "${PROGRAMS[@]}"; do
		run_prog "$p" -h
		want_code 0
		[ ! -s "$ERR" ]
		grep -q "^usage: $p " "$OUT"
		cp "$OUT" "$WANT"
		run_prog "$p" --help
		same "$WANT" "$OUT"
		run_prog "$p" -V
		want_code 0
		[ ! -s "$ERR" ]
		[[ $(<"$OUT") =~ ^$p\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
		run_prog "$p" --version
		want_code 0
	done
}

@test "a bad option: the usage on stderr, code 2" {
	local p option
	for p in "${PROGRAMS[@]}"; do
		for option in -Z --no-such-option; do
			run_prog "$p" $option </dev/null
			want_code 2
			[ ! -s "$OUT" ]
			grep -q "^usage: $p " "$ERR"
		done
	done
}

@test "a full disk behind stdout: code 3 and a diagnostic" {
	local p code
	for p in "${PROGRAMS[@]}"; do
		code=0
		"$p" -h >/dev/full 2>"$IN.err" || code=$?
		[ "$code" -eq 3 ]
	done
	for p in "${STAGES[@]}"; do
		set_up "$p"
		echo "$GOOD" >"$IN"
		code=0
		limited "$p" "${ARGS[@]}" "$IN" >/dev/full 2>"$IN.err" || code=$?
		[ "$code" -eq 3 ] || { echo "$p: code $code" >&2; false; }
		grep -q "^$p: .*No space left" "$IN.err"
	done
	code=0
	hook-admin -w "$W" list >/dev/full 2>"$IN.err" || code=$?
	[ "$code" -eq 3 ]
	grep -q "^hook-admin: .*No space left" "$IN.err"
}

@test "a full disk behind the rejects: code 3" {
	local p code
	for p in "${STAGES[@]}"; do
		set_up "$p"
		code=0
		echo nonsense | limited "$p" "${ARGS[@]}" -r /dev/full \
			>"$IN.out" 2>"$IN.err" || code=$?
		[ "$code" -eq 3 ] || { echo "$p: code $code" >&2; false; }
		grep -q "No space left" "$IN.err"
	done
}

@test "closed stdin, stdout or stderr: a code of ours, no signal" {
	local p code
	for p in "${STAGES[@]}"; do
		set_up "$p"
		code=0
		limited "$p" "${ARGS[@]}" <&- >"$IN.out" 2>"$IN.err" || code=$?
		[ "$code" -eq 3 ] || { echo "$p: code $code" >&2; false; }
		grep -q "^$p: cannot read stdin" "$IN.err"
		echo "$GOOD" >"$IN"
		code=0
		limited "$p" "${ARGS[@]}" "$IN" >&- 2>"$IN.err" || code=$?
		[ "$code" -eq 3 ] || { echo "$p: code $code" >&2; false; }
		code=0
		echo nonsense | limited "$p" "${ARGS[@]}" -r "$REJECTS" 2>&- \
			>"$IN.out" || code=$?
		[ "$code" -eq 1 ] || { echo "$p: code $code" >&2; false; }
	done
}

@test "the reader of stdout is gone: a quiet end" {
	local p codes
	for p in ev-validate ev-map ev-route; do
		set_up "$p"
		yes "$GOOD" | head -n 200000 >"$IN"
		codes=()
		limited "$p" "${ARGS[@]}" "$IN" 2>"$IN.err" | head -n 1 >"$IN.out" &&
			codes=("${PIPESTATUS[@]}") || codes=("${PIPESTATUS[@]}")
		[ "${codes[0]}" -eq 0 ] || { echo "$p: ${codes[0]}" >&2; false; }
		[ ! -s "$IN.err" ]
		[ "$(wc -l <"$IN.out")" -eq 1 ]
	done
	set_up ev-deliver
	yes "$GOOD" | head -n 2000 >"$IN"
	limited ev-deliver "${ARGS[@]}" "$IN" 2>"$IN.err" | head -n 1 >"$IN.out" &&
		codes=("${PIPESTATUS[@]}") || codes=("${PIPESTATUS[@]}")
	[ "${codes[0]}" -eq 0 ]
	[ ! -s "$IN.err" ]
}

@test "empty input and blank lines: nothing, code 0" {
	local p
	for p in "${STAGES[@]}"; do
		set_up "$p"
		run_prog "$p" "${ARGS[@]}" </dev/null
		want_code 0
		[ ! -s "$OUT" ]
		[ ! -s "$ERR" ]
		printf '\n \t\r\n\n' >"$IN"
		run_prog "$p" "${ARGS[@]}" "$IN"
		want_code 0
		[ ! -s "$OUT" ]
		[ ! -s "$ERR" ]
	done
}

@test "a last line without a newline counts; what comes out has one" {
	local p
	for p in "${STAGES[@]}"; do
		set_up "$p"
		printf '%s\n%s' "$GOOD" "$GOOD" >"$IN"
		run_prog "$p" "${ARGS[@]}" "$IN"
		want_code 0
		[ "$(wc -l <"$OUT")" -eq 2 ]
		[ "$(tail -c 1 "$OUT" | od -An -tx1)" = " 0a" ]
	done
}

@test "FILE operands in their order, - is stdin" {
	local p
	for p in "${STAGES[@]}"; do
		set_up "$p"
		echo "$GOOD" >"$IN.1"
		{ echo "$GOOD"; echo "$GOOD"; } >"$IN.2"
		echo "$GOOD" | run_prog "$p" "${ARGS[@]}" "$IN.1" - "$IN.2"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 4 ]
		run_prog "$p" "${ARGS[@]}" "$IN.none" </dev/null
		want_code 2
		grep -q "cannot open '.*none'" "$ERR"
		run_prog "$p" "${ARGS[@]}" "$BATS_TEST_TMPDIR" </dev/null
		want_code 3
		grep -q "cannot read" "$ERR"
	done
}

@test "a hostile line is rejected with its reason, its neighbours go through" {
	local p deep
	deep=$(printf '%*s' 100000 '' | tr ' ' '[')
	for p in "${STAGES[@]}"; do
		set_up "$p"
		while IFS='|' read -r name reason bytes; do
			printf '%b' "$bytes" >"$IN.bad"
			between "$p" "$name" "$reason"
			gives_back
		done <<-'END'
		not JSON|not-json|nonsense
		cut short|not-json|{"name":"ping","payload":{"name":"o
		NUL in a string|not-json|{"name":"ping","payload":{"name":"o\0000ne"}}
		NUL behind|not-json|{"name":"ping","payload":{"name":"one"}}\0000
		NUL alone|not-json|\0000
		bad UTF-8|not-json|{"name":"ping","payload":{"name":"\0377"}}
		overlong UTF-8|not-json|{"name":"\0300\0257"}
		BOM|not-json|\0357\0273\0277{"name":"ping","payload":{"name":"one"}}
		lone surrogate|not-json|{"name":"\\ud800"}
		control character|not-json|{"name":"a\tb"}
		two values|not-json|{} {}
		number|*|5
		array|*|[]
		null|*|null
		empty object|*|{}
		END
		printf '%s' "$deep" >"$IN.bad"
		between "$p" "100,000 levels" not-json
		gives_back
		# Open and shut again: the nesting itself is refused.
		printf '%s%s' "$deep" "$(tr '[' ']' <<<"$deep")" >"$IN.bad"
		between "$p" "100,000 levels and back" not-json
		gives_back
	done
}

@test "an oversize line is counted, its head kept, its neighbours go through" {
	local p n
	for p in "${STAGES[@]}"; do
		set_up "$p"
		n=$((4 * 1024 * 1024))
		[ "$p" != ev-validate ] || n=$((1024 * 1024))
		# At the limit it is a line like others, one byte more is not.
		printf '%*s' $((n + 1)) '' | tr ' ' x >"$IN.bad"
		between "$p" oversize too-long
		jq -e --argjson n $((n + 1)) '.bytes == $n and .truncated == true
			and (.input | length) == 4096' "$REJECTS"
		printf '%*s' "$n" '' | tr ' ' x >"$IN.bad"
		between "$p" "at the limit" not-json
		printf '%0300d' 0 >"$IN.bad"
		ARGS+=(--max-line 200)
		between "$p" --max-line too-long
		run_prog "$p" --max-line 0 </dev/null
		want_code 2
		run_prog "$p" --max-line 5x </dev/null
		want_code 2
	done
}

@test "rejects: private file, appended to, from -r or EV_REJECTS" {
	local p
	for p in "${STAGES[@]}"; do
		set_up "$p"
		rm -f "$REJECTS"
		echo nonsense >"$IN"
		run_prog "$p" "${ARGS[@]}" -r "$REJECTS" "$IN"
		want_code 1
		[ "$(stat -c %a "$REJECTS")" = 600 ]
		EV_REJECTS=$REJECTS run_prog "$p" "${ARGS[@]}" "$IN"
		want_code 1
		run_prog "$p" "${ARGS[@]}" "$IN"
		want_code 1
		[ "$(wc -l <"$REJECTS")" -eq 2 ]
		jq -es 'all(.program and .line == 1 and .reason and .error
			and .input == "nonsense" and (.time | test("Z$")))' \
			"$REJECTS"
		run_prog "$p" "${ARGS[@]}" -r "$IN/none" "$IN"
		want_code 2
	done
}

@test "stderr names program, line and reason, and shows no payload value" {
	local p
	for p in "${STAGES[@]}"; do
		set_up "$p"
		{ echo "$GOOD"; echo '{"name":"ping","payload":{"name":["Rossi"]},"url":5}'; } >"$IN"
		run_prog "$p" "${ARGS[@]}" "$IN"
		# Payloads are checked before: ev-route takes the line.
		[ "$p" = ev-route ] || want_code 1
		[ "$p" = ev-route ] || grep -q "^$p: .*line 2: " "$ERR"
		if grep -q Rossi "$ERR"; then false; fi
	done
}

# peak PROGRAM LIMIT_KIB: feed it $IN.parts (run as a shell function), look at its
# peak memory before its input ends.
peak() {
	local pid hwm
	mkfifo "$IN.fifo"
	"$1" "${ARGS[@]}" -r "$REJECTS" <"$IN.fifo" >"$IN.out" 2>"$IN.err" \
		3>&- 4>&- &
	pid=$!
	exec 7>"$IN.fifo"
	feed >&7
	wait_until has_lines "$IN.out" "$3"
	hwm=$(awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
	exec 7>&-
	wait "$pid" || true
	rm "$IN.fifo"
	echo "# $1: $hwm KiB at its peak" >&3
	[ "$hwm" -lt "$2" ] || { echo "$1: $hwm KiB, over $2" >&2; return 1; }
}

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

feed() {
	echo "$GOOD"
	head -c 100000000 /dev/zero | tr '\0' x
	echo
	printf '%*s\n' 100000 '' | tr ' ' '['
	yes "$GOOD" | head -n "$MANY"
	echo "$GOOD"
}

@test "a line of 100 MB, many lines: ev-validate, ev-map, ev-route under 16 MB" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers use more"
	[ -r /proc/self/status ] || skip "no /proc here"
	local p
	MANY=20000
	for p in ev-validate ev-map ev-route; do
		set_up "$p"
		peak "$p" 16384 $((MANY + 2))
		rm -f "$REJECTS"
	done
	ARGS=(-w "$W")
	GOOD='{"name":"profile:completed","payload":{"fiscalCode":"QZXWVK12B07M310T","servicePreferencesMode":"AUTO"}}'
	echo '[{"url":"http://a.example","subscriptions":["ping"],"attributes":{"serviceId":"s"}}]' >"$W"
	MANY=5000
	peak ev-map 16384 $((MANY + 2))
}

@test "a line of 100 MB, many calls: ev-deliver under 32 MB" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers use more"
	[ -r /proc/self/status ] || skip "no /proc here"
	MANY=5000
	set_up ev-deliver
	peak ev-deliver 32768 $((MANY + 2))
}

@test "a typed line comes out at once, through all the stages" {
	local pid
	mkfifo "$IN.fifo"
	(ev-validate <"$IN.fifo" | ev-map -w "$W" | ev-route -w "$W" >"$IN.out") \
		3>&- 4>&- &
	pid=$!
	exec 7>"$IN.fifo"
	echo '{"name":"ping","payload":{"name":"one"}}' >&7
	wait_until has_lines "$IN.out" 1
	echo '{"name":"ping:all"}' >&7
	wait_until has_lines "$IN.out" 2
	exec 7>&-
	wait "$pid"
}
