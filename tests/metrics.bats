#!/usr/bin/env bats
# --metrics FILE: the format, what filters count against what happened, files that
# can't be written, programs that are killed; evpipe-metrics(5); the alerts.

load helpers/common
load helpers/metrics

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
}

@test "promtool is here, and looks at what follows" {
	command -v promtool || skip "no promtool: Debian has it in prometheus"
}

@test "what is counted is what the page says" {
	grep -o '"evpipe_[a-z_]*"' "$REPO/src/cmd/metrics.c" | tr -d '"' |
		sort >code
	[ "$(wc -l <code)" -eq "$(grep -c '^	\[METRIC_' "$REPO/src/cmd/metrics.c")" ]
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\).*/\1/p' \
		"$REPO/man/evpipe-metrics.5" | sort >page
	same code page
	sort -u page | same page -
}

@test "filters: counted is what came, what went and what was rejected" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	local n
	for n in 1 2 3 4 5; do
		cat "$REPO"/examples/events/*.ndjson
		echo
	done >in
	# The reject file is as many records long.
	ev-validate --metrics v.prom in >valid 2>err || [ $? -eq 1 ]
	is_sound v.prom
	counts v.prom evpipe_up 0
	counts v.prom evpipe_input_lines_total "$(wc -l <in)"
	counts v.prom evpipe_input_bytes_total "$(wc -c <in)"
	counts v.prom evpipe_output_lines_total "$(wc -l <valid)"
	counts v.prom evpipe_output_bytes_total "$(wc -c <valid)"
	counts v.prom evpipe_rejected_total "$(wc -l <rejects)"
	jq -r .reason rejects | sort | uniq -c >reasons
	[ "$(wc -l <reasons)" -gt 2 ]
	while read -r n reason; do
		counts v.prom evpipe_rejects_total "$n" reason="$reason"
	done <reasons
	ev-map --metrics m.prom valid >public
	is_sound m.prom
	counts m.prom evpipe_input_lines_total "$(wc -l <valid)"
	counts m.prom evpipe_output_lines_total "$(wc -l <public)"
	counts m.prom evpipe_output_bytes_total "$(wc -c <public)"
	counts m.prom evpipe_worker_requests_total \
		"$(grep -vc '"ping"\|"service:subscribed"' valid)"
	counts m.prom evpipe_registry_webhooks 3
	counts m.prom evpipe_registry_loads_total 1 result=good
	ev-route --metrics r.prom --unmatched unmatched public >calls
	is_sound r.prom
	counts r.prom evpipe_output_lines_total "$(wc -l <calls)"
	counts r.prom evpipe_unmatched_total "$(wc -l <unmatched)"
	[ "$(stat -c %a v.prom)" = 644 ]
	# Nothing of a payload.
	if grep -l AAAAAA00A00A000A ./*.prom; then false; fi
}

@test "filters: barriers count as lines, a worker's requests as such" {
	jq -c '[.[] | .filter = ".payload.n != 3"]' \
		"$REPO/examples/webhooks.json" >w.json
	export EV_WEBHOOKS=w.json
	{
		echo '{"barrier":"s.0"}'
		for n in 1 2 3 4; do
			echo '{"name":"ping","payload":{"name":"wh1","n":'$n'}}'
		done
		echo '{"barrier":"s.1"}'
	} | ev-route --metrics r.prom >calls
	is_sound r.prom
	[ "$(wc -l <calls)" -eq 5 ]
	counts r.prom evpipe_input_lines_total 6
	counts r.prom evpipe_output_lines_total 5
	counts r.prom evpipe_worker_requests_total 4
	counts r.prom evpipe_unmatched_total 1
}

@test "filters: programs that don't end, a registry that breaks" {
	cp "$REPO/examples/webhooks.json" good.json
	jq -c '[.[] | .filter = "def f: f; .payload.n != 2 or f"]' good.json >w.json
	mkfifo fifo
	ev-route -w w.json --timeout 100ms --metrics r.prom <fifo >calls 2>err \
		3>&- 4>&- &
	local pid=$!
	exec 7>fifo
	for n in 1 2 3; do
		echo '{"name":"ping","payload":{"name":"wh1","n":'$n'}}' >&7
	done
	wait_until grep -q 'filter-timeout' err
	echo broken >w.json
	# It looks at a line's coming.
	broken() {
		echo '{"name":"ping","payload":{"name":"wh1","n":1}}' >&7
		grep -q 'does not load' err
	}
	wait_until broken
	exec 7>&-
	wait "$pid" || [ $? -eq 1 ]
	is_sound r.prom
	counts r.prom evpipe_worker_deaths_total 1
	counts r.prom evpipe_rejects_total 1 reason=filter-timeout
	counts r.prom evpipe_registry_loads_total 1 result=good
	counts r.prom evpipe_registry_loads_total 1 result=bad
	counts r.prom evpipe_registry_broken 1
	counts r.prom evpipe_registry_webhooks 3
}

@test "labels are escaped" {
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
	mkdir 'a"b\'
	run_prog ev-map --metrics $'a"b\\/c"\\\n\xff.prom' </dev/null
	want_code 0
	is_sound 'a"b\'/*
	grep -qF 'service="c\"\\\n?"' 'a"b\'/*
	[ "$(find 'a"b\' -type f -printf x)" = x ]
}

# wait_for_input PID: it waits for its input, without a limit.
waits_for_ever() {
	local number a b c rest
	read -r number a b c rest <"/proc/$1/syscall" || return 1
	# poll(fds, n, timeout), or ppoll(fds, n, NULL).
	[ "$number" != running ] && { [ "$c" = 0xffffffff ] ||
		[ "$c" = 0xffffffffffffffff ] || [ "$c" = 0x0 ]; }
}

@test "it is there from the start, follows, and costs no wake-up when idle" {
	mkfifo fifo
	ev-validate --metrics v.prom <fifo >valid 2>err 3>&- 4>&- &
	EV_STARTED+=($!)
	local pid=$!
	exec 7>fifo
	wait_until is_running v.prom
	counts v.prom evpipe_input_lines_total 0
	wait_until waits_for_ever "$pid" || {
		[ -r /proc/self/syscall ] || skip "no /proc/PID/syscall here"
		false
	}
	echo '{"name":"ping:all"}' >&7
	wait_until test -s valid
	# Not before ten seconds have passed, and then.
	wait_until counts v.prom evpipe_input_lines_total 1
	is_sound v.prom
	wait_until waits_for_ever "$pid"
	exec 7>&-
	wait "$pid"
	counts v.prom evpipe_up 0
	counts v.prom evpipe_output_lines_total 1
}

@test "what can't be written: said once, and the stream goes on" {
	local where
	echo '{"name":"ping:all"}' >in
	mkdir folder
	for where in no/such/folder.prom folder /dev/null; do
		run_prog ev-validate --metrics $where in
		want_code 0
		same in "$OUT"
		[ "$(wc -l <"$ERR")" -eq 1 ]
		grep -q "^ev-validate: cannot write the metrics to '$where': .*; it is tried again\$" "$ERR"
	done
	[ -c /dev/null ]
	[ -z "$(ls folder)" ]
}

@test "what is no metrics file stays what it is" {
	echo '{"name":"ping:all"}' >in
	ev-push -q events <in
	echo '[]' >w.json
	for file in events w.json; do
		cp $file before
		run_prog ev-validate --metrics $file in
		want_code 0
		grep -q "'$file': it holds something else, which is kept" "$ERR"
		same before $file
	done
	# An empty one, what a loss of power leaves, and its own.
	: >m.prom
	ev-validate --metrics m.prom in >/dev/null
	grep -q '^evpipe_up{.*} 0$' m.prom
	head -c 5000 /dev/zero >m.prom
	ev-validate --metrics m.prom in >/dev/null
	grep -q '^evpipe_up{.*} 0$' m.prom
	ev-validate --metrics m.prom in in >/dev/null
	grep -q '^evpipe_input_lines_total{.*} 2$' m.prom
}

@test "a full disk: the file before stays, nothing lies about" {
	[ -z "${EV_SAN:-}" ] || skip "sanitizers want to be preloaded first"
	cc -shared -fPIC -o fault.so "$REPO/tests/helpers/fault.c" -ldl
	echo '{"name":"ping:all"}' >in
	mkdir d
	ev-validate --metrics d/v.prom in >valid
	cp d/v.prom before
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FILE="$PWD/d/" \
		FAULT_AT=1 FAULT_ERRNO=28 FAULT_LAST=1 FAULT_MARK="$PWD/fired" \
		ev-validate --metrics d/v.prom in
	want_code 0
	[ -e fired ]
	same in "$OUT"
	grep -q 'No space left' "$ERR"
	[ "$(wc -l <"$ERR")" -eq 1 ]
	same before d/v.prom
	[ "$(ls d)" = v.prom ]
	# Once there is room, it is written.
	run_prog env LD_PRELOAD="$PWD/fault.so" FAULT_FILE="$PWD/d/" \
		FAULT_AT=1 FAULT_ERRNO=28 FAULT_MARK="$PWD/fired" \
		ev-validate --metrics d/v.prom in
	want_code 0
	is_sound d/v.prom
	if cmp -s before d/v.prom; then false; fi
}

@test "kill -9: what is there is whole, and says that it runs" {
	mkfifo fifo
	local n
	for n in 1 2 3 4 5 6 7 8 9 10; do
		start ev-validate --metrics v.prom fifo
		exec 7>fifo
		wait_until test -s v.prom
		kill -9 "$STARTED"
		exec 7>&-
		wait_until gone "$STARTED"
		is_sound v.prom
		is_running v.prom
		[ $((n % 2)) -eq 0 ] || rm v.prom
	done
}

@test "two programs, two files in one folder: no series is in both" {
	mkdir d
	echo '{"name":"ping:all"}' >in
	ev-validate --metrics d/one.prom in >out
	ev-validate --metrics d/two.prom in >out
	[ -z "$(sort d/*.prom | grep -v '^#' | sed 's/} .*//' | uniq -d)" ]
}

@test "examples/alerts.yml: each rule fires where it is to, and not beside" {
	# Of what there is, without promtool as well.
	grep -o 'evpipe_[a-z_]*' "$REPO/examples/alerts.yml" | sort -u >named
	[ "$(wc -l <named)" -gt 10 ]
	sed -n 's/^\.It Li \(evpipe_[a-z_]*\).*/\1/p' \
		"$REPO/man/evpipe-metrics.5" | grep -vxFf - named && return 1
	sed -n 's/^ *- alert: //p' "$REPO/examples/alerts.yml" >alerts
	while read -r alert; do
		grep -q "$alert" "$REPO/tests/alerts-test.yml"
	done <alerts
	command -v promtool >/dev/null ||
		skip "no promtool: Debian has it in prometheus"
	promtool check rules "$REPO/examples/alerts.yml"
	promtool test rules "$REPO/tests/alerts-test.yml"
}
