#!/bin/sh
# Pushes what was appended to a log file since the last time, an event a line:
#
#   examples/from-log.sh LOG EVENTS [NAME]
#
# by cron, or by a path unit of systemd (PathModified=LOG). LOG.pushed holds how far
# it came: the file's inode, the offset, and when the file was new. It is written
# when the events are on disk. Killed in between it pushes the same again: the ids
# are made of time and offset, and ev-push absorbs what it has. A line without its
# newline waits for it; what a rotation moved to LOG.1 is finished first. What ev-push
# refuses, such as a line of over a MiB, goes to $EV_REJECTS, else LOG.rejects. While
# one of us is at it, the next leaves it to him.
set -eu
log=$1 events=$2 name=${3:-log:line}
exec 9>>"$log.lock"
flock -n 9 || exit 0

save() { # INODE OFFSET SINCE
	echo "$1 $2 $3" >"$log.pushed.new"
	mv "$log.pushed.new" "$log.pushed"
}

push_from() { # FILE INODE OFFSET SINCE
	bytes=$(($(stat -c %s "$1") - $3))
	lines=$(tail -c "+$(($3 + 1))" "$1" | head -c "$bytes" | wc -l)
	[ "$lines" -gt 0 ] || return 0
	tail -c "+$(($3 + 1))" "$1" | head -n "$lines" >"$log.new"
	LC_ALL=C awk -v at="$3" '{ print at "\t" $0; at += length($0) + 1 }' \
		"$log.new" |
		jq -Rc --arg name "$name" --arg since "$4" '
			capture("^(?<at>[0-9]+)\t(?<line>.*)$") |
			{ name: $name, id: "\($since)-\(.at)",
			  payload: { line: .line } }' >"$log.events"
	[ "$(wc -l <"$log.events")" -eq "$lines" ] || exit 3
	code=0
	ev-push -q "$events" -r "${EV_REJECTS:-$log.rejects}" "$log.events" ||
		code=$?
	[ "$code" -le 1 ] || exit "$code"
	save "$2" "$(($3 + $(wc -c <"$log.new")))" "$4"
	rm -f "$log.new" "$log.events"
}

inode=$(stat -c %i "$log")
was='' offset=0 since=''
if [ -s "$log.pushed" ]; then
	read -r was offset since <"$log.pushed"
fi
if [ -n "$was" ] && [ "$was" != "$inode" ] && [ -e "$log.1" ] &&
	[ "$(stat -c %i "$log.1")" = "$was" ]; then
	push_from "$log.1" "$was" "$offset" "$since"
fi
# Another file, or one that was cut: it has marks of its own.
if [ "$was" != "$inode" ] || [ "$(stat -c %s "$log")" -lt "$offset" ]; then
	offset=0 since=$(date +%s%N)
	save "$inode" 0 "$since"
fi
push_from "$log" "$inode" "$offset" "$since"
