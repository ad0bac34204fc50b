#!/usr/bin/env bats
# ev-pull: events leave the queue when the command has done what they ask for,
# and not before; what it dies of ends in a dead letter.

load helpers/common

setup() {
	Q=$BATS_TEST_TMPDIR/events IN=$BATS_TEST_TMPDIR/in
	GOT=$BATS_TEST_TMPDIR/got
}

# pings FROM TO: with ids of their own.
pings() {
	seq "$1" "$2" | jq -c '{id: "e\(.)", name: "ping", payload: {name: "a", n: .}}'
}

waiting() {
	sqlite3 "$Q" 'SELECT count(*) FROM event'
}

dead() {
	ev-pull -q "$Q" --dead
}

# drain COMMAND…: until nothing is left.
drain() {
	run_prog ev-pull -q "$Q" --drain -- "$@"
}

# start_pull [OPTION…] -- COMMAND…: in the background, output to $GOT and $GOT.err.
start_pull() {
	ev-pull -q "$Q" "$@" >"$GOT" 2>"$GOT.err" 3>&- 4>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
}

# A stage that dies of the lines that match a pattern.
dies_of() {
	cat >"$IN.dies" <<-'END'
	while IFS= read -r line; do
		if [[ $line =~ $1 ]]; then
			echo "cannot stand line" >&2
			exit 7
		fi
		printf '%s\n' "$line"
	done
	END
	DIES=(bash "$IN.dies" "$1")
}

has_lines() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

is_empty() {
	[ "$(waiting)" -eq 0 ]
}

@test "events are fed in their order and bytes, and are gone when done" {
	pings 1 10000 >"$IN"
	ev-push -q "$Q" "$IN"
	drain cat
	want_code 0
	same "$IN" "$OUT"
	[ ! -s "$ERR" ]
	is_empty
	drain cat
	want_code 0
	[ ! -s "$OUT" ]
}

@test "the command sees barrier 0 of a random session first, then the rest in sequence" {
	pings 1 3 | ev-push -q "$Q"
	drain tee "$IN.seen"
	want_code 0
	head -n 1 "$IN.seen" | grep -qE '^\{"barrier":"[0-9a-f]{32}\.0"\}$'
	grep barrier "$IN.seen" | jq -r '.barrier | split(".")[1]' >"$IN.ns"
	seq 0 $(($(wc -l <"$IN.ns") - 1)) >"$IN.want"
	same "$IN.want" "$IN.ns"
	tail -n 1 "$IN.seen" | grep -q barrier
	ev-push -q "$Q" <<<'{"name":"ping"}'
	drain tee "$IN.again"
	[ "$(head -n 1 "$IN.again")" != "$(head -n 1 "$IN.seen")" ]
}

@test "a new event is fed at once, and acknowledged at once" {
	start_pull -- cat
	wait_until test -e "$Q"
	pings 1 1 | ev-push -q "$Q"
	wait_until has_lines "$GOT" 1
	wait_until is_empty
	pings 2 2 | ev-push -q "$Q"
	wait_until has_lines "$GOT" 2
	wait_until is_empty
	kill "$PULL"
	wait "$PULL"
}

@test "idle it makes no system call" {
	command -v strace || skip "no strace here"
	strace -o /dev/null true || skip "strace may not trace here"
	[ -z "${EV_SAN:-}" ] || skip "leaks are not looked for under strace"
	pings 1 10 | ev-push -q "$Q"
	start_pull -- cat
	wait_until has_lines "$GOT" 10
	wait_until is_empty
	sleep 0.3
	timeout 2 strace -f -o "$IN.trace" -p "$PULL" || [ $? -eq 124 ]
	# What strace finds it in, and nothing else.
	[ "$(grep -vc -E 'poll\(|restart_syscall|detached|SIG' "$IN.trace")" -eq 0 ] || {
		cat "$IN.trace" >&2
		false
	}
	[ "$(wc -l <"$IN.trace")" -le 3 ]
}

@test "a queue that is moved away or removed under it: code 3" {
	for how in "rm -f" "mv -t $BATS_TEST_TMPDIR/away"; do
		mkdir -p "$BATS_TEST_TMPDIR/away"
		rm -f "$Q"*
		pings 1 1 | ev-push -q "$Q"
		start_pull -- cat
		wait_until has_lines "$GOT" 1
		wait_until is_empty
		$how "$Q"
		CODE=0
		wait "$PULL" || CODE=$?
		[ "$CODE" -eq 3 ]
		grep -q 'moved away or removed' "$GOT.err"
	done
}

@test "SIGTERM: what was fed is acknowledged, the rest stays, code 0" {
	pings 1 50000 >"$IN"
	ev-push -q "$Q" "$IN"
	start_pull -- cat
	wait_until has_lines "$GOT" 1000
	kill "$PULL"
	wait "$PULL"
	[ ! -s "$GOT.err" ]
	sqlite3 "$Q" 'SELECT text FROM event ORDER BY seq' >"$IN.left"
	cat "$GOT" "$IN.left" >"$IN.all"
	same "$IN" "$IN.all"
}

@test "SIGTERM: a command that does not end gets SIGTERM after --grace, and time for it" {
	cat >"$IN.stage" <<-'END'
	# The shell around us is gone by then, and barriers still count.
	trap 'sleep 0.3; cat "$1.held"; echo ended >"$1"; exit' TERM
	while IFS= read -r line; do
		case $line in
		*'.0"}' | *ping*) printf '%s\n' "$line" ;;
		*) printf '%s\n' "$line" >>"$1.held" ;;
		esac
	done
	echo >"$1.eof"
	while :; do sleep 1000; done
	END
	pings 1 1 | ev-push -q "$Q"
	start_pull --grace 0.2 -- sh -c 'cat | sh "$0" "$1"' "$IN.stage" "$IN.mark"
	wait_until has_lines "$GOT" 1
	kill "$PULL"
	wait "$PULL"
	[ "$(cat "$IN.mark")" = ended ]
	[ -e "$IN.mark.eof" ]
	grep -q 'gets SIGTERM' "$GOT.err"
	is_empty
}

@test "SIGTERM three times: enough of waiting for --grace, and for the command" {
	start_pull --grace 1h -- sh -c 'trap "" TERM; head -n 1; echo $$ >"$0"
		cat; echo >"$0.eof"; while :; do sleep 1000; done' "$IN.pid"
	wait_until test -s "$IN.pid"
	kill "$PULL"
	wait_until test -e "$IN.pid.eof"
	kill "$PULL"
	wait_until grep -q 'gets SIGTERM' "$GOT.err"
	kill -0 "$(cat "$IN.pid")"
	kill "$PULL"
	wait "$PULL"
	wait_until gone "$(cat "$IN.pid")"
}

@test "one puller a queue" {
	ev-push -q "$Q" <<<'{"name":"ping"}'
	start_pull -- cat
	wait_until has_lines "$GOT" 1
	drain cat
	want_code 3
	grep -q 'another ev-pull' "$ERR"
	kill "$PULL"
	wait "$PULL"
	drain cat
	want_code 0
}

@test "EV_REJECTS is set for the command: beside the queue, unless it is given" {
	pings 1 1 | ev-push -q "$Q"
	drain sh -c 'echo "$EV_REJECTS" >"$0"; cat' "$IN.path"
	[ "$(cat "$IN.path")" = "$Q.rejects" ]
	pings 2 2 | ev-push -q "$Q"
	EV_REJECTS=/x drain sh -c 'echo "$EV_REJECTS" >"$0"; cat' "$IN.path"
	[ "$(cat "$IN.path")" = /x ]
	pings 3 3 | ev-push -q "$Q"
	run_prog ev-pull -q "$Q" --drain -r "$IN.r" -- \
		sh -c 'echo "$EV_REJECTS" >"$0"; cat' "$IN.path"
	[ "$(cat "$IN.path")" = "$IN.r" ]
	ev-push -q "$Q" <<<'{"name":"nobody knows"}'
	drain ev-validate
	want_code 0
	[ "$(jq -r .reason "$Q.rejects")" = unknown-event ]
	is_empty
}

@test "a command that ends before barrier 0 is back: code 2" {
	pings 1 3 | ev-push -q "$Q"
	for command in true false 'sleep 0' 'no-such-program-here' 'head -c 5'; do
		# shellcheck disable=SC2086
		drain $command
		want_code 2
		grep -q 'before the first barrier' "$ERR"
	done
	drain sh -c 'ev-validate | no-such-program-here'
	want_code 2
	[ "$(waiting)" -eq 3 ]
}

@test "a filter that swallows barriers: said, nothing is lost" {
	pings 1 3 | ev-push -q "$Q"
	run_prog ev-pull -q "$Q" --barrier-timeout 0.3 -- grep --line-buffered -v barrier
	want_code 2
	grep -q 'barrier 0 is late.*swallows barriers' "$ERR"
	[ "$(waiting)" -eq 3 ]
	# All but the first.
	start_pull --barrier-timeout 0.3 -- sed -u '/barrier.*\.[1-9]/d'
	wait_until grep -q 'barrier 1 is late.*starting it again' "$GOT.err"
	kill "$PULL"
	wait "$PULL"
	[ "$(waiting)" -eq 3 ]
	[ "$(sqlite3 "$Q" 'SELECT sum(deaths) FROM event')" -eq 0 ]
}

# gives SCRIPT: what the command gives instead of what is right: code 3, and the
# events stay.
gives() {
	drain sed -u "$1"
	want_code 3
	grep -q 'a barrier that is not the next' "$ERR"
	[ "$(waiting)" -eq 3 ]
}

@test "a barrier that was not issued, or is not the next one: code 3" {
	pings 1 3 | ev-push -q "$Q"
	gives 's/\(barrier.*\)\.1"/\1.2"/'
	gives 's/\(barrier.*\)\.1"/\1.0"/'
	gives 's/\.1"/x.1"/'
	gives '/barrier.*\.0"/p'
	gives '/barrier/s/":"./":"x/'
}

@test "a forged barrier in the queue is never fed" {
	pings 1 2 | ev-push -q "$Q"
	sqlite3 "$Q" "INSERT INTO event VALUES(50, 0, 0, '{\"barrier\":\"a.0\"}');
		UPDATE meta SET next = 51"
	pings 3 4 | ev-push -q "$Q"
	drain cat
	want_code 1
	[ "$(jq -r .payload.n "$OUT" | tr '\n' ' ')" = "1 2 3 4 " ]
	dead | jq -e '.number == 50 and .input == "{\"barrier\":\"a.0\"}"
		and (.status | test("barrier"))'
	is_empty
}

@test "a stage that is killed inside the command: nothing is acknowledged that it lost" {
	pings 1 20000 >"$IN"
	ev-push -q "$Q" "$IN"
	# The stage in the middle dies once, with lines in its hands; sh says 0.
	cat >"$IN.once" <<-'END'
	if [ ! -e "$1" ]; then
		touch "$1"
		sed -u 3000q
		kill -9 $$
	fi
	exec cat
	END
	drain sh -c 'cat | sh "$0" "$1" | cat' "$IN.once" "$IN.mark"
	want_code 0
	grep -q 'unacknowledged' "$ERR"
	sort -u "$OUT" >"$GOT"
	sort "$IN" >"$IN.sorted"
	same "$IN.sorted" "$GOT"
	[ -z "$(dead)" ]
	is_empty
}

@test "a stage that starts itself anew can't acknowledge what its predecessor lost" {
	echo '[]' >"$IN.w"
	pings 1 5000 >"$IN"
	ev-push -q "$Q" "$IN"
	# The first ev-validate dies behind barrier 0, the second goes on.
	cat >"$IN.anew" <<-'END'
	head -n 1
	timeout -s KILL 0.2 cat >/dev/null
	ev-validate
	echo $? >"$1"
	END
	start_pull -- sh "$IN.anew" "$IN.code"
	wait_until test -s "$IN.code"
	[ "$(cat "$IN.code")" -eq 3 ]
	kill "$PULL"
	wait "$PULL"
	[ "$(waiting)" -eq 5000 ]
}

@test "a stage that restarts itself over and over: started again as a whole, nothing lost" {
	pings 1 3000 >"$IN"
	ev-push -q "$Q" "$IN"
	# The first dies with events in its hands; the next ones refuse their barriers.
	cat >"$IN.loop" <<-'END'
	[ ! -e "$1" ] || exec ev-validate
	touch "$1"
	sed -u 1000q | ev-validate
	sed -u 500q >/dev/null
	until ev-validate; do sleep 0.05; done
	END
	start_pull --barrier-timeout 1 -- sh -c 'cat | sh "$0" "$1" | cat' \
		"$IN.loop" "$IN.mark"
	wait_until is_empty || { cat "$GOT.err" >&2; false; }
	kill "$PULL"
	wait "$PULL"
	sort -u "$GOT" >"$IN.got"
	sort "$IN" >"$IN.sorted"
	same "$IN.sorted" "$IN.got"
	grep -q 'is late.*starting it again' "$GOT.err"
	grep -q 'ev-validate: .*may be lost' "$GOT.err"
	[ -z "$(dead)" ]
}

# to_a_receiver STAGE…: behind the first stages, events become calls to a sink.
to_a_receiver() {
	start_sink
	jq -nc --arg url "http://127.0.0.1:$SINK_PORT/" '[{id: "wh1", url: $url,
		subscriptions: ["ping"], attributes: {name: "a"}}]' >"$IN.w"
	CHAIN=(sh -c 'w=$1 q=$2 allow=$3; shift 3
		ev-validate | "$@" | ev-map -w "$w" | ev-route -w "$w" |
			ev-deliver -w "$w" -q "$q" "$allow"' sh "$IN.w" "$IN.calls" \
		"$LOOPBACK" "$@")
}

@test "three poison events among 10,000, to a receiver: three dead letters, 9,997 delivered" {
	pings 1 10000 | sed -E '/"n":(77|7000|7001)\}/s/"id"/"poison":1,"id"/' >"$IN"
	ev-push -q "$Q" "$IN"
	dies_of poison
	to_a_receiver "${DIES[@]}"
	drain "${CHAIN[@]}"
	want_code 1
	is_empty
	dead | jq -r .input >"$GOT"
	grep poison "$IN" >"$IN.poison"
	same "$IN.poison" "$GOT"
	ev-deliver -w "$IN.w" -q "$IN.calls" "$LOOPBACK" --drain >"$IN.rest"
	jq -r '.body | fromjson | .payload.n' "$SINK_LOG" | sort -nu >"$GOT"
	seq 10000 | grep -vxE '77|7000|7001' >"$IN.want"
	same "$IN.want" "$GOT" # but for those in flight at a death, once
}

@test "three poison events among 3,000: three dead letters, 2,997 done" {
	# Two of them side by side.
	pings 1 3000 | sed -E '/"n":(77|2000|2001)\}/s/ping/poison/' >"$IN"
	ev-push -q "$Q" "$IN"
	dies_of poison
	drain sh -c 'cat | "$@"' sh "${DIES[@]}"
	want_code 1
	grep -v poison "$IN" | sort >"$IN.want"
	sort -u "$OUT" >"$GOT"
	same "$IN.want" "$GOT"
	is_empty
	dead >"$GOT"
	jq -r .input "$GOT" >"$GOT.input"
	grep poison "$IN" >"$IN.poison"
	same "$IN.poison" "$GOT.input"
	jq -es 'all(.deaths == 5 and .status == "exit status 7" and
		.stderr == "cannot stand line\n" and (.time | test("Z$")))' "$GOT"
	[ "$(grep -c 'is a dead letter' "$ERR")" -eq 3 ]
	if grep -q '"n"' "$ERR"; then false; fi
}

@test "a stage dies while the one before it waits: noticed all the same" {
	pings 1 1 | sed s/ping/poison/ | ev-push -q "$Q"
	dies_of poison
	start_pull -- sh -c 'cat | cat | "$@" | cat' sh "${DIES[@]}"
	wait_until grep -q 'on a single event' "$GOT.err"
	pings 2 20 | ev-push -q "$Q"
	wait_until is_empty
	[ "$(dead | wc -l)" -eq 1 ]
	has_lines "$GOT" 19
	kill "$PULL"
	wait "$PULL"
}

@test "a signal that kills is named; poison at the end and at the head" {
	{ pings 1 1 | sed s/ping/poison/; pings 2 100; } >"$IN"
	ev-push -q "$Q" "$IN"
	drain bash -c 'while IFS= read -r l; do
		[[ $l != *poison* ]] || kill -SEGV $$; printf "%s\n" "$l"; done'
	want_code 1
	dead | jq -e '.status | test("^signal 11 ")'
	[ "$(sort -u "$OUT" | wc -l)" -eq 99 ]
}

@test "a single poison event, nothing beside it: not sentenced until another passes" {
	pings 1 1 | sed s/ping/poison/ | ev-push -q "$Q"
	dies_of poison
	start_pull -- "${DIES[@]}"
	wait_until grep -q 'may be at fault itself' "$GOT.err"
	[ "$(sqlite3 "$Q" 'SELECT deaths FROM event')" -eq 0 ]
	pings 2 10 | ev-push -q "$Q"
	wait_until has_lines "$GOT" 9
	wait_until is_empty
	[ "$(dead | wc -l)" -eq 1 ]
	kill "$PULL"
	wait "$PULL"
}

@test "a command that dies on everything sentences nobody" {
	pings 1 500 >"$IN"
	ev-push -q "$Q" "$IN"
	dies_of ping
	drain "${DIES[@]}"
	want_code 3
	grep -q 'may be at fault itself, and nothing counts' "$ERR"
	[ "$(waiting)" -eq 500 ]
	[ "$(sqlite3 "$Q" 'SELECT sum(deaths) FROM event')" -eq 0 ]
	[ -z "$(dead)" ]
	# Repaired, it does them all.
	drain cat
	want_code 0
	sort "$IN" >"$IN.sorted"
	sort "$OUT" >"$GOT"
	same "$IN.sorted" "$GOT"
}

@test "deaths that count outlive ev-pull" {
	pings 1 3 | sed '1s/ping/poison/' | ev-push -q "$Q"
	sqlite3 "$Q" 'UPDATE event SET deaths = 4 WHERE seq = 1'
	dies_of poison
	drain "${DIES[@]}"
	want_code 1
	[ "$(grep -c 'ended (exit' "$ERR")" -eq 1 ]
	dead | jq -e '.deaths == 5'
}

@test "--requeue puts dead letters back, all or some" {
	pings 1 20 | sed -E '/"n":(3|5|7)\}/s/ping/poison/' >"$IN"
	ev-push -q "$Q" "$IN"
	dies_of poison
	drain "${DIES[@]}"
	want_code 1
	run_prog ev-pull -q "$Q" --requeue 5
	want_code 0
	[ "$(waiting)" -eq 1 ]
	[ "$(dead | jq .number | sort -n | tr '\n' ' ')" = "3 7 " ]
	run_prog ev-pull -q "$Q" --requeue 99
	want_code 1
	run_prog ev-pull -q "$Q" --requeue x
	want_code 2
	run_prog ev-pull -q "$Q" --requeue
	want_code 0
	[ -z "$(dead)" ]
	drain cat
	want_code 0
	grep poison "$IN" | sort >"$IN.want"
	sort "$OUT" >"$GOT"
	same "$IN.want" "$GOT"
	# A puller that runs hears of it.
	drain cat
}

@test "a command that gives more than it takes, and takes large lines slowly" {
	local big
	big=$(printf '%*s' 900000 '' | tr ' ' x)
	for i in 1 2 3 4 5; do
		printf '{"name":"ping","id":"%s","payload":{"x":"%s"}}\n' "$i" "$big"
	done >"$IN"
	pings 6 3000 >>"$IN"
	ev-push -q "$Q" "$IN"
	drain sed -u '/barrier/!{p;p;p}'
	want_code 0
	sed 'p;p;p' "$IN" >"$GOT"
	same "$GOT" "$OUT"
}

@test "a command that closes its input and lives on is ended and started again" {
	pings 1 1000 >"$IN"
	ev-push -q "$Q" "$IN"
	cat >"$IN.closes" <<-'END'
	[ ! -e "$1" ] || exec cat
	touch "$1"
	IFS= read -r line
	printf '%s\n' "$line"
	exec <&-
	sleep 1000
	END
	drain sh "$IN.closes" "$IN.mark"
	want_code 0
	sort -u "$OUT" >"$GOT"
	sort "$IN" >"$IN.sorted"
	same "$IN.sorted" "$GOT"
}

@test "stdout that fails: nothing is acknowledged" {
	pings 1 100 | ev-push -q "$Q"
	CODE=0
	timeout 60 ev-pull -q "$Q" --drain -- cat >/dev/full 2>"$IN.err" || CODE=$?
	[ "$CODE" -eq 3 ]
	[ "$(waiting)" -eq 100 ]
	# A reader that left is a quiet end, and none is acknowledged either.
	pings 101 100000 | ev-push -q "$Q"
	timeout 60 ev-pull -q "$Q" -- cat 2>"$IN.err" | head -n 1 >"$IN.out" || true
	[ "${PIPESTATUS[0]}" -eq 0 ]
	[ ! -s "$IN.err" ]
	[ "$(waiting)" -gt 0 ]
}

@test "a disk that fills under the rejects file: nothing behind it is acknowledged" {
	{ pings 1 10; echo '{"name":"nobody knows"}'; pings 12 20; } | ev-push -q "$Q"
	run_prog ev-pull -q "$Q" --drain -r /dev/full -- ev-validate
	want_code 1
	grep -q 'ev-validate: .*No space left' "$ERR"
	# To the others nothing happened, so it is the one to blame.
	dead | jq -e '(.input | test("nobody")) and .status == "exit status 3"
		and (.stderr | test("No space left"))'
	ev-pull -q "$Q" --requeue
	drain ev-validate
	want_code 0
	is_empty
	[ "$(wc -l <"$Q.rejects")" -eq 1 ]
}

@test "a small disk fills under the rejects file: each event is done, rejected or dead, once" {
	local dir=$BATS_TEST_TMPDIR/small
	mkdir "$dir"
	mount -t tmpfs -o size=8k none "$dir" 2>/dev/null || skip "may not mount"
	# Room for some twenty records, and none of another page.
	pings 1 200 | sed -E '/"n":[0-9]*[05]\}/s/ping/nobody/' >"$IN"
	ev-push -q "$Q" "$IN"
	CODE=0
	run_prog ev-pull -q "$Q" --drain -r "$dir/rejects" -- ev-validate || true
	cp "$dir/rejects" "$IN.torn"
	# What is torn is repeated: it was not acknowledged. Room again: they go on.
	mount -o remount,size=1m "$dir"
	cp "$OUT" "$GOT"
	dead >"$IN.dead"
	ev-pull -q "$Q" --requeue
	run_prog ev-pull -q "$Q" --drain -r "$dir/rejects" -- ev-validate || true
	cp "$dir/rejects" "$IN.rejects"
	umount "$dir"
	want_code 0
	[ "$(wc -l <"$IN.dead")" -gt 0 ]
	is_empty
	grep -v nobody "$IN" | sort >"$IN.want"
	sort -u "$GOT" >"$IN.got"
	same "$IN.want" "$IN.got"
	# Every one is there whole; a line that was torn stands by itself.
	grep nobody "$IN" | sort >"$IN.want"
	jq -Rr 'fromjson? | .input' "$IN.rejects" | sort -u >"$IN.got"
	same "$IN.want" "$IN.got"
	[ "$(jq -Rr 'select(. != "") | fromjson? // "torn"' "$IN.rejects" |
		grep -c torn)" -le 1 ]
}

# Everything in the queue reaches $IN.sink through three stages, whoever is
# killed.
@test "kill -9 of ev-pull and of stages at random moments: no event is lost" {
	local round pid victim n=0
	pings 1 60000 >"$IN"
	ev-push -q "$Q" "$IN"
	: >"$IN.sink"
	cat >"$IN.chain" <<-'END'
	cat | ev-validate --schema "$1" | tee -a "$2"
	END
	echo true >"$IN.schema"
	for round in $(seq 15); do
		start_pull -- sh "$IN.chain" "$IN.schema" "$IN.sink"
		disown "$PULL"
		sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
		case $((round % 3)) in
		0) victim=$PULL ;;
		1) victim=$(pgrep -P "$(pgrep -P "$PULL" | head -n 1)" 2>/dev/null |
			shuf -n 1) || victim='' ;;
		*) victim=$(pgrep -P "$PULL" | head -n 1) || victim='' ;;
		esac
		if [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then
			n=$((n + 1))
		fi
		sleep "0.0$((RANDOM % 10))"
		kill -9 "$PULL" 2>/dev/null || true
		wait_until gone "$PULL"
	done
	echo "# $n kills, $(waiting) left" >&3
	drain sh "$IN.chain" "$IN.schema" "$IN.sink"
	want_code 0
	is_empty
	[ -z "$(dead)" ]
	grep -v barrier "$IN.sink" | jq -Rc 'fromjson? | .payload.n // empty' |
		sort -nu >"$GOT"
	seq 60000 >"$IN.want"
	same "$IN.want" "$GOT"
}

@test "from ev-push to the receiver, whoever is killed: a small soak" {
	[ -z "${EV_SAN:-}" ] || skip "make soak does more"
	timeout 150 bash "$REPO/tests/soak/events.sh" 6000 10 >"$IN.said" \
		3>&- 4>&- || { cat "$IN.said" >&2; false; }
	tail -n 1 "$IN.said" | sed 's/^/# /' >&3
}

# examples PAGE: what its EXAMPLES say, in a shell each, in one folder that has
# the source tree's examples.
examples() {
	mkdir -p "$BATS_TEST_TMPDIR/tree"
	cd "$BATS_TEST_TMPDIR/tree" || return 1
	ln -sfn "$REPO/examples" examples
	manual_examples "$1"
	for n in 1 2 3 4; do
		[ -e "example.$n" ] || break
		timeout 60 bash -e -o pipefail "example.$n" >"out.$n" 2>"err.$n" ||
			{ cat "example.$n" "err.$n" >&2; return 1; }
	done
}

@test "the EXAMPLES of the manual pages run, in their order" {
	examples ev-push.1
	[ "$(cat out.1)" -gt 3 ]
	grep -q '1 events are on disk, 1 of them from an earlier push' err.2
	rm -f events.db*
	examples ev-pull.1
	grep -q '^http' out.1
	[ "$(jq -r .name out.2)" = ping ]
	[ -e out.3 ]
}

@test "wrong usage: code 2" {
	run_prog ev-pull -q "$Q"
	want_code 2
	run_prog ev-pull -- cat
	want_code 2
	grep -q 'give one with -q' "$ERR"
	run_prog ev-pull -q "$Q" --dead -- cat
	want_code 2
	run_prog ev-pull -q "$Q" --dead --requeue
	want_code 2
	run_prog ev-pull -q "$Q" --grace soon -- cat
	want_code 2
	run_prog ev-pull -q "$Q" --barrier-timeout 0 -- cat
	want_code 2
	run_prog ev-pull -q "$BATS_TEST_TMPDIR/no/such" -- cat
	want_code 2
	# A name that is mistyped has no dead letters, nor a file.
	run_prog ev-pull -q "$Q.mistyped" --dead
	want_code 2
	run_prog ev-pull -q "$Q.mistyped" --requeue
	want_code 2
	[ ! -e "$Q.mistyped" ]
}
