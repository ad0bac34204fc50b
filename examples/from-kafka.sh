#!/bin/sh
# Moves what is in a Kafka topic into the event queue, until SIGTERM:
#
#   examples/from-kafka.sh BROKERS TOPIC POSITIONS EVENTS
#
# by kcat; what else it needs to connect (TLS, passwords) stands in the file that
# KCAT_CONFIG names, and so in no command line.
#
# The file POSITIONS has the next offset of each partition, and is replaced when
# ev-push says that the events before are on disk. (kcat -G would commit offsets of
# messages that are in the pipe.) Killed in between, we read the same again, and
# ev-push absorbs it: an event without an id gets one made of topic, partition, offset
# and time. Without POSITIONS we begin with the oldest. What is no event goes to
# $EV_REJECTS, else POSITIONS.rejects.
set -u
brokers=${1:?BROKERS} topic=${2:?TOPIC} positions=${3:?POSITIONS} events=${4:?EVENTS}
: "${MAX_WAIT_MS:=5000}" "${BATCH:=5000}" "${EV_REJECTS:=$positions.rejects}"

say() {
	echo "${0##*/}: $*" >&2
}

for program in kcat jq ev-push; do
	command -v "$program" >/dev/null || {
		say "there is no $program here"
		exit 2
	}
done
dir=$(mktemp -d) || exit 3
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

position() { # PARTITION
	[ ! -e "$positions" ] || awk -v p="$1" '
		!/^[0-9]+ [0-9]+$/ { bad = 1 }
		$1 == p { at = $2 }
		END { if (bad || !NR) exit 1; print at }' "$positions" || {
		say "$positions is damaged: correct it, a line with partition and" \
			"next offset each, or remove it to begin with the oldest"
		return 1
	}
}
save() { # PARTITION OFFSET
	{
		[ ! -e "$positions" ] || awk -v p="$1" '$1 != p' "$positions"
		echo "$1 $2"
	} >"$positions.new" && sync "$positions.new" &&
		mv "$positions.new" "$positions" || exit 3
}

consume() { # PARTITION FROM: messages in $dir/got, at most $BATCH
	# An offset that is no more there: the oldest, not the newest.
	timeout 60 kcat -C -q -J -b "$brokers" -t "$topic" -p "$1" \
		-o "${2:-beginning}" -c "$BATCH" -e \
		-X topic.auto.offset.reset=earliest -X fetch.wait.max.ms=100 \
		>"$dir/got" &
	await
}

# What is parsed is only looked at: bytes stay as they are. A message that is none is
# named by a string, which ev-push refuses.
to_events() { # MAY_BE_BROKEN
	jq -c --argjson broken "$1" '
		def one_line: gsub("[\r\n]"; " ");
		def at: "\(.topic), partition \(.partition), offset \(.offset)";
		. as $m | .payload |
		if . == null then "without a message: \($m | at)" | tojson
		elif $broken and contains("\ufffd") then
			"not UTF-8: \($m | at)" | tojson
		else . end | one_line |
		(fromjson? // null) as $v |
		if ($v | type) == "string" and ($v | test("^\\s*\\{"))
		then $v | one_line else . end |
		if test("^\\s*$") then "\"\"" else . end |
		(fromjson? // null) as $v |
		if ($v | type) == "object" and ($v | has("name") and (has("id") | not))
		then sub("^\\s*\\{"; "{\"id\":\("\($m.topic[:200])-\($m.partition
			)-\($m.offset)-\($m.ts)" | tojson),")
		else . end' -r "$dir/got"
}

push() { # PARTITION
	broken=false
	iconv -f UTF-8 -t UTF-8 "$dir/got" >/dev/null 2>&1 || broken=true
	to_events "$broken" >"$dir/events" || exit 3
	while :; do
		code=0
		ev-push -q "$events" -r "$EV_REJECTS" "$dir/events" || code=$?
		[ "$code" -gt 2 ] && [ -z "$stop" ] || break
		say "ev-push ended with $code; trying again"
		pause
	done
	[ "$code" -ne 2 ] || exit 2
	[ "$code" -gt 2 ] ||
		save "$1" "$(tail -n 1 "$dir/got" | jq '.offset + 1')"
}

while [ -z "$stop" ]; do
	idle=1
	kcat -L -q -J -b "$brokers" -t "$topic" >"$dir/topic" &
	if await; then
		jq -r '.topics[].partitions[].partition' "$dir/topic" \
			>"$dir/partitions" || exit 3
	else
		: >"$dir/partitions"
	fi
	while [ -z "$stop" ] && read -r partition <&3; do
		from=$(position "$partition") || exit 2
		consume "$partition" "$from" || continue # kcat said why
		[ -s "$dir/got" ] || continue
		idle='' wait_ms=100
		push "$partition"
	done 3<"$dir/partitions"
	[ -z "$idle" ] || [ -n "$stop" ] || pause
done
