#!/usr/bin/env bats
# ev-deliver --dry-run: commands that send what ev-deliver would, and nothing
# sent until somebody runs them.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
	start_sink --secret "$SECRET"
	echo "it's \"quoted\" \$HOME \`id\` \\ €" >odd
	hook-admin -w w.db add --id wh1 --subscribe ping \
		--url "http://127.0.0.1:$SINK_PORT/a?x='y'&z[]=[1-3]" \
		--header "X-Odd: it's \"quoted\" \$HOME" >ids
	hook-admin -w w.db secret import wh1 <<<"$SECRET"
	hook-admin -w w.db secret header wh1 X-Api-Key <<<"hush-hush"
	jq -cn --rawfile odd odd '{url: "http://192.0.2.1/forged", headers: {},
		body: {n: "N", odd: $odd}, webhook: "wh1", id: "msg_1",
		traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}' |
		sed 's/"N"/1.50/' >call
}

teardown() {
	stop_all
}

# What the receiver got of a request, but for what each attempt has anew.
seen() {
	jq -c '[.method, .target, .body, .verified, ([.headers[] |
		select(.[0] | test("timestamp|signature") | not)] | sort)]' "$SINK_LOG"
}

requests() {
	[ "$(wc -l <"$SINK_LOG")" -eq "$1" ]
}

@test "the command sends what ev-deliver sends, signature and all" {
	run_prog ev-deliver --dry-run -w w.db call
	want_code 0
	cp "$OUT" command
	requests 0
	X_API_KEY=hush-hush sh command >answer
	wait_until requests 1
	run_prog ev-deliver "$LOOPBACK" -w w.db call
	want_code 0
	wait_until requests 2
	seen | sed -n 1p >by-hand
	seen | sed -n 2p >by-us
	grep -q true by-us
	same by-us by-hand
}

@test "neither a secret nor its signing key is in the command" {
	run_prog ev-deliver --dry-run -w w.db call
	# shellcheck disable=SC2016
	grep -qF "'X-Api-Key: '\"\$X_API_KEY\"" "$OUT"
	[ "$(grep -c "hush-hush\|${SECRET#whsec_}" "$OUT")" -eq 0 ]
	grep -q 'webhook-signature: v1,' "$OUT"
	[ "$(grep -c forged "$OUT")" -eq 0 ]
}

@test "what a registry holds is no shell's: names of secret headers, certificates" {
	# shellcheck disable=SC2016
	for name in '`id`' 'A$HOME' "it's!"; do
		hook-admin -w w.db secret header wh1 "$name" <<<value
	done
	run_prog ev-deliver --dry-run -w w.db call
	want_code 0
	cp "$OUT" command
	X_API_KEY=1 IT_S_=2 A_HOME=3 sh command >answer
	wait_until requests 1
	# shellcheck disable=SC2016
	[ "$(jq -c '[.headers[] | select(.[0] == ("it'"'"'s!", "A$HOME"))]' \
		"$SINK_LOG" | tr -d ' ')" = '[["A$HOME","3"],["it'"'"'s!","2"]]' ]
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout key.pem -out ca.pem -subj /CN=ca 2>/dev/null
	{ cat ca.pem; printf 'END_OF_CA\ntouch made\nEND_OF_CA_\n'; } >odd.pem
	jq -n --rawfile ca odd.pem '[{id: "wh1", url: "https://127.0.0.1:1/",
		subscriptions: "ping", ca: $ca}]' >odd.json
	run_prog ev-deliver --dry-run -w odd.json call
	want_code 0
	cp "$OUT" command
	grep -qx 'touch made' command # a line of the text, still
	sh command >answer || true
	[ ! -e made ]
}

@test "a call to its own URL is neither signed nor given secrets" {
	jq -c "del(.webhook) | .url = \"http://127.0.0.1:$SINK_PORT/own\"" \
		call >bare
	run_prog ev-deliver --dry-run -w w.db bare
	want_code 0
	[ "$(grep -c 'webhook-signature\|X_API_KEY' "$OUT")" -eq 0 ]
	sh "$OUT"
	wait_until requests 1
	[ "$(jq -r .target "$SINK_LOG")" = /own ]
}

@test "a body that is too long for an argument is piped" {
	jq -c '.body.long = ("0123456789" * 20000)' call >long
	run_prog ev-deliver --dry-run -w w.db long
	want_code 0
	X_API_KEY=hush-hush sh "$OUT" >answer
	wait_until requests 1
	[ "$(jq -r .verified "$SINK_LOG")" = true ]
}

@test "calls that would not be sent are rejected with the reason" {
	hook-admin -w w.db disable wh1
	jq -c '.webhook = "nobody"' call >>call
	run_prog ev-deliver --dry-run -w w.db call
	want_code 1
	[ ! -s "$OUT" ]
	grep -q 'line 1: invalid-call: the webhook is disabled' "$ERR"
	grep -q 'line 2: invalid-call: the registry has no such webhook' "$ERR"
	run_prog ev-deliver --dry-run call
	want_code 1
	grep -q 'no registry: give one with -w' "$ERR"
}

@test "it is for calls at hand: no queue, no barrier" {
	run_prog ev-deliver --dry-run -q q.db call
	want_code 2
	[ ! -e q.db ]
	run_prog ev-deliver --dry-run \
		<<<'{"barrier":"0123456789abcdef0123456789abcdef.0"}'
	want_code 2
	[ ! -s "$OUT" ]
}
