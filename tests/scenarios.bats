#!/usr/bin/env bats
# The integration scenarios of the original: events through the whole pipeline,
# against real receivers, with the three webhooks of its own test.

load helpers/common

FISCAL=QZXWVK12B07M310T

setup() {
	local n
	W=$BATS_TEST_TMPDIR/w.json REJECTS=$BATS_TEST_TMPDIR/rejects
	for n in 1 2 3; do
		start_sink
		eval "PORT$n=\$SINK_PORT LOG$n=\$SINK_LOG"
	done
	three_webhooks "$PORT1" "$PORT2" "$PORT3" >"$W"
}

# The events on stdin through the pipe, at the end of which all is settled.
deliver() {
	ev-validate -r "$REJECTS" | ev-map -w "$W" -r "$REJECTS" |
		ev-route -w "$W" -r "$REJECTS" |
		ev-deliver $LOOPBACK -w "$W" -r "$REJECTS" >"$BATS_TEST_TMPDIR/results"
	local codes=("${PIPESTATUS[@]}")
	[ "${codes[*]}" = "${WANT_CODES:-0 0 0 0}" ]
}

ping_body='{"name":"ping","payload":{}}'
subscribed_body='{"name":"service:subscribed","payload":{"fiscalCode":"'$FISCAL'"}}'

# got N1 N2 N3: so many requests at each receiver, and as many results.
got() {
	local counts
	counts="$(wc -l <"$LOG1") $(wc -l <"$LOG2") $(wc -l <"$LOG3")"
	[ "$counts" = "$*" ] || { echo "got $counts, not $*" >&2; return 1; }
	[ "$(jq -s 'map(select(.outcome == "delivered")) | length' \
		"$BATS_TEST_TMPDIR/results")" -eq $(($1 + $2 + $3)) ]
	jq -se --arg p1 /wh1 'all(.method == "POST" and .target == $p1)' "$LOG1"
	jq -se 'all(.target == "/wh2")' "$LOG2"
	jq -se 'all(.target == "/wh3")' "$LOG3"
}

# bodies LOG BODY: every request there had this body.
bodies() {
	jq -se --arg body "$2" 'length > 0 and all(.body == $body)' "$1"
}

@test "ping one" {
	echo '{"name":"ping","payload":{"name":"wh1"}}' | deliver
	got 1 0 0
	bodies "$LOG1" "$ping_body"
}

@test "ping one n times" {
	local n total=0
	for n in 5 10 100; do
		yes '{"name":"ping","payload":{"name":"wh1"}}' | head -n "$n" |
			deliver
		total=$((total + n))
		[ "$(wc -l <"$LOG1")" -eq "$total" ]
		[ "$(wc -l <"$BATS_TEST_TMPDIR/results")" -eq "$n" ]
	done
	bodies "$LOG1" "$ping_body"
	[ ! -s "$LOG2" ]
	[ ! -s "$LOG3" ]
}

@test "ping two" {
	printf '{"name":"ping","payload":{"name":"%s"}}\n' wh1 wh2 | deliver
	got 1 1 0
	bodies "$LOG1" "$ping_body"
	bodies "$LOG2" "$ping_body"
}

@test "ping nobody" {
	echo '{"name":"ping","payload":{"name":"wh3"}}' | deliver
	got 0 0 0
}

@test "ping:all" {
	echo '{"name":"ping:all"}' | deliver
	got 1 1 0
	bodies "$LOG1" "$ping_body"
	bodies "$LOG2" "$ping_body"
}

@test "service:subscribed for a service that a webhook stands for" {
	echo '{"name":"service:subscribed","payload":{"serviceId":"aServiceId12345","fiscalCode":"'$FISCAL'"}}' | deliver
	got 0 1 0
	bodies "$LOG2" "$subscribed_body"
}

@test "service:subscribed for another service" {
	echo '{"name":"service:subscribed","payload":{"serviceId":"anotherServiceId","fiscalCode":"'$FISCAL'"}}' | deliver
	got 0 0 0
}

@test "profile:completed, AUTO" {
	echo '{"name":"profile:completed","payload":{"fiscalCode":"'$FISCAL'","servicePreferencesMode":"AUTO"}}' | deliver
	got 0 1 1
	bodies "$LOG2" "$subscribed_body"
	bodies "$LOG3" "$subscribed_body"
}

@test "profile:completed, MANUAL and LEGACY" {
	printf '{"name":"profile:completed","payload":{"fiscalCode":"'$FISCAL'","servicePreferencesMode":"%s"}}\n' \
		MANUAL LEGACY | deliver
	got 0 0 0
}

@test "profile:service-preferences-changed to AUTO" {
	echo '{"name":"profile:service-preferences-changed","payload":{"fiscalCode":"'$FISCAL'","servicePreferencesMode":"AUTO","oldServicePreferencesMode":"MANUAL"}}' | deliver
	got 0 1 1
	bodies "$LOG2" "$subscribed_body"
	bodies "$LOG3" "$subscribed_body"
}

@test "profile:service-preferences-changed to MANUAL" {
	echo '{"name":"profile:service-preferences-changed","payload":{"fiscalCode":"'$FISCAL'","servicePreferencesMode":"MANUAL","oldServicePreferencesMode":"AUTO"}}' | deliver
	got 0 0 0
}

@test "a bad event among good ones stops nothing" {
	WANT_CODES="1 0 0 0"
	printf '%s\n' '{"name":"ping","payload":{"name":"wh1"}}' \
		'{"name":"ping","payload":{}}' nonsense '{"name":"no:such"}' \
		'{"name":"ping","payload":{"name":"wh2"}}' | deliver
	got 1 1 0
	[ "$(jq -r .reason "$REJECTS" | tr '\n' ' ')" = \
		"invalid-payload not-json unknown-event " ]
	# What was rejected is valid input again.
	jq -r .input "$REJECTS" >"$BATS_TEST_TMPDIR/again"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/again")" -eq 3 ]
}

@test "the demo runs and checks itself" {
	run_prog bash "$REPO/examples/demo.sh" "$EV_BIN"
	want_code 0
	grep -q '^All 9 calls arrived' "$OUT"
	# One that loses a call must say so.
	mkdir "$BATS_TEST_TMPDIR/bin"
	ln -s "$EV_BIN"/* "$BATS_TEST_TMPDIR/bin" 2>/dev/null || true
	rm -f "$BATS_TEST_TMPDIR/bin/ev-deliver"
	printf '#!/bin/sh\nfor f; do :; done\nhead -n 3 "$f" | "%s/ev-deliver" -w "$2" "$3"\n' \
		"$EV_BIN" >"$BATS_TEST_TMPDIR/bin/ev-deliver"
	chmod +x "$BATS_TEST_TMPDIR/bin/ev-deliver"
	run_prog bash "$REPO/examples/demo.sh" "$BATS_TEST_TMPDIR/bin"
	want_code 1
	grep -q '^Not every call arrived' "$OUT"
}
