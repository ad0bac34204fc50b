#!/bin/sh
# Moves the messages of an Azure Storage Queue into the event queue, until SIGTERM:
#
#   examples/from-azure-queue.sh URL SAS_FILE EVENTS
#
# URL is https://ACCOUNT.queue.core.windows.net/QUEUE. SAS_FILE holds an account SAS
# for queues (sv=...&sig=...; srt=co, sp=acp); it is read anew for each request, and
# given to curl through a pipe: ps(1) does not show it.
#
# Messages are JSON or base64 of JSON, an event or a string that holds one. One is
# deleted when ev-push says that its event is on disk. Killed in between, we get it
# again after $VISIBILITY seconds, and ev-push absorbs it: an event without an id is
# given the message's. What ev-push refuses goes to QUEUE-poison as it came; so does a
# message that was handed out more than $MAX_DEQUEUES times and of which ev-push dies
# with nothing beside it. A disk that is full sentences nobody: we wait.
set -u
url=${1:?URL} sas_file=${2:?SAS_FILE} events=${3:?EVENTS}
: "${VISIBILITY:=300}" "${MAX_DEQUEUES:=5}" "${MAX_WAIT_MS:=30000}"

say() {
	echo "${0##*/}: $*" >&2
}
die() {
	say "$@"
	exit 2
}

case $url in
*[!A-Za-z0-9:/._-]*) die "the URL is that of a queue, without a query" ;;
https://*/*) ;;
http://127.0.0.1:*/*) ;; # azurite
*) die "the URL must be https://ACCOUNT.queue.core.windows.net/QUEUE" ;;
esac
for program in curl jq ev-push; do
	command -v "$program" >/dev/null || die "there is no $program here"
done
case $sas_file in /*) ;; *) sas_file=$PWD/$sas_file ;; esac
case $events in /* | *://*) ;; *) events=$PWD/$events ;; esac
dir=$(mktemp -d) && cd "$dir" || exit 3
stop='' child=''
trap 'rm -rf "$dir"' EXIT
trap 'stop=1; [ -z "$child" ] || kill "$child" 2>/dev/null' TERM INT HUP

# What was started last; a signal ends it.
await() {
	child=$!
	wait "$child"
	code=$?
	child=''
	return "$code"
}

wait_ms=100
pause() { # longer each time, until something came
	sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))" &
	await || :
	wait_ms=$((wait_ms * 2))
	[ "$wait_ms" -le "$MAX_WAIT_MS" ] || wait_ms=$MAX_WAIT_MS
}

read_sas() {
	sas=''
	IFS= read -r sas <"$sas_file" || [ -n "$sas" ] ||
		die "$sas_file holds no shared access signature"
	sas=${sas#\?}
	case $sas in
	*[!A-Za-z0-9%=\&_.:,~+/-]*) die "$sas_file holds more than a signature" ;;
	esac
}
config() { # METHOD TARGET [QUERY]: for curl -K
	printf 'url = "%s?%s%s"\nrequest = %s\n' "$2" "${3:+$3&}" "$sas" "$1"
	printf '%s\n' 'output = answer' 'write-out = "%{http_code}\n"' \
		'connect-timeout = 10' 'max-time = 60'
	[ "$1" = GET ] || echo 'retry = 2'
}
answered() { # STATUS: 0 well, 1 try later; wrong set-ups are the end
	case $1 in
	2??) return 0 ;;
	'' | 000 | 408 | 429 | 5??)
		say "the queue service answered ${1:-nothing}; trying again"
		return 1
		;;
	esac
	die "the queue service answered $1" \
		"$(sed -n 's/.*<Code>\([A-Za-z]*\)<.*/\1/p' answer)"
}

# fetch: up to 32 messages: lines of `messages` (id, receipt, count), `texts` (as they
# are in XML) and `events`.
fetch() {
	read_sas
	config GET "$url/messages" \
		"numofmessages=32&visibilitytimeout=$VISIBILITY" |
		exec curl -q -sS -K - >status &
	await || { [ -n "$stop" ] || answered ''; return 1; }
	answered "$(cat status)" || return 1
	LC_ALL=C awk 'BEGIN { RS = "<" }
		{ tag = $0; sub(/>.*/, "", tag); text = substr($0, length(tag) + 2) }
		tag == "QueueMessage" { id = receipt = raw = ""; count = 1 }
		tag == "MessageId" { id = text }
		tag == "PopReceipt" { receipt = text }
		tag == "DequeueCount" { count = text + 0 }
		tag == "MessageText" {
			raw = text
			gsub(/\t/, "\\&#9;", raw)
			gsub(/\n/, "\\&#10;", raw)
			gsub(/\r/, "\\&#13;", raw)
		}
		tag == "/QueueMessage" && id != "" && receipt != "" {
			print id "\t" receipt "\t" count "\t" raw
		}' answer >lines || exit 3
	jq -Rr '
		# Bytes stay as they are: what is parsed is only looked at.
		def one_line: gsub("[\r\n]"; " ");
		def unescaped: gsub("&#(x0*[9aAdD]|0*(9|10|13));"; " ") |
			gsub("&lt;"; "<") | gsub("&gt;"; ">") |
			gsub("&quot;"; "\"") | gsub("&apos;"; "\u0027") |
			gsub("&amp;"; "&");
		def decoded: gsub("\\s"; "") as $base64 |
			($base64 | try (@base64d | select(@base64 == $base64))
				catch empty) // .;
		split("\t") as [$id, $receipt, $count, $raw] | $raw | unescaped |
		if test("^\\s*[{\"]") then . else decoded end | one_line |
		(fromjson? // null) as $v |
		if ($v | type) == "string" then $v | one_line else . end |
		if test("^\\s*$") then "\"\"" else . end | # to be refused, too
		(fromjson? // null) as $v |
		if ($v | type) == "object" and ($v | has("name") and (has("id") | not))
		then sub("^\\s*\\{"; "{\"id\":\($id | tojson),") else . end |
		"\($id | @uri) \($receipt | @uri) \($count)", $raw, .' \
		lines >all || { say "jq failed"; exit 3; }
	awk 'NR % 3 == 1 { print >"messages" } NR % 3 == 2 { print >"texts" }
		NR % 3 == 0 { print >"events" }' all || exit 3
}

poison() { # LINE ID: its text goes to QUEUE-poison
	{
		printf '<QueueMessage><MessageText>'
		sed -n "$1p" texts | tr -d '\n'
		printf '</MessageText></QueueMessage>'
	} >poison
	for round in 1 2; do
		{
			config POST "$url-poison/messages" messagettl=-1
			echo 'data-binary = "@poison"'
		} | curl -q -sS -K - >status
		status=$(cat status)
		[ "$status" = 404 ] && [ "$round" -eq 1 ] || break
		{ config PUT "$url-poison"; echo 'data = ""'; } |
			curl -q -sS -K - >status
	done
	answered "$status" || return 1 # it comes again
	say "message $2 is in ${url##*/}-poison now"
}

# settle FIRST LAST WHO: of these the events are on disk, but those of the lines in
# WHO, which are poison; deleted are all.
settle() {
	read_sas
	n=0
	: >deletions
	while read -r id receipt count; do
		n=$((n + 1))
		[ "$n" -ge "$1" ] && [ "$n" -le "$2" ] || continue
		case " $3 " in
		*" $((n - $1 + 1)) "*) poison "$n" "$id" || continue ;;
		esac
		[ ! -s deletions ] || echo next
		config DELETE "$url/messages/$id" "popreceipt=$receipt"
	done <messages >>deletions
	[ -s deletions ] || return 0
	curl -q -sS -K - <deletions >status || :
	# 404 and 400: it was too late, and the message comes again, or is gone.
	failed=$(grep -vc -e '^2' -e 404 -e 400 status) || return 0
	say "$failed messages are on disk, but could not be deleted" \
		"($(tail -n 1 status)); they come again and are absorbed"
}

push() { # FIRST LAST COUNT
	sed -n "$1,$2p" events >now
	while :; do
		: >rejects
		code=0
		ev-push -q "$events" -r rejects now || code=$?
		[ "$code" -eq 3 ] && [ -z "$stop" ] || break
		pause
	done
	case $code in
	0) settle "$1" "$2" '' ;;
	1) settle "$1" "$2" "$(jq .line rejects | tr '\n' ' ')" ;;
	2 | 126 | 127) exit 2 ;;
	3) ;;
	*)
		[ -z "$stop" ] || return 0
		say "ev-push ended with $code"
		# Of this message, if of nothing it does not.
		if [ "$3" -gt "$MAX_DEQUEUES" ] && ev-push -q "$events" </dev/null
		then
			settle "$1" "$2" 1
		fi
		;;
	esac
}

while [ -z "$stop" ]; do
	rm -f messages texts events
	if ! fetch || [ ! -s messages ]; then
		[ -n "$stop" ] || pause
		continue
	fi
	wait_ms=100
	if awk -v max="$MAX_DEQUEUES" '$3 > max { n++ } END { exit !n }' \
		messages; then
		# One of them may be deadly: each by itself.
		at=0
		while read -r id receipt count <&3; do
			at=$((at + 1))
			push "$at" "$at" "$count"
		done 3<messages
	else
		push 1 "$(awk 'END { print NR }' messages)" 0
	fi
done
