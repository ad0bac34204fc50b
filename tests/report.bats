#!/usr/bin/env bats
# hook-admin report: one page that stands alone, with the figures that stats and dead
# give, whatever is in the queue.

load helpers/common

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	unset EV_WEBHOOKS
}

# A queue with real deliveries: good, failing and dead ones, and one that waits.
delivered() {
	cat >script <<-'END'
	status 204
	status 204
	status 500
	status 204
	status 500
	status 204
	END
	start_sink --script script
	printf '[{"id":"good","url":"http://127.0.0.1:%s/a?token=s3cret","subscriptions":"ping","attributes":{"name":"x"},"headers":{"X-Key":"k3y"}}]' \
		"$SINK_PORT" >w.json
	local i
	for i in 1 2 3 4 5 6; do
		printf '{"url":"http://127.0.0.1:%s/a","headers":{},"body":{"fiscalCode":"AAAAAA00A00A000A"},"webhook":"good","id":"c%s"}\n' "$SINK_PORT" "$i"
	done | ev-deliver -q q -w w.json "$LOOPBACK" --schedule none \
		--per-webhook 1 >results 2>said || true
	printf '{"url":"http://127.0.0.1:1/","headers":{},"body":{},"id":"d1"}\n' |
		ev-deliver -q q -w w.json "$LOOPBACK" --schedule 1h >>results 2>>said || true
}

# What a person reads: a line a cell.
text() {
	sed 's/<style>.*//; s/<[^>]*>/\n/g; s/&amp;/\&/g; s/&lt;/</g' "$1" |
		grep -v '^ *$' || true
}

# The number of a card.
card() { # FILE NAME
	sed -n "s|^<div><dt>$2</dt><dd>\([0-9,]*\).*|\1|p" "$1" | tr -d ,
}

# Each tag that is opened is closed, in its order; attributes are quoted.
well_formed() {
	awk '{ all = all $0 "\n" } END {
		sub(/<style>.*<\/style>/, "", all)
		while (match(all, /<[^>]*>/)) {
			tag = substr(all, RSTART, RLENGTH)
			all = substr(all, RSTART + RLENGTH)
			if (tag ~ /^<[!]/ || tag ~ /^<meta / || tag ~ /\/>$/)
				continue
			name = tag
			gsub(/^<\/?|[ >\n].*$/, "", name)
			if (tag ~ /^<\//) {
				if (stack[n--] != name) { print "</" name ">"; exit 1 }
			} else {
				stack[++n] = name
				bare = tag
				gsub(/="[^"<>]*"/, "", bare)
				if (bare ~ /[="]/) { print tag; exit 1 }
			}
		}
		if (n || all ~ /[<>]/) { print n " open, left: " all; exit 1 }
	}' "$1"
}

@test "the figures are those of stats and dead, and of what happened" {
	delivered
	run_prog hook-admin -q q -w w.json report
	want_code 0
	[ ! -s "$ERR" ]
	cp "$OUT" page
	well_formed page
	hook-admin -q q stats >stats
	[ "$(card page Delivered)" = "$(jq -s 'map(.delivered) | add' stats)" ]
	[ "$(card page Delivered)" = 4 ]
	[ "$(card page 'Failed, tried again')" = "$(jq -s 'map(.failed) | add' stats)" ]
	[ "$(card page 'Failed for good')" = "$(jq -s 'map(.dead) | add' stats)" ]
	[ "$(card page 'Failed for good')" = 2 ]
	[ "$(card page 'Waiting now')" = 1 ]
	text page >shown
	grep -qx 'http-5xx' shown
	grep -q "http://127.0.0.1:$SINK_PORT/a" page
	# The row of the webhook.
	[ "$(grep -o '<tr><th scope="row"><bdi>good</bdi>.*' page |
		grep -o '<td data-l="[^"]*"><span>[0-9,]*' |
		sed 's/.*"\(.*\)"><span>/\1=/' | head -n 4 | tr '\n' ' ')" = \
		'waiting=0 delivered=4 failed=0 for good=2 ' ]
	# What was sent again is none of those that can be.
	n=$(hook-admin -q q dead | wc -l)
	hook-admin -q q replay --outcome dead --limit 1 >replayed 2>said
	hook-admin -q q report >after
	[ "$(sed 's/.*<h2>Calls that ended dead//' after | grep -o '</bdi></th><td>[0-9]*</td></tr>' |
		tr -dc '0-9\n' | awk "{ n += \$1 } END { print n }")" = $((n - 1)) ]
	# Personal data, secrets, queries: none.
	if grep -e AAAAAA00A00A000A -e s3cret -e k3y -e X-Key page; then false; fi
}

@test "nothing is fetched, nothing runs" {
	delivered
	hook-admin -q q report >page
	if grep -Eio '<(script|link|img|iframe|object|embed|base|form)|[[:space:]](src|href|action|on[a-z]+)=|@import|javascript:' page; then false; fi
	[ "$(grep -o 'url([^)]*)' page | sort -u)" = 'url(#hatch)' ]
	grep -q "Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"" page
}

@test "for all to read: language, titles, captions, scopes, numbers beside charts" {
	delivered
	hook-admin -q q report >page
	grep -q '<html lang="en">' page
	[ "$(grep -o '<svg class="chart"' page | wc -l)" -eq 2 ]
	[ "$(grep -o 'role="img" aria-labelledby' page | wc -l)" -eq 2 ]
	[ "$(grep -o '<table' page | wc -l)" -eq "$(grep -o '<caption>' page | wc -l)" ]
	[ "$(grep -o '<th[ >]' page | wc -l)" -eq "$(grep -o '<th[^>]* scope="' page | wc -l)" ]
	grep -q 'prefers-color-scheme:dark' page
	grep -q '<summary>The numbers of both charts' page
}

@test "hostile texts: shown, and nothing else" {
	delivered
	sqlite3 q <<-'END'
	UPDATE lane SET origin = 'http://<script>alert(1)</script>' || char(0x202e) || '"''&' WHERE origin IS NOT NULL;
	UPDATE lane SET why = '</table><img src=x onerror=y>', state = 2;
	UPDATE call SET reason = '<b>' || char(27) || '[31m' WHERE outcome = 4;
	UPDATE attempt SET error = CAST(x'3c693e80ff' AS TEXT) || char(10) || '</td>', reason = '<u>' WHERE reason IS NOT NULL;
	END
	run_prog hook-admin -q q report
	want_code 0
	well_formed "$OUT"
	if grep -Ei '<(script|img|b|i|u)>|<img' "$OUT"; then false; fi
	grep -q '&lt;script&gt;alert(1)' "$OUT"
	if LC_ALL=C grep -q $'\e\|\u202e' "$OUT"; then false; fi
	grep -qF '&lt;/script&gt;\xe2\x80\xae&quot;' "$OUT"
	# A page is UTF-8 as a whole.
	iconv -f UTF-8 -t UTF-8 "$OUT" >/dev/null
}

@test "an empty queue, an old one, a registry beside it" {
	ev-deliver -q q --enqueue </dev/null
	run_prog hook-admin -q q report
	want_code 0
	well_formed "$OUT"
	grep -q 'None is known' "$OUT"
	echo '[{"id":"never","url":"http://a.example/x?t=1","subscriptions":"ping"},
		{"id":"off","url":"http://b.example/","subscriptions":"ping","disabled":true}]' >w.json
	hook-admin -q q -w w.json report >page
	well_formed page
	text page >shown
	grep -qx never shown
	grep -qx off shown
	grep -q 'http://a.example/x' page
	if grep -q 't=1' page; then false; fi
	hook-admin -q q report --since 3650d >page
	well_formed page
	hook-admin -q q report --since 5m >page
	well_formed page
}

@test "--output replaces a file as a whole; wrong usage" {
	ev-deliver -q q --enqueue </dev/null
	printf '<!DOCTYPE html>\nold' >page
	run_prog hook-admin -q q --output page report
	want_code 0
	[ ! -s "$OUT" ]
	well_formed page
	[ "$(stat -c %a page)" = 644 ]
	# Bars of half a day; but what is counted begins with --since, and so it says.
	day=$(date -u -d '20 days ago' +%F)
	hook-admin -q q --since "${day}T17:30:00Z" report |
		grep -q ", from <time datetime=\"${day}T17:00:00.000Z\">"
	# The queue itself, by a slip of the pen.
	cp q before
	run_prog hook-admin -q q --output q report
	want_code 3
	grep -q "cannot write 'q': it holds something else, which is kept" "$ERR"
	same before q
	run_prog hook-admin -q q --output no/such/page report
	want_code 3
	run_prog hook-admin report
	want_code 2
	run_prog hook-admin -q none report
	want_code 2
	[ ! -e none ]
	run_prog hook-admin -q q --since 2999-01-01T00:00:00Z report
	want_code 2
	if [ -e /dev/full ]; then
		code=0
		hook-admin -q q report >/dev/full 2>said || code=$?
		[ "$code" -eq 3 ]
	fi
}

# A statement of store/summary.c.
sql() { # NAME
	awk -v name="static const char $1[] =" '$0 == name { on = 1; next }
		on { print } on && /;$/ { exit }' "$REPO/src/store/summary.c" |
		sed 's/^ *"//; s/";*$//' | tr -d '\n'
}

@test "calls and attempts are found by indexes, not walked through" {
	ev-deliver -q q --enqueue </dev/null
	local name index
	# The dead of one lane; those of all.
	for name in failures_sql:call_dead dead_sql:call_died; do
		index=${name#*:} name=${name%:*}
		[ -n "$(sql $name)" ]
		sqlite3 q "EXPLAIN QUERY PLAN $(sql $name)" >plan
		if grep -E 'SCAN (call|c|d|attempt|a|b)$' plan; then cat plan >&2; false; fi
		grep -q "$index" plan
	done
	sqlite3 q "EXPLAIN QUERY PLAN $(sql hours_sql)" >plan
	grep -q hour plan
}

@test "in a browser: as wide as a phone, no error" {
	command -v chromium || skip "no chromium here"
	delivered
	sqlite3 q "UPDATE lane SET origin = 'http://' || printf('%.*c', 200, 'x') || '.example' WHERE origin IS NOT NULL"
	hook-admin -q q report >report.html
	cat >frame.html <<-'END'
	<!DOCTYPE html><title>waiting</title>
	<iframe id="f" width="360" height="800" src="report.html"></iframe>
	<script>onload = () => {
		const d = document.getElementById("f").contentDocument;
		document.title = [d.documentElement.scrollWidth <= 360, d.scripts.length,
			d.querySelectorAll("svg.chart").length].join();
	}</script>
	END
	timeout 100 chromium --headless --no-sandbox --disable-gpu --disable-quic \
		--no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --allow-file-access-from-files \
		--user-data-dir="$PWD/profile" --virtual-time-budget=5000 --dump-dom \
		"file://$PWD/frame.html" >dom 2>err 3>&- 4>&- </dev/null
	grep -q '<title>true,0,2</title>' dom || { cat dom err >&2; false; }
}
