#!/usr/bin/env bats
# Every case observed on the original system: the calls that an event causes and
# the exact requests. Exceptions, with reasons: seed/exceptions.json.

load helpers/common
load helpers/seed

# The case, its exception applied, as files: the registry, the line to feed, where
# it is refused (or none), the calls and the plain HTTP requests to come.
FILES='
def length_of($body): map(if startswith("content-length:")
	then "content-length: \($body | utf8bytelength)" else . end);
def with_body($body): .body_text = $body
	| if .request then .request.headers |= length_of($body) else . end;
(.calls // []) as $calls
| (if $x.error then []
   elif $x.calls then [$x.calls[]
	| { url: .[0], headers: .[1], body_text: .[2] }]
   elif $x.keep then [$calls[$x.keep[]]]
   elif $x.bodies then [range($x.bodies | length) as $i
	| $calls[$i] | with_body($x.bodies[$i])]
   else $calls end) as $calls
| { "w.json": .webhooks_text, in: (.event_text | line + "\n"),
    public: (if (.remapped // []) == [] then "yes" else "no" end),
    stage: ($x.error // if .error then .stage else "none" end),
    "want-calls": ([$calls[] | ({ url, headers } | tojson | rtrimstr("}"))
	+ "\t" + .body_text + "}\n"] | add // ""),
    "want-requests": ([$calls[] | .body_text as $body | .request
	| select(. and (.dial | startswith("http:")))
	| norm(.line; .headers; $body) | tojson + "\n"] | sort | add // "") }'

setup_file() {
	load helpers/common
	load helpers/seed
	cases "$BATS_FILE_TMPDIR" "$FILES" "$SEED"/cases/*.json
}

check_case() { # NAME
	local worst=0 stage
	: >"$dir/rejects"
	REJECTS=$dir/rejects
	pipeline "$dir/w.json" <"$dir/in" >"$dir/calls" 2>"$dir/err" || worst=$?
	sound "$worst" "$dir/err" "$1" || complain "$1" "crash" "$dir/err"

	stage=$(<"$dir/stage")
	case $stage in
	configuration)
		CODE=0
		ev-route -w "$dir/w.json" </dev/null >"$dir/out" \
			2>"$dir/err" || CODE=$?
		[ "$CODE" -eq 2 ] ||
			complain "$1" "configuration taken: code $CODE" "$dir/w.json"
		[ -s "$dir/err" ] || complain "$1" "no reason on stderr"
		[ ! -s "$dir/out" ] || complain "$1" "calls" "$dir/out"
		;;
	event)
		[ "$worst" -eq 1 ] || complain "$1" "code $worst, not 1" "$dir/in"
		[ "$(grep -c '"reason":"[a-z]' "$dir/rejects")" = 1 ] ||
			complain "$1" "not one reject" "$dir/rejects"
		[ ! -s "$dir/calls" ] || complain "$1" "calls" "$dir/calls"
		;;
	none)
		[ "$worst" -eq 0 ] ||
			complain "$1" "code $worst" "$dir/err" "$dir/rejects"
		given_calls "$dir/calls" >"$dir/got-calls"
		if [ "$(<"$dir/public")" = no ]; then
			sort -o "$dir/want-calls" "$dir/want-calls"
			sort -o "$dir/got-calls" "$dir/got-calls"
		fi
		cmp -s "$dir/want-calls" "$dir/got-calls" ||
			complain "$1" "other calls" "$dir/want-calls" \
				"$dir/got-calls"
		;;
	esac
}

@test "events cause the calls that they caused in the original" {
	local n=0 dir
	for dir in "$BATS_FILE_TMPDIR"/*-[0-9]*; do
		check_case "$(basename "$dir")"
		n=$((n + 1))
	done
	[ "$n" -ge 200 ]
	all_good "$n" "$(jq '.cases | length' "$SEED/exceptions.json") exceptions"
}

@test "the requests are the original's, byte for byte" {
	local n=0 dir name before=0 after
	start_sink
	for dir in "$BATS_FILE_TMPDIR"/*-[0-9]*; do
		name=$(basename "$dir")
		[ -s "$dir/want-requests" ] || continue
		n=$((n + 1))
		grep '"url":"http:' "$dir/calls" >"$dir/plain" || true
		CODE=0
		ev-deliver $LOOPBACK -w "$dir/w.json" --policy network \
			--connect-to "::127.0.0.1:$SINK_PORT" <"$dir/plain" \
			>"$dir/results" 2>"$dir/err" || CODE=$?
		sound "$CODE" "$dir/err" "$name" ||
			complain "$name" "crash" "$dir/err"
		[ "$CODE" -eq 0 ] || complain "$name" "code $CODE" "$dir/err"
		after=$(wc -l <"$SINK_LOG")
		tail -n +$((before + 1)) "$SINK_LOG" | given_requests \
			>"$dir/got-requests"
		before=$after
		cmp -s "$dir/want-requests" "$dir/got-requests" ||
			complain "$name" "other requests" "$dir/want-requests" \
				"$dir/got-requests"
		[ "$(grep -c '"outcome":"delivered"' "$dir/results")" = \
			"$(wc -l <"$dir/want-requests")" ] ||
			complain "$name" "not delivered" "$dir/results"
	done
	[ "$n" -ge 50 ]
	all_good "$n"
	# What evpipe adds is there, once.
	jq -se 'all(.headers | map(.[0] | ascii_downcase)
		| (map(select(. == "content-type")) | length == 1)
		and (map(select(. == "user-agent")) | length == 1))' "$SINK_LOG"
}

@test "every exception belongs to a case and says why" {
	local name
	for name in $(jq -r '.cases | keys[]' "$SEED/exceptions.json"); do
		[ -e "$SEED/cases/$name.json" ]
	done
	for name in $(jq -r '.http | keys[]' "$SEED/exceptions.json"); do
		[ -e "$SEED/http-cases/$name.json" ]
	done
	jq -e '[.rules[], .cases[], .http[]] | all(.reason | length > 10)' \
		"$SEED/exceptions.json"
}
