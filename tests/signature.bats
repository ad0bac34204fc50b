#!/usr/bin/env bats
# Signatures, secret headers and client certificates: what receivers verify, how
# secrets are changed, and that they go nowhere else.

load helpers/common

SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
OTHER=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	: >rejects
	umask 022
}

# registry [URL]: w.db with the webhooks wh1 and wh2.
registry() {
	hook-admin -w w.db add --id wh1 --subscribe ping \
		--url "${1:-http://127.0.0.1:$SINK_PORT/wh1}" >ids
	hook-admin -w w.db add --id wh2 --subscribe ping \
		--url "http://127.0.0.1:$SINK_PORT/wh2" >>ids
}

secret() {
	hook-admin -w w.db secret "$@"
}

# call WEBHOOK [ID]
call() {
	printf '{"url":"http://127.0.0.1:%s/forged","headers":{"X-Forged":"1"},"body":{"n": 1.50},"webhook":"%s","id":"%s"}\n' \
		"$SINK_PORT" "$1" "${2:-msg_1}"
}

deliver() {
	run_prog ev-deliver "$LOOPBACK" -w w.db --schedule none "$@"
}

# verdicts: of all requests, a word each.
verdicts() {
	jq -r 'if .verified then "yes" else .error end' "$SINK_LOG" | paste -sd,
}

signatures() { # of the last request: how many of which version
	tail -n 1 "$SINK_LOG" | jq -r '[.headers[] |
		select(.[0] == "webhook-signature")[1] | split(" ")[] |
		split(",")[0]] | join(" ")'
}

@test "generated secrets: the receiver verifies, v1 and v1a" {
	start_sink
	registry
	secret generate wh1 >s1
	secret generate --ed25519 wh2 >s2
	[[ $(<s1) == whsec_* ]]
	[[ $(<s2) == whpk_* ]]
	sort -u s1 s2 >both
	stop_all
	start_sink --secret @both
	hook-admin -w w.db set wh1 --url "http://127.0.0.1:$SINK_PORT/wh1"
	hook-admin -w w.db set wh2 --url "http://127.0.0.1:$SINK_PORT/wh2"
	{
		call wh1
		call wh2 msg_2
		call wh2 a.b
		call wh1 | sed 's/,"id":"msg_1"//'
	} >in
	deliver in
	want_code 0
	[ "$(verdicts)" = yes,yes,yes,yes ]
	# An id that could be read in two ways is replaced, a missing one made.
	jq -r '.headers[] | select(.[0] == "webhook-id")[1]' "$SINK_LOG" >ids
	grep -qx msg_1 ids
	grep -qx msg_2 ids
	[ "$(grep -cx 'msg_[0-9a-f]\{32\}' ids)" = 2 ]
	# Nothing of it in what is printed.
	cat "$OUT" "$ERR" >said
	[ "$(grep -c -F -f both said)" = 0 ]
}

@test "the same id and a new time at each attempt" {
	printf '%s\n' 'status 500' 'status 500' 'status 204' >steps
	start_sink --script steps --secret "$SECRET"
	registry
	echo "$SECRET" | secret import wh1
	call wh1 >in
	run_prog ev-deliver "$LOOPBACK" -w w.db --schedule 1100ms,10ms in
	want_code 0
	[ "$(verdicts)" = yes,yes,yes ]
	[ "$(jq -r '.headers[] | select(.[0] == "webhook-id")[1]' \
		"$SINK_LOG" | sort -u)" = msg_1 ]
	[ "$(jq -r '.headers[] | select(.[0] == "webhook-timestamp")[1]' \
		"$SINK_LOG" | head -n 2 | sort -u | wc -l)" = 2 ]
}

@test "from a queue: the same id in each process, signed by what is valid then" {
	printf '%s\n' 'status 500' 'status 500' 'status 204' >steps
	start_sink --script steps --secret "$SECRET"
	registry
	echo "$SECRET" | secret import wh1
	{ call wh1; call wh1 | sed 's/,"id":"msg_1"//'; } >in
	ev-deliver --enqueue -q q.db in
	secret rotate wh1 >/dev/null
	for i in 1 2; do
		run_prog ev-deliver "$LOOPBACK" -w w.db -q q.db --schedule 1s,1s \
			</dev/null
		[ "$(signatures)" = "v1 v1" ]
	done
	run_prog ev-deliver "$LOOPBACK" -w w.db -q q.db --drain --schedule 1s,1s
	jq -r '.headers[] | select(.[0] == "webhook-id")[1]' "$SINK_LOG" |
		sort | uniq -c | awk '{ print $1 }' >got
	[ "$(jq -r .verified "$SINK_LOG" | sort -u)" = true ]
	[ "$(wc -l <got)" = 2 ]
	[ "$(wc -l <"$SINK_LOG")" -ge 4 ]
}

@test "from a queue: one that has no id has the same one when it is sent again" {
	printf '%s\n' 'status 204' 'status 500' 'status 204' >steps
	start_sink --script steps --secret "$SECRET"
	registry
	echo "$SECRET" | secret import wh1
	for i in 1 2; do # the second one's webhook is known to the queue
		call wh1 | sed 's/,"id":"msg_1"//' |
			ev-deliver "$LOOPBACK" -w w.db -q q.db --drain \
				--schedule 1ms,1ms >/dev/null
	done
	[ "$(wc -l <"$SINK_LOG")" = 3 ]
	[ "$(jq -r '.headers[] | select(.[0] == "webhook-id")[1]' "$SINK_LOG" |
		tail -n 2 | sort -u | wc -l)" = 1 ]
}

@test "rotate: both sign until the old one's time is over; revoke ends it now" {
	start_sink --secret "$SECRET"
	registry
	echo "$SECRET" | secret import wh1
	call wh1 >in
	deliver in
	[ "$(signatures)" = v1 ]
	secret rotate wh1 >new
	deliver in
	[ "$(signatures)" = "v1 v1" ]
	[ "$(verdicts)" = yes,yes ]
	# The current one is first.
	tail -n 1 "$SINK_LOG" >last
	secret show wh1 >shown
	[ "$(jq -r '.secrets | map(has("until")) | tojson' shown)" = \
		'[false,true]' ]
	old=$(jq -r '.secrets[1].fingerprint' shown)
	secret revoke wh1 "$old"
	deliver in
	[ "$(signatures)" = v1 ]
	[[ $(verdicts) == "yes,yes,no signature"* ]]
	# With no overlap the old one ends at once; of one that is over, nothing.
	secret rotate --overlap 0 --ed25519 wh1 >/dev/null
	deliver in
	[ "$(signatures)" = v1a ]
	printf '{"webhook":"wh1","secrets":[{"secret":"%s"},{"secret":"%s","until":"2020-01-01T00:00:00Z"}]}\n' \
		"$SECRET" "$OTHER" >w.db.secrets
	deliver in
	[ "$(signatures)" = v1 ]
	printf '{"webhook":"wh1","secrets":[{"secret":"%s","until":"2020-01-01T00:00:00Z"}]}\n' \
		"$SECRET" >w.db.secrets
	deliver in
	want_code 1
	grep -q 'no signing secret is valid' "$ERR"
	secret generate wh2 >/dev/null
	run_prog hook-admin -w w.db secret generate wh2
	want_code 2
}

@test "a change of the secrets is seen while running" {
	start_sink --secret "$OTHER"
	registry
	echo "$SECRET" | secret import wh1
	mkfifo pipe
	ev-deliver "$LOOPBACK" -w w.db <pipe >out 2>err 3>&- 4>&- &
	pid=$!
	exec 8>pipe
	call wh1 >&8
	wait_until grep -q delivered out
	echo "$OTHER" | secret import --overlap 0 wh1
	changed() {
		call wh1 >&8
		[ "$(tail -n 1 "$SINK_LOG" | jq .verified)" = true ]
	}
	wait_until changed
	# What is gone or broken never replaces what was good; it is said once.
	rm w.db.secrets
	told() {
		call wh1 >&8
		grep -q 'secrets .* changed but do not load' err
	}
	wait_until told
	call wh1 >&8
	exec 8>&-
	wait "$pid"
	[ "$(tail -n 1 "$SINK_LOG" | jq .verified)" = true ]
	[ "$(grep -c 'secrets .* changed' err)" = 1 ]
}

@test "secret headers, in the place of the registry's" {
	start_sink
	registry
	hook-admin -w w.db set wh1 --header 'authorization: public' \
		--header 'X-Other: o'
	echo 'Bearer s3cret' | secret header wh1 Authorization
	call wh1 >in
	deliver in
	want_code 0
	jq -r '.headers[] | select(.[0] | test("^(auth|x-)"; "i")) |
		join(": ")' "$SINK_LOG" >got
	printf '%s\n' 'X-Other: o' 'Authorization: Bearer s3cret' >want
	same want got
	cat "$OUT" "$ERR" >said
	hook-admin -w w.db export >>said
	hook-admin -w w.db show wh1 >>said
	secret show >>said
	echo '{"name":"ping","payload":{}}' | ev-route -w w.db >>said
	[ "$(grep -c s3cret said)" = 0 ]
	grep -q '"headers":\["Authorization"\]' said
	secret remove-header wh1 authorization
	[ "$(secret show | wc -l)" = 0 ] || [ "$(secret show | jq -c .headers)" = '[]' ]
}

@test "a forged call gets no secret, signature or certificate to another host" {
	start_sink
	there=$SINK_PORT
	registry
	secret generate wh1 >/dev/null
	echo 'Bearer s3cret' | secret header wh1 Authorization
	start_sink # another host
	{
		call wh1 # its url and headers are those of the registry
		call wh1 | sed 's/"webhook":"wh1"/"webhook":null/'
		call wh1 | sed 's/,"webhook":"wh1"//'
		call wh1 | sed 's/"webhook":"wh1"/"webhook":"wh1 "/'
		call wh1 | sed 's/"webhook"/"Webhook"/'
		call wh1 | sed 's/"webhook":"wh1"/&,"webhook":"wh2"/'
		call wh1 | sed 's/"webhook":"wh1"/"webhook":["wh1"]/'
		call wh1 | sed "s/\"X-Forged\"/\"Host\":\"127.0.0.1:$there\",&/"
		call wh1 | sed 's/"body"/"secrets":[{"secret":"whsec_AAAA"}],&/'
	} >in
	deliver in
	want_code 1
	[ -s "$SINK_LOG" ]
	[ "$(grep -ic 'webhook-\|s3cret\|authorization' "$SINK_LOG")" = 0 ]
	grep -q X-Forged "$SINK_LOG"
}

@test "secrets that others may read, or that are none, are refused" {
	start_sink
	registry
	echo "$SECRET" | secret import wh1
	[ "$(stat -c %a w.db.secrets)" = 600 ]
	for mode in 640 604 620 602 644; do
		chmod $mode w.db.secrets
		call wh1 >in
		deliver in
		want_code 2
		grep -q "others may read or write it (mode 0$mode)" "$ERR"
		run_prog hook-admin -w w.db secret show
		want_code 2
		run_prog hook-admin -w w.db secret rotate wh1
		want_code 2
	done
	# systemd's copies: open to the service, by what shows as its group.
	mkdir -m 700 given given/deep
	cp w.db.secrets given/s
	cp w.db.secrets given/deep/s
	export CREDENTIALS_DIRECTORY=$PWD/given
	for mode in 440 640; do
		chmod $mode given/s given/deep/s w.db.secrets
		deliver --secrets "$PWD/given/s" in
		want_code 0
		[ "$(jq -r 'last(.headers[] | select(.[0] == "webhook-signature"))[0]' \
			"$SINK_LOG" | tail -n 1)" = webhook-signature ]
		for file in w.db.secrets given/s given/deep/s given/../w.db.secrets; do
			deliver --secrets "$file" in
			want_code 2
			grep -q 'others may read or write it' "$ERR"
			file=$PWD/$file
			[ "$file" != "$PWD/given/s" ] || continue
			deliver --secrets "$file" in
			want_code 2
		done
	done
	for mode in 444 460 441; do
		chmod $mode given/s
		deliver --secrets "$PWD/given/s" in
		want_code 2
	done
	unset CREDENTIALS_DIRECTORY
	chmod 600 w.db.secrets
	while read -r line; do
		echo "$line" >w.db.secrets
		deliver in
		want_code 2
		grep -q 'line 1: ' "$ERR"
		[ "$(grep -c 's3cret\|MfKQ' "$ERR")" = 0 ]
	done <<-'END'
		nonsense s3cret
		["s3cret"]
		{"webhook":""}
		{"secrets":[]}
		{"webhook":"wh1","secrets":"s3cret"}
		{"webhook":"wh1","secrets":["s3cret"]}
		{"webhook":"wh1","secrets":[{"secret":"whsec_s3cret!"}]}
		{"webhook":"wh1","secrets":[{"secret":"whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="}]}
		{"webhook":"wh1","secrets":[{"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","until":"soon"}]}
		{"webhook":"wh1","headers":{"A":"s3cret\n"}}
		{"webhook":"wh1","headers":{"A":""}}
		{"webhook":"wh1","headers":{"Content-Length":"3"}}
		{"webhook":"wh1","certificate":"s3cret"}
	END
	rm w.db.secrets
	deliver in
	want_code 0
	deliver --secrets w.db.secrets in
	want_code 2
	mkdir w.db.secrets
	deliver in
	want_code 2
}

@test "wrong uses of secret" {
	start_sink
	registry
	for words in "generate" "generate nobody" "rotate nobody" "foo wh1" \
		"revoke wh1 abc" "generate --overlap 1h wh1" \
		"import --ed25519 wh1" "rotate --overlap 31d wh1" \
		"header wh1 Content-Length" "header wh1 Bad:Name" \
		"certificate wh1 /nonexistent" "remove-certificate wh1" \
		"remove-header wh1 X" "show a b"; do
		run_prog hook-admin -w w.db secret $words <<<"value"
		want_code 2
		[ -s "$ERR" ]
	done
	run_prog hook-admin -w w.db secret header wh1 X </dev/null
	want_code 2
	run_prog hook-admin -w w.db secret import wh1 <<<"whsec_s3cret!"
	want_code 2
	[ "$(grep -c s3cret "$ERR")" = 0 ]
	run_prog hook-admin -w w.db secret import wh1 <<<"AAAA"
	want_code 0
	grep -q '3 bytes; Standard Webhooks asks for 24 to 64' "$ERR"
	run_prog hook-sink --secret nonsense!
	want_code 2
}

@test "a webhook that is removed leaves no secrets behind" {
	start_sink
	registry
	secret generate wh1 >s1
	secret generate wh2 >s2
	hook-admin -w w.db remove wh1
	[ "$(grep -c -F -f s1 w.db.secrets)" = 0 ]
	grep -q -F -f s2 w.db.secrets
	hook-admin -w w.db list | sed 's/wh2/wh3/g' >others
	hook-admin -w w.db import --replace others
	[ ! -s w.db.secrets ]
}

@test "check looks at the secrets, too" {
	start_sink
	registry http://hook.example/
	hook-admin -w w.db set wh2 --url http://hook.example/2
	secret generate wh1 >/dev/null
	run_prog hook-admin -w w.db check
	want_code 0
	[ ! -s "$ERR" ] || [ "$(grep -vc attribute "$ERR")" = 0 ]
	printf '{"webhook":"%s","secrets":[{"secret":"%s","until":"2020-01-01T00:00:00Z"}]}\n' \
		wh1 "$SECRET" gone "$SECRET" >w.db.secrets
	run_prog hook-admin -w w.db check
	want_code 0
	grep -q "webhook 'wh1': no signing secret is valid any more" "$ERR"
	grep -q "w.db.secrets: there is no webhook 'gone'" "$ERR"
	echo nonsense >w.db.secrets
	run_prog hook-admin -w w.db check
	want_code 2
	grep -q 'w.db.secrets: line 1' "$ERR"
}

@test "a write that fails leaves the secrets as they were" {
	start_sink
	registry
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		head -c 200 /dev/zero | tr '\0' x | secret header wh1 "X-$i"
	done
	cp w.db.secrets before
	trap '' XFSZ
	(ulimit -f 1 && secret rotate wh1) >out 2>err && code=0 || code=$?
	trap - XFSZ
	[ "$code" = 3 ]
	grep -q 'cannot write' err
	same before w.db.secrets
	[ ! -e w.db.secrets.new ]
	# What a crash left there is in nobody's way.
	echo half >w.db.secrets.new
	secret rotate wh1 >/dev/null
	[ ! -e w.db.secrets.new ]
	[ "$(secret show | jq '.secrets | length')" = 1 ]
	# Nor does a directory that can't be written to.
	if [ "$(id -u)" -ne 0 ]; then
		cp w.db.secrets before
		chmod 500 .
		run_prog hook-admin -w w.db secret rotate wh1 || true
		chmod 700 .
		same before w.db.secrets
	fi
}

@test "killed at any moment: the old secrets or the new ones, for their owner alone" {
	start_sink
	registry
	secret generate wh1 >/dev/null
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		secret show wh1 | jq -r '.secrets[0].fingerprint' >before
		hook-admin -w w.db secret rotate --overlap 1h wh1 >made 2>&1 &
		sleep "0.00$((i % 10))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		secret show wh1 >shown
		# The former one is still there, in front or retired.
		grep -q "$(<before)" shown
		[ "$(stat -c %a w.db.secrets)" = 600 ]
		for f in $(jq -r '.secrets[1:][].fingerprint' shown); do
			secret revoke wh1 "$f"
		done
	done
	secret rotate --overlap 0 wh1 >/dev/null
	[ "$(secret show | jq '.secrets | length')" = 1 ]
}

@test "changes at the same time are all there" {
	start_sink
	registry
	for i in 1 2 3 4 5 6 7 8; do
		echo "v$i" | secret header wh1 "X-$i" &
	done
	wait
	[ "$(secret show wh1 | jq -c '.headers | sort')" = \
		'["X-1","X-2","X-3","X-4","X-5","X-6","X-7","X-8"]' ]
	[ ! -e w.db.secrets.new ]
}

@test "a sink tells why a signature is not right" {
	start_sink --secret "$SECRET" --secret "$OTHER"
	post() { curl -s -d "$1" "${@:2}" "http://127.0.0.1:$SINK_PORT/"; }
	now=$(date +%s)
	sign() { # ID TIME BODY
		printf 'v1,%s' "$(printf '%s.%s.%s' "$1" "$2" "$3" | openssl dgst \
			-sha256 -mac HMAC -macopt "hexkey:$(base64 -d \
			<<<"${SECRET#whsec_}" | od -An -tx1 | tr -d ' \n')" \
			-binary | base64)"
	}
	h() { printf '%s\n' -H "webhook-id: $1" -H "webhook-timestamp: $2" \
		-H "webhook-signature: $3" >args; mapfile -t ARGS <args; }
	h a "$now" "$(sign a "$now" body)"
	post body "${ARGS[@]}"
	post BODY "${ARGS[@]}"
	post body "${ARGS[@]}" -H 'Webhook-Id: a'
	post body
	h a $((now - 1000)) "$(sign a $((now - 1000)) body)"
	post body "${ARGS[@]}"
	h a "$now" "v2,x v1a,$(sign a "$now" body)"
	post body "${ARGS[@]}"
	jq -r 'if .verified then "yes" else .error end' "$SINK_LOG" >got
	cat >want <<-'END'
		yes
		no signature is that of a secret and the bytes that came
		a webhook- header is repeated
		no webhook-id
		webhook-timestamp is more than 5 minutes ago
		webhook-signature has no version of these secrets
	END
	same want got
}

# tls_server NAME [OPTION…]: answers one request with 204. Sets TLS_PORT.
tls_server() {
	local name=$1
	shift
	mkfifo "$name.in"
	openssl s_server -accept 127.0.0.1:0 -cert server.pem -key server.key \
		"$@" <"$name.in" >"$name.log" 2>&1 3>&- 4>&- &
	EV_STARTED+=($!)
	exec 7<>"$name.in" # so that it does not end with the answer
	printf 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n' >"$name.in"
	wait_until grep -q '^ACCEPT' "$name.log"
	TLS_PORT=$(sed -n 's/^ACCEPT.*:\([0-9]*\).*/\1/p' "$name.log" | head -n 1)
}

certificates() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key \
		-out server.pem -days 2 -subj /CN=hook.example \
		-addext subjectAltName=DNS:hook.example 2>/dev/null
	openssl req -x509 -newkey rsa:2048 -nodes -keyout client.key \
		-out client.pem -days 2 -subj /CN=client 2>/dev/null
	cat client.key client.pem >both.pem
}

through_tls() {
	deliver --timeout 5s --connect-to "hook.example:443:127.0.0.1:$TLS_PORT" \
		"$@" in
}

@test "CA and client certificate of a webhook" {
	SINK_PORT=9
	certificates
	registry https://hook.example/wh1
	call wh1 >in
	tls_server none
	through_tls
	[ "$(jq -r .reason "$OUT")" = tls ]
	hook-admin -w w.db set wh1 --ca server.pem
	tls_server ca
	through_tls
	want_code 0
	# A server that asks for a client's certificate, and gets it.
	tls_server stranger -Verify 1 -verify_return_error -CAfile client.pem
	through_tls
	want_code 1
	secret certificate wh1 both.pem
	secret show wh1 | jq -e '.certificate.until' >/dev/null
	tls_server known -Verify 1 -verify_return_error -CAfile client.pem
	through_tls
	want_code 0
	# The same host, but not by the webhook: nothing is shown.
	call wh1 | sed 's/,"webhook":"wh1"//; s|"http[^"]*"|"https://hook.example/"|' >in
	tls_server forged -Verify 1 -verify_return_error -CAfile client.pem
	through_tls --ca server.pem
	want_code 1
	# One that only asks still sees none.
	tls_server asks -verify 1 -CAfile client.pem
	through_tls --ca server.pem
	want_code 0
	[ "$(grep -c 'CN = client\|CN=client' asks.log)" = 0 ]
	grep -q 'CN = client\|CN=client' known.log
	for bad in client.pem client.key server.key; do
		run_prog hook-admin -w w.db secret certificate wh1 $bad
		want_code 2
	done
	cat client.pem server.key >mixed.pem
	run_prog hook-admin -w w.db secret certificate wh1 mixed.pem
	want_code 2
	run_prog hook-admin -w w.db set wh1 --ca both.pem
	want_code 2
	hook-admin -w w.db set wh1 --ca default
	[ "$(hook-admin -w w.db show wh1 | jq .ca)" = null ]
}

@test "a connection with a client certificate serves no other webhook" {
	command -v nginx >/dev/null || skip "no nginx"
	SINK_PORT=9
	certificates
	registry https://hook.example/wh1
	hook-admin -w w.db set wh1 --ca server.pem
	hook-admin -w w.db set wh2 --ca server.pem --url https://hook.example/wh2
	secret certificate wh1 both.pem
	port=$((20000 + RANDOM % 12000))
	cat >nginx.conf <<-END
		daemon off;
		pid $PWD/nginx.pid;
		error_log $PWD/nginx.log;
		events { }
		http {
			log_format who '\$request_uri \$ssl_client_s_dn';
			access_log $PWD/access who;
			client_body_temp_path $PWD/t1;
			proxy_temp_path $PWD/t2;
			fastcgi_temp_path $PWD/t3;
			uwsgi_temp_path $PWD/t4;
			scgi_temp_path $PWD/t5;
			server {
				listen 127.0.0.1:$port ssl;
				ssl_certificate $PWD/server.pem;
				ssl_certificate_key $PWD/server.key;
				ssl_verify_client optional;
				ssl_client_certificate $PWD/client.pem;
				return 204;
			}
		}
	END
	nginx -e "$PWD/nginx.log" -p "$PWD" -c "$PWD/nginx.conf" \
		>/dev/null 2>&1 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until curl -sk "https://127.0.0.1:$port/up" ||
		skip "nginx does not start"
	for i in 1 2 3 4 5 6 7 8; do
		call wh1
		call wh2
		echo '{"url":"https://hook.example/bare","headers":{}}'
	done >in
	TLS_PORT=$port
	through_tls --ca server.pem --concurrency 4
	want_code 0
	sed -n 's/CN=//; /^.up/!p' access | sort | uniq -c | tr -s ' ' >got
	printf '%s\n' ' 8 /bare -' ' 8 /wh1 client' ' 8 /wh2 -' >want
	same want got
}

@test "TLS before 1.2 is refused" {
	SINK_PORT=9
	certificates
	registry https://hook.example/wh1
	hook-admin -w w.db set wh1 --ca server.pem
	call wh1 >in
	tls_server old -tls1_1 -cipher 'ALL:@SECLEVEL=0'
	through_tls
	want_code 1
	[ "$(jq -r .reason "$OUT")" = tls ]
	tls_server new -tls1_2
	through_tls
	want_code 0
}

@test "node's standardwebhooks verifies what the sink received" {
	command -v npm >/dev/null && command -v node >/dev/null || skip "no npm"
	mkdir npm
	(cd npm && timeout 60 npm install --no-audit --no-fund \
		standardwebhooks@1 >/dev/null 2>&1) || skip "not to be had"
	start_sink
	registry
	secret generate wh1 >s1
	secret rotate wh1 >s2
	for i in 1 2 3 4 5; do call wh1 "msg_$i"; done >in
	# Bytes that a reader and writer of JSON would change.
	sed 's/{"n": 1.50}/{"s":"\\u00e9 é 𝄞","x":1e400}/' in >in2
	deliver in in2
	want_code 0
	cat >verify.js <<-'END'
		const { Webhook } = require('./npm/node_modules/standardwebhooks');
		const fs = require('fs');
		const wh = new Webhook(fs.readFileSync(process.argv[2], 'utf8').trim());
		let n = 0;
		for (const line of fs.readFileSync(0, 'utf8').trim().split('\n')) {
			const r = JSON.parse(line);
			const headers = Object.fromEntries(r.headers);
			let threw = false;
			try { wh.verify(r.body, headers); } catch (e) {
				// It reads the body as JSON in the end: 1e400 it takes.
				throw e;
			}
			try { wh.verify(r.body + ' ', headers); } catch { threw = true; }
			if (!threw) throw new Error('a changed body verified');
			n++;
		}
		console.log(n);
	END
	[ "$(node verify.js s1 <"$SINK_LOG")" = 10 ]
	[ "$(node verify.js s2 <"$SINK_LOG")" = 10 ]
}
