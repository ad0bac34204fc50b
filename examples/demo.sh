#!/bin/bash
# Watch events reach webhooks: three receivers, the example registry pointed at
# them, the example events through the pipe one step at a time. Exits 1 when a
# call is missing or one too many. Run by `make demo`; BIN is its first argument.
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${1:-$here/../bin}:$PATH
export EV_CATALOG=$here/catalog
unset EV_WEBHOOKS EV_REJECTS

work=$(mktemp -d) || exit 3
sinks=()
clean_up() {
	for pid in "${sinks[@]}"; do
		kill "$pid" 2>/dev/null
	done
	wait
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

bold='' dim='' plain=''
if [ -t 1 ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
say() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}
show() { # a file of records, cut to the width of a terminal
	[ -s "$1" ] || echo "  (nothing)"
	sed 's/^/  /' "$1" | cut -c 1-110
}

say "Three receivers, each on a port of its own"
for n in 1 2 3; do
	hook-sink --listen 127.0.0.1:0 --port-file "$work/port$n" \
		>"$work/got$n" 2>"$work/err$n" &
	sinks+=($!)
done
for n in 1 2 3; do
	for _ in $(seq 250); do
		[ -s "$work/port$n" ] && break
		sleep 0.02
	done
	[ -s "$work/port$n" ] || { cat "$work/err$n" >&2; exit 3; }
	echo "  wh$n: http://127.0.0.1:$(<"$work/port$n")/wh$n"
done

# The example's ports are 9001 to 9003; here they are what the system gave.
sed -e "s/:9001/:$(<"$work/port1")/" -e "s/:9002/:$(<"$work/port2")/" \
	-e "s/:9003/:$(<"$work/port3")/" "$here/webhooks.json" >"$work/webhooks.json"
say "The registry (examples/webhooks.json)"
hook-admin -w "$work/webhooks.json" list --json |
	jq -r '"  \(.id)  wants \(.subscriptions | join(", "))  as \(.attributes)"'

say "1. The events (examples/events/*.ndjson)"
cat "$here"/events/*.ndjson >"$work/events"
show "$work/events"

say "2. ev-validate: which of them are events that we accept?"
ev-validate -r "$work/rejects" "$work/events" >"$work/valid" 2>/dev/null
echo "  $(wc -l <"$work/valid") pass, byte for byte; $(wc -l <"$work/rejects") are rejected:"
jq -r '"  line \(.line): \(.reason): \(.error)"' "$work/rejects"

say "3. ev-map: non-public events become public ones"
ev-map -w "$work/webhooks.json" "$work/valid" >"$work/public"
show "$work/public"

say "4. ev-route: a call for each webhook that wants the event"
ev-route -w "$work/webhooks.json" "$work/public" >"$work/calls"
jq -r '"  \(.event | .[:20])  ->  \(.webhook)  \(.body | tojson)"' "$work/calls"

say "5. ev-deliver: POST them"
# Addresses of this machine are refused unless they are allowed.
ev-deliver -w "$work/webhooks.json" --allow-net=127.0.0.0/8 "$work/calls" \
	>"$work/results"
jq -r '"  \(.outcome) \(.status // .reason)  \(.url)  in \(.duration_ms) ms"' \
	"$work/results"

say "6. What the receivers got"
for n in 1 2 3; do
	jq -r --arg n "$n" '"  wh\($n)  \(.method) \(.target)  \(.body)"' \
		"$work/got$n"
done

# wh1 and wh2 are pinged by name and by ping:all; wh2 and wh3 hear of the Citizen
# whose profile was completed, and of the one who changed to AUTO; wh2, of the
# one who subscribed. Nobody hears of MANUAL or of a service without a webhook.
cat >"$work/want" <<-'END'
	wh1 {"name":"ping","payload":{}}
	wh1 {"name":"ping","payload":{}}
	wh2 {"name":"ping","payload":{"note":"extra members stay in the body"}}
	wh2 {"name":"ping","payload":{}}
	wh2 {"name":"service:subscribed","payload":{"fiscalCode":"QZXWVK12B07M310T"}}
	wh2 {"name":"service:subscribed","payload":{"fiscalCode":"QZXWVK12B07M310T"}}
	wh2 {"name":"service:subscribed","payload":{"fiscalCode":"QZXWVK12B07M310T"}}
	wh3 {"name":"service:subscribed","payload":{"fiscalCode":"QZXWVK12B07M310T"}}
	wh3 {"name":"service:subscribed","payload":{"fiscalCode":"QZXWVK12B07M310T"}}
END
for n in 1 2 3; do
	jq -r --arg n "$n" '"wh\($n) \(.body)"' "$work/got$n"
done | LC_ALL=C sort >"$work/got"
if ! LC_ALL=C sort "$work/want" | diff - "$work/got" >"$work/diff"; then
	say "Not every call arrived as it should have (< missing, > too many):"
	cat "$work/diff"
	exit 1
fi
if [ "$(wc -l <"$work/rejects")" -ne 4 ]; then
	say "Not four rejects, as it should be"
	exit 1
fi
say "All $(wc -l <"$work/want") calls arrived, no more and no fewer."
echo "${dim}In one line, with EV_WEBHOOKS and EV_CATALOG set: ev-validate examples/events/*.ndjson | ev-map | ev-route | ev-deliver --allow-net 127.0.0.0/8$plain"
