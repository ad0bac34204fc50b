#!/usr/bin/env bats
# The examples that bring events in from elsewhere.

load helpers/common

setup() {
	LOG=$BATS_TEST_TMPDIR/log Q=$BATS_TEST_TMPDIR/events
}

from_log() {
	"$REPO/examples/from-log.sh" "$LOG" "$Q"
}

lines() {
	sqlite3 "$Q" 'SELECT text FROM event ORDER BY seq' |
		jq -r .payload.line | tr '\n' ' '
}

@test "from-log.sh: each line once, whole lines only, through a rotation" {
	printf 'one\ntwo\nthr' >"$LOG"
	from_log
	[ "$(lines)" = "one two " ]
	from_log
	[ "$(lines)" = "one two " ]
	printf 'ee\nfo\303\274r "q" \\\nrest' >>"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ ' ]
	printf ' of it\n' >>"$LOG"
	mv "$LOG" "$LOG.1"
	printf 'new\n' >"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ rest of it new ' ]
	: >"$LOG"
	from_log
	printf 'cut\n' >>"$LOG"
	from_log
	[ "$(lines)" = 'one two three foür "q" \ rest of it new cut ' ]
}

@test "from-log.sh: killed before it saved how far it came, it repeats nothing" {
	printf 'one\ntwo\n' >"$LOG"
	from_log
	cp "$LOG.pushed" "$LOG.saved"
	printf 'three\n' >>"$LOG"
	from_log
	cp "$LOG.saved" "$LOG.pushed"
	printf 'four\n' >>"$LOG"
	from_log
	[ "$(lines)" = "one two three four " ]
}

@test "from-log.sh: a queue that can't be written: nothing is passed over" {
	printf 'one\n' >"$LOG"
	Q=$BATS_TEST_TMPDIR/no/such
	CODE=0
	from_log 2>/dev/null || CODE=$?
	[ "$CODE" -eq 2 ]
	Q=$BATS_TEST_TMPDIR/events
	from_log
	[ "$(lines)" = "one " ]
}

@test "from-log.sh: what ev-push refuses is passed over, and kept" {
	{
		echo one
		head -c 1100000 /dev/zero | tr '\0' x
		printf '\ntwo\n'
	} >"$LOG"
	from_log 2>/dev/null
	echo three >>"$LOG"
	from_log
	[ "$(lines)" = "one two three " ]
	[ "$(jq -r .reason "$LOG.rejects")" = too-long ]
}

@test "from-log.sh: one at a time" {
	cd "$BATS_TEST_TMPDIR"
	mkdir stubs
	cat >stubs/ev-push <<-'END'
	#!/bin/sh
	# The first is done, and does not come back yet; the second fails.
	[ ! -e first ] || exit 3
	command -p env PATH="${PATH#*:}" ev-push "$@" || exit
	touch first
	until [ -e go ]; do sleep 0.02; done
	END
	chmod +x stubs/ev-push
	echo one >"$LOG"
	PATH=$PWD/stubs:$PATH from_log 3>&- 4>&- &
	wait_until test -e first
	echo two >>"$LOG"
	PATH=$PWD/stubs:$PATH from_log || true
	touch go
	wait $!
	from_log
	[ "$(lines)" = "one two " ]
}

# An Azure Storage Queue: by a stand-in that can fail to order, and by azurite.

start_fake() { # [FAULT…]
	command -v perl >/dev/null || skip "no perl here"
	printf '%s\n' "$@" >faults
	perl "$REPO/tests/helpers/azure-queue.pl" port secretSAS faults \
		>requests 2>fake.err 3>&- 4>&- &
	FAKE=$!
	EV_STARTED+=("$FAKE")
	wait_until test -s port || { cat fake.err >&2; return 1; }
	AZ=http://127.0.0.1:$(cat port)/acct/events
	echo 'sv=2019-12-12&sig=secretSAS' >sas
}

# Kept outside the tree, got once: some 190 MB.
start_azurite() {
	local version=3.35.0 key at=${XDG_CACHE_HOME:-$HOME/.cache}/evpipe
	command -v npm >/dev/null && command -v node >/dev/null || skip "no npm"
	at=$at/azurite-$version
	if [ ! -d "$at" ]; then
		mkdir -p "$(dirname "$at")"
		timeout 180 npm install --prefix "$at.$$" --ignore-scripts --no-audit \
			--no-fund "azurite@$version" >npm.log 2>&1 3>&- 4>&- || {
			rm -rf "$at.$$"
			skip "npm does not get azurite: $(tail -n 1 npm.log)"
		}
		mv -T "$at.$$" "$at" || rm -rf "$at.$$"
	fi
	key=$(printf 'of sixteen bytes' | base64)
	AZURITE_ACCOUNTS=acct:$key "$at/node_modules/.bin/azurite-queue" \
		--queueHost 127.0.0.1 --queuePort 0 --location azurite \
		--skipApiVersionCheck --disableTelemetry >azurite.log 2>&1 \
		3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until grep -q 'listens on' azurite.log || {
		cat azurite.log >&2
		return 1
	}
	AZ=$(sed -n 's/.*listens on //p' azurite.log)/acct/events
	account_sas "$key" >sas
}

account_sas() { # KEY
	local sp=acpr until sig
	until=$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)
	sig=$(printf '%s\n' acct "$sp" q co '' "$until" '' '' 2019-12-12 |
		openssl dgst -sha256 -mac HMAC -binary -macopt \
		"hexkey:$(echo "$1" | base64 -d | od -An -tx1 | tr -d ' \n')" |
		base64 | jq -Rr @uri)
	echo "?sv=2019-12-12&ss=q&srt=co&sp=$sp&se=${until//:/%3A}&sig=$sig"
}

az() { # METHOD TARGET [QUERY] [CURL OPTION…]
	local sas
	sas=$(sed 's/^?//' sas)
	curl -sS -X "$1" "$AZ$2?$3${3:+&}$sas" "${@:4}"
}

put() { # TEXT…, as it is to stand in the XML
	local text
	for text in "$@"; do
		az POST /messages '' -o /dev/null --data-binary \
			"<QueueMessage><MessageText>$text</MessageText></QueueMessage>"
	done
}

base64s() { # LINE…
	local line
	for line in "$@"; do
		put "$(printf %s "$line" | base64 -w 0)"
	done
}

in_poison() {
	az GET -poison/messages 'numofmessages=32&visibilitytimeout=1' |
		grep -o '<MessageText>[^<]*' | sed 's/<MessageText>//'
}

from_azure() {
	VISIBILITY=${VISIBILITY:-1} MAX_WAIT_MS=300 \
		"$REPO/examples/from-azure-queue.sh" "$AZ" sas "$Q" \
		>azure.out 2>azure.err 3>&- 4>&- &
	AZURE=$!
	EV_STARTED+=("$AZURE")
}

stop_azure() {
	kill "$AZURE"
	wait "$AZURE"
}

events() {
	sqlite3 "$Q" 'SELECT text FROM event ORDER BY seq'
}

has_events() {
	[ "$(events | wc -l)" -eq "$1" ]
}

# None waits, be it invisible for now.
az_is_empty() {
	az GET '' comp=metadata -o /dev/null -D - |
		grep -qi 'approximate-messages-count: 0'
}

# What producers send: the original's, and others'.
messages_of_all_kinds() {
	base64s '{"name":"ping","payload":{"n":1.0,"s":"è"}}' \
		'"{\"name\":\"ping\",\"payload\":{\"n\":12345678901234567890}}"' \
		'{"id":"own","name":"ping","payload":{"n":3}}'
	put '{"name":"ping","payload":{"s":"&lt;a&gt; &amp;amp; é"}}' \
		'"{\"name\":\"ping\",&#10;\"payload\":{}}"'
}

all_kinds_are_there() {
	wait_until has_events 5 || { cat azure.err >&2; return 1; }
	events | sed -E '/"own"/!s/^\{"id":"[0-9a-f-]+",/{/' | sort >got
	sort >want <<-'END'
	{"name":"ping","payload":{"n":1.0,"s":"è"}}
	{"name":"ping","payload":{"n":12345678901234567890}}
	{"id":"own","name":"ping","payload":{"n":3}}
	{"name":"ping","payload":{"s":"<a> &amp; é"}}
	{"name":"ping", "payload":{}}
	END
	same want got
}

# ev-push, but it dies of some lines, and does more before and after.
wrap_ev_push() { # BEFORE [AFTER]
	mkdir -p wrapped
	cat >wrapped/ev-push <<-END
	#!/bin/bash
	for last; do :; done
	if grep -q deadly "\$last"; then kill -9 \$\$; fi
	$1
	$EV_BIN/ev-push "\$@"
	code=\$?
	${2:-}
	exit \$code
	END
	chmod +x wrapped/ev-push
	PATH=$PWD/wrapped:$PATH
}

# The first time it kills who called it.
KILLS='if [ ! -e killed ]; then touch killed; kill -9 $PPID; fi'

azure_by() { # start_fake or start_azurite
	cd "$BATS_TEST_TMPDIR" || return 1
	"$@"
	az PUT '' '' -o /dev/null --data ''
}

@test "from-azure-queue.sh: whatever producers send, once, in its bytes" {
	azure_by start_fake
	messages_of_all_kinds
	from_azure
	all_kinds_are_there
	wait_until grep -c DELETE requests
	wait_until az_is_empty
	# While it waits something comes.
	base64s '{"name":"ping","payload":{"n":6}}'
	wait_until has_events 6
	stop_azure
	[ ! -s azure.err ]
	# As long as they might come again: as many as were deleted.
	[ "$(grep -c 'DELETE.*204' requests)" -eq 6 ]
}

@test "from-azure-queue.sh: the signature is in no command line" {
	azure_by start_fake
	mkdir wrapped
	for program in curl jq awk sed ev-push sleep; do
		printf '#!/bin/bash\necho "%s $*" >>%s/argv\nexec %s "$@"\n' \
			"$program" "$PWD" "$(command -v $program)" >wrapped/$program
	done
	chmod +x wrapped/*
	messages_of_all_kinds
	base64s nonsense
	PATH=$PWD/wrapped:$PATH from_azure
	wait_until has_events 5
	wait_until grep -q 'poison/messages 201' requests
	stop_azure
	grep -q '^curl' argv
	if grep -e secretSAS -e sig= argv azure.err; then false; fi
}

@test "from-azure-queue.sh: kill -9 between GET and DELETE: nothing is lost, nor twice" {
	azure_by start_fake
	messages_of_all_kinds
	wrap_ev_push : "${KILLS//killed/$PWD/killed}"
	from_azure
	disown "$AZURE"
	wait_until gone "$AZURE"
	has_events 5 || { cat azure.err >&2; false; }
	rm -rf wrapped
	from_azure
	wait_until az_is_empty
	all_kinds_are_there
	stop_azure
}

@test "from-azure-queue.sh: what is no event goes to the poison queue as it came, also empty" {
	azure_by start_fake
	base64s '{"name":"ping","payload":{"n":1}}' 'nonsense' '{"payload":{}}' \
		'{"barrier":"x.0"}' '{"name":"ping","payload":{"n":2}}'
	put '' '!!' '&lt;x/&gt;'
	printf '\xff\xfe' >bytes
	put "$(base64 bytes)"
	from_azure
	wait_until az_is_empty
	stop_azure
	[ "$(events | jq -c .payload.n | tr '\n' ' ')" = "1 2 " ]
	in_poison | sort >got
	{
		printf %s nonsense | base64
		printf %s '{"payload":{}}' | base64
		printf %s '{"barrier":"x.0"}' | base64
		printf '%s\n' '!!' '&lt;x/&gt;'
		base64 bytes
	} | sort >want
	same want <(grep . got)
	[ "$(grep -c 'poison/messages 201' requests)" -eq 7 ]
	if grep -e nonsense -e payload azure.err; then false; fi
}

@test "from-azure-queue.sh: what ev-push dies of is poison after MAX_DEQUEUES, its neighbours are not" {
	azure_by start_fake
	base64s '{"name":"ping","payload":{"n":1}}' '{"name":"deadly"}' \
		'{"name":"ping","payload":{"n":2}}'
	wrap_ev_push :
	MAX_DEQUEUES=2 from_azure
	wait_until az_is_empty
	stop_azure
	[ "$(events | jq -c .payload.n | tr '\n' ' ')" = "1 2 " ]
	[ "$(in_poison | base64 -d)" = '{"name":"deadly"}' ]
}

@test "from-azure-queue.sh: an event queue that fails sentences nobody" {
	azure_by start_fake
	base64s '{"name":"ping","payload":{"n":1}}'
	wrap_ev_push "if [ -e $PWD/full ]; then echo x >>$PWD/tries; exit 3; fi"
	touch full
	MAX_DEQUEUES=1 from_azure
	tried() { [ "$(wc -l <tries)" -ge 6 ]; }
	wait_until tried
	[ "$(grep -c 'GET.*events/messages' requests)" -eq 1 ]
	rm full
	wait_until has_events 1
	wait_until az_is_empty
	stop_azure
	if grep -q poison requests; then false; fi
}

@test "from-azure-queue.sh: an ev-push that dies of everything sentences nobody" {
	azure_by start_fake
	base64s '{"name":"ping","payload":{"n":1}}' '{"name":"ping","payload":{"n":2}}'
	wrap_ev_push 'kill -9 $$'
	MAX_DEQUEUES=1 from_azure
	dies() { [ "$(grep -c 'ev-push ended with 137' azure.err)" -ge 4 ]; }
	wait_until dies
	stop_azure
	if grep -q poison requests; then false; fi
	rm -r wrapped
	from_azure
	wait_until has_events 2
	wait_until az_is_empty
	stop_azure
}

@test "from-azure-queue.sh: 5xx, lost answers and deletions that fail are tried again" {
	azure_by start_fake - - 503 drop 500 429 - 503 503 503
	base64s '{"name":"ping","payload":{"n":1}}'
	from_azure
	wait_until has_events 1
	wait_until az_is_empty
	stop_azure
	[ "$(events | wc -l)" -eq 1 ]
	grep -q 'answered 503; trying again' azure.err
	grep -q 'DELETE.*204' requests
}

@test "from-azure-queue.sh: SIGTERM while an answer is waited for" {
	azure_by start_fake - hang
	from_azure
	wait_until grep -q hang requests
	stop_azure
	[ ! -s azure.err ]
}

@test "from-azure-queue.sh: a wrong set-up is the end, 2, in words" {
	local code
	azure_by start_fake
	echo 'sig=another' >sas.wrong
	for args in "$AZ sas.wrong" "${AZ%events}none sas" "$AZ none" \
		"http://a.example/q sas" "$AZ?sig=secretSAS sas"; do
		code=0
		# shellcheck disable=SC2086
		timeout 20 "$REPO/examples/from-azure-queue.sh" $args "$Q" \
			2>>said </dev/null || code=$?
		[ "$code" -eq 2 ] || { echo "$args: $code" >&2; false; }
	done
	grep -q 'answered 403 AuthenticationFailed' said
	grep -q 'answered 404 QueueNotFound' said
	if grep -e secretSAS -e another said; then false; fi
	# Without ev-push.
	code=0
	PATH=/usr/bin:/bin timeout 20 "$REPO/examples/from-azure-queue.sh" "$AZ" sas "$Q" \
		2>said || code=$?
	[ "$code" -eq 2 ]
	grep -q 'no ev-push here' said
	# An event queue that can't be opened.
	base64s '{"name":"ping"}'
	Q=$PWD/no/such from_azure
	code=0
	wait "$AZURE" || code=$?
	[ "$code" -eq 2 ]
}

@test "from-azure-queue.sh by azurite: all kinds, poison, kill -9, many" {
	azure_by start_azurite
	messages_of_all_kinds
	wrap_ev_push : "${KILLS//killed/$PWD/killed}"
	from_azure
	disown "$AZURE"
	wait_until gone "$AZURE"
	has_events 5 || { cat azure.err >&2; false; }
	rm -rf wrapped
	from_azure
	all_kinds_are_there
	base64s nonsense
	in_poison_is() { [ "$(in_poison | base64 -d)" = "$1" ]; }
	wait_until in_poison_is nonsense || { cat azure.err >&2; false; }
	for i in $(seq 100); do
		echo "url = \"$AZ/messages?$(sed 's/^?//' sas)\""
		echo "data = \"<QueueMessage><MessageText>$(printf \
			'{"name":"ping","payload":{"i":%d}}' "$i" | base64 -w 0)</MessageText></QueueMessage>\""
		echo 'output = /dev/null'
		[ "$i" -eq 100 ] || echo next
	done >many
	curl -sS -K many
	wait_until has_events 105
	wait_until az_is_empty
	stop_azure
	[ "$(events | jq .payload.i | grep -c '[0-9]')" -eq 100 ]
}

# A Kafka topic: by the mock cluster that is in librdkafka.

start_kafka() {
	command -v kcat >/dev/null || skip "no kcat here"
	cd "$BATS_TEST_TMPDIR" || return 1
	# It lives as long as a kcat that has nothing to do.
	kcat -C -b none -t hold -X test.mock.num.brokers=1 -d mock >hold.out \
		2>hold.err </dev/null 3>&- 4>&- &
	EV_STARTED+=($!)
	wait_until grep -q 'bootstrap.servers=127' hold.err
	KAFKA=$(grep -o 'bootstrap.servers=127[0-9.:]*' hold.err | head -n 1 |
		cut -d= -f2)
}

produce() { # PARTITION [OPTION…]: messages on stdin
	timeout 20 kcat -P -q -b "$KAFKA" -t events -p "$@"
}

from_kafka() {
	MAX_WAIT_MS=200 "$REPO/examples/from-kafka.sh" "$KAFKA" events positions "$Q" \
		>kafka.out 2>kafka.err 3>&- 4>&- &
	FROM=$!
	EV_STARTED+=("$FROM")
}

stop_kafka() {
	kill "$FROM"
	wait "$FROM"
}

position_is() { # PARTITION OFFSET
	[ "$(awk -v p="$1" '$1 == p { print $2 }' positions)" = "$2" ]
}

pings() { # FROM TO
	seq "$1" "$2" | jq -c '{name: "ping", payload: {n: .}}'
}

has_pings() { # FROM TO: each once
	[ "$(events | jq .payload.n | sort -n | tr '\n' ' ')" = \
		"$(seq "$1" "$2" | tr '\n' ' ')" ]
}

@test "from-kafka.sh: all partitions, each in its order; positions behind what is on disk" {
	start_kafka
	pings 1 300 | produce 0
	pings 301 400 | produce 3
	BATCH=120 from_kafka
	wait_until has_pings 1 400 || { cat kafka.err >&2; false; }
	wait_until position_is 0 300
	wait_until position_is 3 100
	events | jq '.payload.n | select(. <= 300)' >got
	sort -n got | same - got
	pings 401 410 | produce 1
	wait_until has_pings 1 410
	stop_kafka
	# Once more: nothing is read twice.
	pings 411 420 | produce 1
	from_kafka
	wait_until position_is 1 20
	stop_kafka
	has_pings 1 420
	[ "$(events | jq -r .id | sort -u | wc -l)" -eq 420 ]
	[ ! -s kafka.err ]
}

@test "from-kafka.sh: kill -9 when the events are on disk and the position is not" {
	start_kafka
	pings 1 50 | produce 0
	wrap_ev_push : "${KILLS//killed/$PWD/killed}"
	from_kafka
	disown "$FROM"
	wait_until gone "$FROM"
	has_pings 1 50
	[ ! -e positions ]
	rm -r wrapped
	from_kafka
	wait_until position_is 0 50
	stop_kafka
	has_pings 1 50
}

@test "from-kafka.sh: an event queue that fails: no position; what is no event is in the rejects" {
	start_kafka
	{
		pings 1 1
		echo '{"id":"own","name":"ping","payload":{"n":2}}'
		echo '"{\"name\":\"ping\",\"payload\":{\"n\":3.0}}"'
		echo nonsense
		printf '{"name":"ping","payload":"\xff"}\n'
		pings 4 4
	} | produce 2
	printf '{"name":"ping",\n"payload":{"n":5}}' >whole
	produce 2 whole
	echo 'key;' | produce 2 -Z -K ';'
	wrap_ev_push "if [ -e $PWD/full ]; then echo x >>$PWD/tries; exit 3; fi"
	touch full
	from_kafka
	tried() { [ "$(wc -l <tries)" -ge 4 ]; }
	wait_until tried
	[ ! -e positions ]
	rm full
	wait_until position_is 2 8
	stop_kafka
	[ "$(events | grep -o '"n":[0-9.]*' | tr '\n' ' ')" = \
		'"n":1 "n":2 "n":3.0 "n":4 "n":5 ' ]
	[ "$(jq -r .input positions.rejects)" = 'nonsense
"not UTF-8: events, partition 2, offset 4"
"without a message: events, partition 2, offset 7"' ]
}

@test "from-kafka.sh: a position that is no more there, or damaged" {
	start_kafka
	pings 1 20 | produce 0
	echo '0 500' >positions
	from_kafka
	wait_until has_pings 1 20 || { cat kafka.err >&2; false; }
	wait_until position_is 0 20
	stop_kafka
	echo 'nonsense' >positions
	code=0
	timeout 20 "$REPO/examples/from-kafka.sh" "$KAFKA" events positions "$Q" \
		2>said || code=$?
	[ "$code" -eq 2 ]
	grep -q 'positions is damaged' said
}

@test "from-kafka.sh: brokers that are away are waited for" {
	start_kafka
	KAFKA=127.0.0.1:1 from_kafka
	wait_until test -s kafka.err
	stop_kafka
	[ ! -e positions ]
}
