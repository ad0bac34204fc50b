#!/usr/bin/env bats
# The event queue on RabbitMQ: a real node, which is killed, short of memory, and
# misconfigured. Skipped where rabbitmq-server is not installed.

load helpers/common
load helpers/rabbitmq

bats_require_minimum_version 1.5.0

setup_file() {
	has_rabbitmq || return 0 # each test says that it is skipped
	NODE=$BATS_FILE_TMPDIR/rabbit
	export NODE
	mkdir "$NODE"
	cc -o "$BATS_FILE_TMPDIR/amqp" "$REPO/tests/helpers/amqp.c" -lrabbitmq
	certificates
	rabbit_base
	local tls=$((RABBIT_BASE + 45))
	export TLS_PORT=$tls
	CONFIG=("listeners.ssl.1 = 127.0.0.1:$tls"
		"ssl_options.cacertfile = $NODE/ca.pem"
		"ssl_options.certfile = $NODE/localhost.pem"
		"ssl_options.keyfile = $NODE/localhost.key"
		"ssl_options.verify = verify_peer"
		"ssl_options.fail_if_no_peer_cert = false")
	rabbit_start "$NODE" 1 "${CONFIG[@]}"
	rabbit_wait "$NODE" 1
	export RABBIT_PORT
}

teardown_file() {
	if [ -n "${NODE:-}" ]; then
		rabbit_stop "$NODE"
	fi
}

# A CA, the node's certificate, a client's, and a CA that nobody knows.
certificates() {
	local name
	for name in ca other; do
		openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" \
			-keyout "$NODE/$name.key" -out "$NODE/$name.pem" 2>/dev/null
	done
	for name in localhost client; do
		openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" \
			-keyout "$NODE/$name.key" -out "$NODE/$name.csr" 2>/dev/null
		openssl x509 -req -in "$NODE/$name.csr" -CA "$NODE/ca.pem" \
			-CAkey "$NODE/ca.key" -CAcreateserial -days 2 \
			-extfile <(echo "subjectAltName=DNS:$name") \
			-out "$NODE/$name.pem" 2>/dev/null
	done
}

setup() {
	has_rabbitmq || skip "no rabbitmq-server here"
	cd "$BATS_TEST_TMPDIR" || return 1
	NAME=t$BATS_TEST_NUMBER
	URL="amqp://127.0.0.1:$RABBIT_PORT?queue=$NAME"
}

# amqp count|put|get NAME (tests/helpers/amqp.c)
amqp() {
	"$BATS_FILE_TMPDIR/amqp" "$RABBIT_PORT" "$@" 3>&- 4>&-
}

# Those that nobody has. (rabbitmqctl's counts are 5 s late.)
messages() { # NAME
	amqp count "$1"
}

# is_old N: RabbitMQ 3.10: a quorum queue whose node is killed within a moment of its
# declaration confirms nothing any more. It is older when its N are counted.
is_old() {
	rabbit_ctl "$NODE" 1 list_queues name messages | grep -qx "$NAME	$1"
}

# start_proxy WHAT…: tests/helpers/amqp-proxy.pl. Sets PROXY_PORT.
start_proxy() {
	rm -f proxy
	perl "$REPO/tests/helpers/amqp-proxy.pl" proxy "$RABBIT_PORT" "$@" 3>&- 4>&- &
	disown $!
	EV_STARTED+=($!)
	wait_until test -s proxy
	PROXY_PORT=$(<proxy)
}

has_messages() { # NAME N
	[ "$(messages "$1")" = "$2" ]
}

pings() { # FROM TO
	seq "$1" "$2" | jq -c '{id: "e\(.)", name: "ping", payload: {n: .}}'
}

@test "declaring: what is there already, what differs" {
	run_prog ev-push -q "$URL" <<<'{"name":"ping"}'
	want_code 3
	grep -q 'NOT_FOUND.*ev-pull --declare' "$ERR"
	run_prog ev-pull -q "$URL" -- cat
	want_code 3
	grep -q 'NOT_FOUND' "$ERR"
	for _ in 1 2; do
		run_prog ev-pull -q "$URL" --declare
		want_code 0
		[ ! -s "$OUT" ] && [ ! -s "$ERR" ]
	done
	run_prog ev-pull -q "$URL&single=true" --declare
	want_code 2
	grep -q "PRECONDITION_FAILED.*x-single-active-consumer" "$ERR"
	rabbit_ctl "$NODE" 1 list_queues name type durable arguments >made
	grep -q "^$NAME	quorum	true	.*at-least-once.*reject-publish" made
	# Looking at dead letters is a delivery of each: RabbitMQ 4 has a limit.
	grep -q "^$NAME.dead	quorum	true	.*x-delivery-limit.*2147483647" made
	# A file needs none of it.
	run_prog ev-pull -q file --declare
	want_code 0
}

@test "events go through in their bytes and order, and are gone when done" {
	ev-pull -q "$URL" --declare
	pings 1 3000 >in
	printf '{"name":"x","id":"u","payload":{"n":1.10,"s":"\\u0041"}}\n{"name":"no id"}' >>in
	run_prog ev-push -v -q "$URL" in
	want_code 0
	grep -q '3002 events are on disk' "$ERR"
	wait_until has_messages "$NAME" 3002
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 0
	[ ! -s "$ERR" ]
	same <(head -n 3001 in) <(head -n 3001 "$OUT")
	tail -n 1 "$OUT" | grep -Ex '\{"id":"[0-9a-f-]{36}","name":"no id"\}'
	wait_until has_messages "$NAME" 0
}

@test "ev-listen answers 202 when the broker has confirmed, 503 when it does not" {
	run_prog ev-pull -q "$URL" --declare
	ev-listen -q "$URL" --listen 127.0.0.1:0 --port-file port 2>said 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until test -s port
	post() {
		curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' \
			-d '{"name":"ping","id":"x"}' "http://127.0.0.1:$(<port)/events" 3>&- 4>&-
	}
	[ "$(post)" = 202 ]
	wait_until has_messages "$NAME" 1
	rabbit_ctl "$NODE" 1 delete_queue "$NAME"
	[ "$(post)" = 503 ]
	grep -q 'no queue takes it' said
	ev-pull -q "$URL" --declare
	[ "$(post)" = 202 ]
}

@test "ev-listen, the broker gone for longer: 503 each time, in words" {
	ev-pull -q "$URL" --declare
	ev-listen -q "$URL" --listen 127.0.0.1:0 --port-file port 2>said 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until test -s port
	echo '{"name":"a"}' | ev-push -q "$URL"
	wait_until is_old 1
	rabbit_kill "$NODE" 1
	for _ in 1 2 3; do
		[ "$(curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' \
			-d '{"name":"ping","id":"x"}' "http://127.0.0.1:$(<port)/events" 3>&- 4>&-)" = 503 ]
	done
	rabbit_start "$NODE" 1
	rabbit_wait "$NODE" 1
	again() {
		[ "$(curl -s -o answer -w '%{http_code}' -H 'Content-Type: application/json' \
			-d '{"name":"ping","id":"x"}' "http://127.0.0.1:$(<port)/events" 3>&- 4>&-)" = 202 ]
	}
	wait_until again
	LC_ALL=C grep -v '^[ -~]*$' said && return 1
	grep -q 'can be written to again' said
}

@test "foreign messages: line ends, ids in message-id, no JSON, barriers" {
	command -v amqp-publish || skip "no amqp-tools here"
	ev-pull -q "$URL" --declare
	publish() {
		amqp-publish -u "amqp://127.0.0.1:$RABBIT_PORT" -e "$NAME" -r "$NAME" -p "$@"
	}
	printf '{\n "name":"a",\r\n "id":"1"}\n' | publish
	publish -b 'no json'
	publish -b '{"barrier":"0123456789abcdef0123456789abcdef.0"}'
	publish -b ''
	publish -b '{"name":"b"}'
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 1
	# shellcheck disable=SC2016
	sed 's/ *$//' "$OUT" >got
	printf '{  "name":"a",   "id":"1"}\n{"name":"b"}\n' >want
	same want got
	run_prog ev-pull -q "$URL" --dead
	want_code 0
	[ "$(jq -r '[.input, .status] | join("|")' "$OUT" | sort | head -n 3 | tr '\n' ';')" = \
		'no json|not fed: it is no JSON;{"barrier":"0123456789abcdef0123456789abcdef.0"}|not fed: a barrier, which no producer may send;|not fed: it is no JSON;' ]
}

@test "what the command dies of is a dead letter, shown, and put back" {
	ev-pull -q "$URL" --declare
	pings 1 50 | ev-push -q "$URL"
	cat >dies.sh <<-'END'
	while IFS= read -r line; do
		case $line in *'"e17"'*) echo "cannot stand it" >&2; exit 7 ;; esac
		printf '%s\n' "$line"
	done
	END
	run_prog ev-pull -q "$URL" --drain -- sh dies.sh
	want_code 1
	[ "$(grep -o '"id":"e[0-9]*"' "$OUT" | sort -u | wc -l)" -eq 49 ]
	wait_until has_messages "$NAME" 0
	for _ in 1 2; do
		run_prog ev-pull -q "$URL" --dead
		want_code 0
		[ "$(jq -c '[.number, .deaths, .status, .stderr, (.input | fromjson.id)]' "$OUT")" = \
			'[1,5,"exit status 7","cannot stand it\n","e17"]' ]
	done
	run_prog ev-pull -q "$URL" --requeue 2
	want_code 1
	run_prog ev-pull -q "$URL" --requeue 1
	want_code 0
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 0
	[ "$(jq -r .id "$OUT")" = e17 ]
	[ -z "$(ev-pull -q "$URL" --dead)" ]
}

@test "kill -9 of ev-pull: what it had is fed again" {
	ev-pull -q "$URL" --declare
	pings 1 100 | ev-push -q "$URL"
	cat >slow.sh <<-'END'
	IFS= read -r line # the first barrier
	printf '%s\n' "$line"
	IFS= read -r line
	echo "$line" >started
	sleep 60
	END
	ev-pull -q "$URL" -- sh slow.sh >got 2>said 3>&- 4>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
	wait_until test -s started
	child=$(pgrep -P "$PULL")
	kill -9 "$PULL"
	wait "$PULL" || true
	kill -9 -- "-$child" || true
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 0
	[ "$(jq -r .id "$OUT" | sort -u | wc -l)" -eq 100 ]
	wait_until has_messages "$NAME" 0
}

@test "the broker is killed: pushing and pulling go on, nothing is lost" {
	ev-pull -q "$URL" --declare
	# The first host is never there.
	HOSTS="amqp://127.0.0.1:1,127.0.0.1:$RABBIT_PORT?queue=$NAME"
	mkfifo in
	ev-push -v -q "$HOSTS" <in 2>pushed 3>&- 4>&- &
	PUSH=$!
	exec 7>in
	pings 1 1000 >&7
	wait_until is_old 1000
	ev-pull -q "$HOSTS" -- cat >got 2>said 3>&- 4>&- 7>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
	half() { [ "$(wc -l <got)" -ge 1000 ]; }
	wait_until half
	rabbit_kill "$NODE" 1
	rabbit_start "$NODE" 1 7>&-
	rabbit_wait "$NODE" 1
	pings 1001 2000 >&7
	exec 7>&-
	wait "$PUSH"
	all() { [ "$(jq -r .id got | sort -u | wc -l)" -eq 2000 ]; }
	wait_until all
	grep -q 'connecting again' said
	grep -q 'connected to 127.0.0.1' said
	kill "$PULL"
	wait "$PULL"
	wait_until has_messages "$NAME" 0
}

@test "a broker short of memory: ev-push waits, and says so" {
	ev-pull -q "$URL" --declare
	rabbit_ctl "$NODE" 1 set_vm_memory_high_watermark absolute 1MiB
	pings 1 10 >in
	ev-push -q "$URL" in 2>said 3>&- 4>&- &
	PUSH=$!
	wait_until grep -q 'takes nothing at the moment' said
	rabbit_ctl "$NODE" 1 set_vm_memory_high_watermark 0.4
	wait "$PUSH"
	grep -q 'takes events again' said
	wait_until has_messages "$NAME" 10
}

@test "TLS: the CA, the host's name, a certificate of one's own; no password shows" {
	local tls="amqps://localhost:$TLS_PORT"
	ev-pull -q "$URL" --declare
	echo '{"name":"a"}' >in
	run_prog ev-push -q "$tls?queue=$NAME&cacertfile=$NODE/ca.pem" in
	want_code 0
	run_prog ev-push -q "$tls?queue=$NAME&cacertfile=$NODE/ca.pem&certfile=$NODE/client.pem&keyfile=$NODE/client.key" in
	want_code 0
	wait_until has_messages "$NAME" 2
	run_prog ev-push -q "$tls?queue=$NAME&cacertfile=$NODE/other.pem" in
	want_code 3
	run_prog ev-push -q "$tls?queue=$NAME" in
	want_code 3
	# The certificate is for localhost.
	run_prog ev-push -q "amqps://127.0.0.1:$TLS_PORT?queue=$NAME&cacertfile=$NODE/ca.pem" in
	want_code 3
	run_prog ev-push -q "amqp://me:s3cret@127.0.0.1:$RABBIT_PORT?queue=$NAME" in
	want_code 3
	if grep -q s3cret "$ERR"; then false; fi
	wait_until has_messages "$NAME" 2
}

@test "user and password from a file that nobody else may read" {
	rabbit_ctl "$NODE" 1 add_user me 's3cret:x'
	rabbit_ctl "$NODE" 1 set_permissions me '.*' '.*' '.*'
	ev-pull -q "$URL" --declare
	echo 'me:s3cret:x' >credentials
	export EV_AMQP_CREDENTIALS=$PWD/credentials
	chmod 644 credentials
	run_prog ev-push -q "$URL" <<<'{"name":"a"}'
	want_code 2
	grep -q 'chmod 600' "$ERR"
	chmod 600 credentials
	run_prog ev-push -q "$URL" <<<'{"name":"a"}'
	want_code 0
	rabbit_ctl "$NODE" 1 change_password me other
	run_prog ev-push -q "$URL" <<<'{"name":"a"}'
	want_code 3
	if grep -q s3cret "$ERR"; then false; fi
}

@test "URLs: what is wrong, in words without what nobody may see" {
	local url
	for url in amqp:// amqp:///v amqp://h:0 amqp://h:70000 'amqp://h?queue=' \
		'amqp://h?nope=1' 'amqp://u:s3cret@h?prefetch=0' 'amqp://[::1' \
		'amqp://u:s3cret@h/%zz' 'amqps://h?certfile=x' \
		'amqp://h?auth_mechanism=external' 'amqp://h?single=maybe'; do
		run_prog ev-push -q "$url" <<<'{"name":"a"}'
		want_code 2 || { echo "$url" >&2; false; }
		[ -s "$ERR" ]
		if grep -q s3cret "$ERR"; then false; fi
	done
	# Nobody there.
	run_prog ev-push -q "amqp://me:s3cret@127.0.0.1:1,[::1]:1?queue=q" <<<'{"name":"a"}'
	want_code 3
	grep -q 'amqp://127.0.0.1:1,' "$ERR"
	if grep -q s3cret "$ERR"; then false; fi
}

@test "a server that is no broker, or breaks off" {
	ev-push -q "amqp://127.0.0.1:$RABBIT_PORT?queue=x" </dev/null
	start_sink
	run_prog ev-push -q "amqp://127.0.0.1:$SINK_PORT?queue=q" <<<'{"name":"a"}'
	want_code 3
	needs perl
	ev-pull -q "$URL" --declare
	pings 1 500 >in
	# In the handshake, when confirming, among the events.
	for bytes in 1 100 700 20000; do
		start_proxy cut $bytes
		if ((bytes <= 100)); then # it never gets as far as that
			run_prog ev-push -q "amqp://127.0.0.1:$PROXY_PORT?queue=$NAME" in
			want_code 3
			[ -s "$ERR" ]
		fi
		HOSTS="amqp://127.0.0.1:$PROXY_PORT,127.0.0.1:$RABBIT_PORT?queue=$NAME"
		run_prog ev-push -q "$HOSTS" in
		want_code 0
		run_prog ev-pull -q "$HOSTS" --drain -- cat
		want_code 0
		[ "$(jq -r .id "$OUT" | sort -u | wc -l)" -eq 500 ]
		[ "$(messages "$NAME")" -eq 0 ]
	done
}

@test "--requeue of several: those that were meant, and the others are told" {
	ev-pull -q "$URL" --declare
	printf 'no json %d\n' 1 2 3 4 | amqp put "$NAME"
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 1
	run_prog ev-pull -q "$URL" --requeue 1 3
	want_code 0
	[ "$(ev-pull -q "$URL" --dead | jq -r .input | tr '\n' ';')" = 'no json 2;no json 4;' ]
	run_prog ev-pull -q "$URL" --requeue 7 2 9
	want_code 1
	[ "$(grep -c 'no dead letter [79]$' "$ERR")" -eq 2 ]
	[ "$(ev-pull -q "$URL" --dead | jq -r .input)" = 'no json 2' ]
	[ "$(messages "$NAME")" -eq 3 ]
	run_prog ev-pull -q "$URL" --requeue
	want_code 0
	[ "$(messages "$NAME")" -eq 4 ]
}

@test "a dead letter keeps its message's properties, there and back" {
	ev-pull -q "$URL" --declare
	printf 'no json %d\n' 1 2 | amqp put "$NAME"
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 1
	# In some order, and with what the broker itself puts there.
	get() { amqp get "$1" | grep -v x-delivery-count | sort; }
	get "$NAME.dead" >letter
	printf '%s\n' 'body=no json 1' content-type=application/cloudevents+json \
		message-id=m-17 correlation-id=c-4 type=order timestamp=1234567 \
		'header tenant' 'header evpipe-time' 'header evpipe-deaths' \
		'header evpipe-status' 'header evpipe-stderr' >want
	same <(sort want) letter
	run_prog ev-pull -q "$URL" --requeue 1
	want_code 0
	get "$NAME" >back
	sed '/evpipe/d; s/json 1/json 2/' want | sort >want.back
	same want.back back
}

@test "looking at dead letters takes nothing from them" {
	ev-pull -q "$URL" --declare
	printf 'no json %d\n' 1 2 3 | amqp put "$NAME"
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 1
	ev-pull -q "$URL" --dead >first
	for _ in $(seq 25); do
		ev-pull -q "$URL" --dead >again
		same first again
	done
	[ "$(wc -l <first)" -eq 3 ]
}

@test "what came in while a letter was on its way is fed at once" {
	needs perl
	ev-pull -q "$URL" --declare
	start_proxy hold evpipe-status go
	ev-pull -q "amqp://127.0.0.1:$PROXY_PORT?queue=$NAME" -- cat >got 2>said 3>&- 4>&- &
	EV_STARTED+=($!)
	pings 1 1 | ev-push -q "$URL"
	wait_until test -s got
	echo 'no json' | amqp put "$NAME"
	wait_until test -s go.held
	pings 2 6 | ev-push -q "$URL"
	all_held() { [ "$(<go.held)" -gt 500 ]; }
	wait_until all_held
	touch go
	all() { [ "$(wc -l <got)" -eq 6 ]; }
	wait_until all
	wait_until has_messages "$NAME.dead" 1
}

@test "a broker short of memory: a dead letter waits, the events behind it do not" {
	ev-pull -q "$URL" --declare
	echo 'no json' | amqp put "$NAME"
	pings 1 100 | ev-push -q "$URL"
	rabbit_ctl "$NODE" 1 set_vm_memory_high_watermark absolute 1MiB
	ev-pull -q "$URL" -- cat >got 2>said 3>&- 4>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
	wait_until grep -q 'takes nothing at the moment' said
	all() { [ "$(wc -l <got)" -eq 100 ]; }
	wait_until all
	grep -q 'event 1 becomes a dead letter when the broker takes it' said
	# Killed, it leaves the letter's event, and only that: acks were heard.
	kill -9 "$PULL"
	wait "$PULL" || true
	wait_until has_messages "$NAME" 1
	[ "$(messages "$NAME.dead")" -eq 0 ]
	ev-pull -q "$URL" --drain -- cat >got 2>said 3>&- 4>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
	wait_until grep -q 'takes nothing at the moment' said
	rabbit_ctl "$NODE" 1 set_vm_memory_high_watermark 0.4
	code=0
	wait "$PULL" || code=$?
	[ "$code" -eq 1 ] || { cat said >&2; false; }
	[ "$(messages "$NAME")" -eq 0 ]
	# Two if that of the killed one was on its way.
	[ "$(messages "$NAME.dead")" -ge 1 ]
}

@test "consumer_timeout: told what to do, connected again, nothing lost" {
	ev-pull -q "$URL" --declare
	pings 1 50 | ev-push -q "$URL"
	limits() { # TIMEOUT TICK, of channels that are opened from now on
		rabbit_ctl "$NODE" 1 eval "application:set_env(rabbit, consumer_timeout, $1),
			application:set_env(rabbit, channel_tick_interval, $2)."
	}
	# It has an event until the broker has lost its patience.
	cat >slow.sh <<-'END'
	while IFS= read -r line; do
		case $line in *'"e3"'*) until grep -q consumer_timeout said; do sleep 0.1; done ;; esac
		printf '%s\n' "$line"
	done
	END
	limits 1000 100
	CODE=0
	timeout 60 ev-pull -q "$URL" --drain -- sh slow.sh >got 2>said 3>&- 4>&- || CODE=$?
	limits 1800000 60000
	[ "$CODE" -eq 0 ] || { cat said >&2; false; }
	grep -q 'timed out.*consumer_timeout: give the URL a lower prefetch=' said
	grep -q 'connected to' said
	[ "$(jq -r .id got | sort -u | wc -l)" -eq 50 ]
	[ "$(messages "$NAME")" -eq 0 ]
	[ "$(messages "$NAME.dead")" -eq 0 ]
}

@test "ev-push, the queue full in the middle: with which line to go on" {
	ev-pull -q "$URL" --declare
	rabbit_ctl "$NODE" 1 set_policy full "^$NAME\$" '{"max-length": 6000}' --apply-to queues
	{ echo 'no json'; pings 1 9000; } >in
	run_prog ev-push -q "$URL" in
	want_code 3
	grep -q 'it is full' "$ERR"
	on_disk=$(sed -n 's/.*: \([0-9]*\) events are on disk.*/\1/p' "$ERR")
	line=$(sed -n 's/.*go on from line \([0-9]*\) of in; some lines behind it may be.*/\1/p' "$ERR")
	[ "$line" -eq $((on_disk + 2)) ] # behind the one that was refused
	((on_disk > 0 && on_disk <= $(messages "$NAME")))
	rabbit_ctl "$NODE" 1 clear_policy full
	tail -n +"$line" in | ev-push -q "$URL"
	run_prog ev-pull -q "$URL" --drain -- cat
	want_code 0
	[ "$(jq -r .id "$OUT" | sort -u | wc -l)" -eq 9000 ]
}

@test "two pullers, one queue: each event to one of them; it is deleted, and comes again" {
	ev-pull -q "$URL" --declare
	for n in 1 2; do
		ev-pull -q "$URL&prefetch=50" -- cat >got.$n 2>said.$n 3>&- 4>&- &
		EV_STARTED+=($!)
	done
	pings 1 2000 | ev-push -q "$URL"
	all() { [ "$(cat got.* | wc -l)" -eq "$1" ]; }
	wait_until all 2000
	[ "$(cat got.* | jq -r .id | sort -u | wc -l)" -eq 2000 ]
	rabbit_ctl "$NODE" 1 delete_queue "$NAME"
	for n in 1 2; do
		wait_until grep -q 'NOT_FOUND.*ev-pull --declare' said.$n
	done
	ev-pull -q "$URL" --declare
	pings 2001 2100 | ev-push -q "$URL"
	wait_until all 2100
}

@test "idle, ev-pull is not woken" {
	ev-pull -q "$URL" --declare
	ev-pull -q "$URL" -- cat >got 2>said 3>&- 4>&- &
	PULL=$!
	EV_STARTED+=("$PULL")
	echo '{"name":"a"}' | ev-push -q "$URL"
	wait_until test -s got
	switches() { awk '/ctxt/ { n += $2 } END { print n }' "/proc/$PULL/status"; }
	quiet() { local n; n=$(switches); sleep 1.5; [ "$(switches)" -eq "$n" ]; }
	wait_until quiet
}

@test "three nodes: events from ev-push to the receiver, under SIGKILL of all" {
	[ -z "${EV_SAN:-}" ] || skip "make soak does more"
	timeout 240 bash "$REPO/tests/soak/amqp.sh" 3000 10 >said 2>&1 3>&- 4>&- ||
		{ cat said >&2; false; }
	grep -h 'events,' said | sed 's/^/# /' >&3
}
