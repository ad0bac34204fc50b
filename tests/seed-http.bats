#!/usr/bin/env bats
# The HTTP job of the original, case by case: what was sent for a call, and what
# an answer made of it. Exceptions, with reasons: seed/exceptions.json.

load helpers/common
load helpers/seed

# The case, its exception applied, as files: the line to feed, the answer, how it
# ends in evpipe's words, the request to come.
FILES='
(if $x.outcome then .outcome = $x.outcome | .warned = $x.warned else . end)
| (if $x.reject then .request = null else . end)
| (if $x.body_text then .request.body_text = $x.body_text
	| .request.headers |= map(if startswith("content-length:")
	then "content-length: \($x.body_text | utf8bytelength)" else . end)
   else . end)
| { in: (.message_text | line + "\n"), answer,
    outcome: (if .request == null then "reject"
	elif .outcome == "retry" then "retry"
	elif .warned then "answered" else "delivered" end),
    "want-request": (if .request then
	.request | norm(.line; .headers; .body_text) | tojson + "\n"
	else "" end) }'

setup_file() {
	load helpers/common
	load helpers/seed
	cases "$BATS_FILE_TMPDIR" "$FILES" "$SEED"/http-cases/*.json
}

check_case() { # NAME
	local want
	want=$(<"$dir/outcome")
	echo "raw $dir/answer" >"$dir/script"
	start_sink --script "$dir/script"
	CODE=0
	timeout 60 ev-deliver $LOOPBACK --policy network --schedule 0.01s,0.01s \
		--connect-to "::127.0.0.1:$SINK_PORT" -r "$dir/rejects" \
		<"$dir/in" >"$dir/results" 2>"$dir/err" || CODE=$?
	sound "$CODE" "$dir/err" "$1" || complain "$1" "crash" "$dir/err"
	cp "$SINK_LOG" "$dir/log"
	stop_all

	if [ "$want" = reject ]; then
		[ "$CODE" -eq 1 ] || complain "$1" "code $CODE, not 1" "$dir/err"
		[ ! -s "$dir/log" ] || complain "$1" "a request" "$dir/log"
		[ "$(grep -c '"reason":"[a-z]' "$dir/rejects")" = 1 ] ||
			complain "$1" "not one reject" "$dir/rejects" "$dir/err"
		return
	fi
	given_requests <"$dir/log" | sort -u >"$dir/got-request"
	cmp -s "$dir/want-request" "$dir/got-request" ||
		complain "$1" "other requests" "$dir/want-request" \
			"$dir/got-request"
	if [ "$want" = retry ]; then
		[ "$CODE" -eq 1 ] || complain "$1" "code $CODE, not 1" "$dir/err"
		[ "$(jq -r .outcome "$dir/results" | tr '\n' ' ')" = \
			"retry retry dead " ] ||
			complain "$1" "not tried again" "$dir/results"
	else
		[ "$CODE" -eq 0 ] || complain "$1" "code $CODE" "$dir/err"
		[ "$(jq -r .outcome "$dir/results")" = "$want" ] ||
			complain "$1" "not $want" "$dir/results"
	fi
}

@test "calls and answers end as they ended in the original's HTTP job" {
	local n=0 dir
	for dir in "$BATS_FILE_TMPDIR"/http-[0-9]*; do
		check_case "$(basename "$dir")"
		n=$((n + 1))
	done
	[ "$n" -ge 50 ]
	all_good "$n" "$(jq '.http | length' "$SEED/exceptions.json") exceptions"
}
