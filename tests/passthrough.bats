#!/usr/bin/env bats
# A record that a program does not change leaves it in the bytes it came in, and
# a part of one arrives in its bytes, too.

load helpers/common

setup() {
	IN=$BATS_TEST_TMPDIR/in W=$BATS_TEST_TMPDIR/w.json
}

# Texts that a parser and printer would not give back.
odd_texts() {
	cat <<-'END'
	{"name":"ping","payload":{"name":"u"}}
	{ "payload" : { "name" : "u" } , "name" : "ping" }
	{"name":"ping","payload":{"name":"u","n":12345678901234567890.123456789}}
	{"name":"ping","payload":{"name":"u","n":[1.0,1.10,-0,0e0,1E+2,1e400,9007199254740993]}}
	{"name":"ping","payload":{"name":"u","s":"\u0041\/\"\\\b\f\n\r\t\u2028\ud83c\udf0a\u0000"}}
	{"name":"ping","payload":{"name":"u","s":"é€🌊"}}
	{"name":"ping","payload":{"z":1,"10":2,"9":3,"name":"u","a":{"2":0,"1":0}}}
	{"name":"pi\u006eg","payload":{"n\u0061me":"\u0075"}}
	{"name":"ping","payload":{"name":"u"},"id":"e~1","time":"2026-11-23T18:42:00.000Z","x":[ ],"y":{ }}
	{"name":"ping","payload":{"b":1,"name":"x","b":2,"name":"u"}}
	{"name":"ping:all"}
	{"name":"ping:all","payload":null}
	{"name":"ping:all","payload":[1,{"deep":[[[[[[[[]]]]]]]]}]}
	END
	printf '\t{"name":"ping","payload":{"name":"u"}} \r\n'
	printf '{"name":"ping",\t"payload":\r{"name":"u"}}\n'
}

@test "ev-validate < valid.ndjson | cmp - valid.ndjson" {
	odd_texts >"$IN"
	run_prog ev-validate "$IN"
	want_code 0
	same "$IN" "$OUT"
	# A file large enough for many reads, so that lines lie across them.
	for _ in $(seq 500); do odd_texts; done >"$IN"
	run_prog ev-validate "$IN"
	want_code 0
	same "$IN" "$OUT"
	ev-validate <"$IN" | cmp - "$IN"
}

@test "ev-map passes public events on in their bytes" {
	echo '[]' >"$W"
	odd_texts | grep -v ping:all >"$IN"
	run_prog ev-map -w "$W" "$IN"
	want_code 0
	same "$IN" "$OUT"
}

@test "ev-validate --schema passes lines on in their bytes" {
	echo true >"$W"
	{ odd_texts; echo ' 1.10 '; echo '"\u0041"'; echo '[ ]'; } >"$IN"
	run_prog ev-validate --schema "$W" "$IN"
	want_code 0
	same "$IN" "$OUT"
}

@test "an event in a JSON string is unwrapped, once" {
	printf '%s\n' '{"name":"ping","payload":{"name":"u","n":1.10,"s":"\u0041"}}' \
		>"$IN.want"
	jq -Rc . "$IN.want" >"$IN"
	run_prog ev-validate "$IN"
	want_code 0
	same "$IN.want" "$OUT"
	jq -Rc . "$IN" >"$IN.twice"
	run_prog ev-validate "$IN.twice"
	want_code 1
	[ ! -s "$OUT" ]
	# One that holds newlines is a line still, and the same event.
	jq -nc '"{\"name\":\n\"ping\",\r\n\t\"payload\":{\"name\":\"u\"}}\n"' >"$IN"
	run_prog ev-validate "$IN"
	want_code 0
	[ "$(wc -l <"$OUT")" -eq 1 ]
	jq -e '. == {name: "ping", payload: {name: "u"}}' "$OUT"
}

@test "a payload member arrives at the receiver in its bytes" {
	local members='"n":12345678901234567890.10,"s":"\u0041\/🌊\ud83c\udf0a","10":[ 1.0 , 1e400 ],"9":{ "b":-0,"a":null }'
	start_sink
	echo '[{"url":"http://127.0.0.1:'"$SINK_PORT"'/","subscriptions":["ping"],"attributes":{"name":"u"}}]' >"$W"
	echo '{"name":"ping","payload":{'"$members"',"name":"u"}}' |
		ev-validate | ev-map -w "$W" | ev-route -w "$W" |
		ev-deliver $LOOPBACK -w "$W" >"$IN.out"
	printf '%s' '{"name":"ping","payload":{'"$members"'}}' >"$IN.want"
	jq -j .body "$SINK_LOG" >"$IN.got"
	same "$IN.want" "$IN.got"
	[ "$(jq .bytes "$SINK_LOG")" -eq "$(wc -c <"$IN.want")" ]
}

@test "a call's body of any kind arrives in its bytes" {
	local body
	start_sink
	while IFS= read -r body; do
		printf '%s' "$body" >"$IN.want"
		printf '{"url":"http://127.0.0.1:%s/","headers":{},"body":%s}\n' \
			"$SINK_PORT" "$body" | ev-deliver $LOOPBACK >"$IN.out"
		tail -n 1 "$SINK_LOG" | jq -j .body >"$IN.got"
		same "$IN.want" "$IN.got"
	done <<-'END'
	1.50
	"text\u0041"
	[ 1 , 2.0 ]
	{"k" : 1e400, "k2": "\/"}
	true
	END
}
