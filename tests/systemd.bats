#!/usr/bin/env bats
# The services of examples/systemd: well-formed, hardened, and what they start
# works.

load helpers/common

setup() {
	D=$BATS_TEST_TMPDIR/d
	mkdir "$D" "$D-metrics"
	UNITS=("$REPO"/examples/systemd/*.service)
	SOCKETS=("$REPO"/examples/systemd/*.socket)
}

# The units, with what is here in the place of what would be installed.
put_units() {
	local unit
	for unit in "${UNITS[@]}"; do
		sed "s|/usr/local/bin/|$EV_BIN/|g; s|=/usr/local/bin:|=$EV_BIN:|
			s|/usr/local/share/evpipe/catalog|$EV_CATALOG|
			s|/var/lib/evpipe|$D|g; s|/etc/evpipe|$D|g" "$unit" \
			>"$D/$(basename "$unit")"
	done
	cp "${SOCKETS[@]}" "$D"
}

@test "systemd-analyze verify has nothing to say" {
	command -v systemd-analyze || skip "no systemd here"
	put_units
	for unit in "$D"/*.service "$D"/*.socket; do
		systemd-analyze verify --man=no "$unit" >"$D/said" 2>&1 ||
			{ cat "$D/said" >&2; false; }
		# Of other units of this machine it may speak.
		if grep evpipe "$D/said"; then false; fi
	done
}

@test "systemd-analyze security: 2.0 or better" {
	command -v systemd-analyze || skip "no systemd here"
	systemd-analyze security --offline=true --threshold=100 "${UNITS[0]}" \
		>"$D/said" 2>&1 || skip "too old"
	for unit in "${UNITS[@]}"; do
		systemd-analyze security --offline=true --threshold=20 \
			--no-pager "$unit" >"$D/said" 2>&1 ||
			{ tail -n 1 "$D/said" >&2; false; }
		grep -h 'Overall' "$D/said" | sed 's/^[^O]*/# /' >&3
	done
}

# start_unit NAME: what its ExecStart says, with its Environment.
start_unit() {
	local env line
	env=$(sed -n 's/^Environment=//p' "$D/$1.service" | tr '\n' ' ')
	line=$(sed -e ':a' -e '/\\$/{N;s/\\\n[\t ]*//;ba' -e '}' \
		"$D/$1.service" | sed -n 's/^ExecStart=//p' | sed 's/\$\$/$/g')
	# The receiver is on this machine.
	line=${line//-q $D\/queue --serve/-q $D/queue $LOOPBACK --serve}
	line=${line//-q $D\/queue --secrets/-q $D/queue $LOOPBACK --secrets}
	env -i CREDENTIALS_DIRECTORY="$D/credentials" \
		PATH="$PATH" bash -c "export $env; exec $line" \
		>"$D/$1.out" 2>"$D/$1.err" </dev/null 3>&- 4>&- &
	EV_STARTED+=($!)
	PID=$!
}

set_up_service() {
	put_units
	start_sink
	export EV_WEBHOOKS=$D/webhooks
	jq -nc --arg url "http://127.0.0.1:$SINK_PORT/" '{id: "wh1", url: $url,
		subscriptions: ["ping"], attributes: {name: "one"}}' |
		hook-admin add -
	hook-admin secret generate wh1 >"$D/said"
	mkdir "$D/credentials"
	cp "$D/webhooks.secrets" "$D/credentials/secrets"
	chmod 440 "$D/credentials/secrets" # as systemd does
	unset EV_WEBHOOKS
}

push() {
	echo '{"name":"ping","payload":{"name":"one","n":'"$1"'}}' |
		ev-push -q "$D/events"
}

received() {
	[ "$(wc -l <"$SINK_LOG")" -ge "$1" ]
}

# metered NAME…: these have written what they count, each to a file of its own.
metered() {
	local name
	for name; do
		grep -q "service=\"$name\"" "$D-metrics/$name.prom"
	done
	[ "$(find "$D-metrics" -name '*.prom' | wc -l)" -eq $# ]
}

drained() {
	[ "$(sqlite3 "$D/events" 'SELECT count(*) FROM event')" -eq 0 ]
}

@test "two services: an event pushed is received" {
	set_up_service
	start_unit evpipe-pull
	start_unit evpipe-deliver
	push 1
	wait_until received 1 || { cat "$D"/*.err >&2; false; }
	wait_until drained
	push 2
	wait_until received 2
	metered pull validate map route enqueue deliver
	kill "$PID"
	wait "$PID"
}

@test "one service: an event pushed is received" {
	set_up_service
	start_unit evpipe
	push 1
	wait_until received 1 || { cat "$D"/*.err >&2; false; }
	wait_until drained
	push 2
	wait_until received 2
	metered pull validate map route deliver
	kill "$PID"
	wait "$PID"
}

@test "events by HTTP: on a socket that was passed, with a token" {
	command -v systemd-socket-activate || skip "no systemd here"
	put_units
	mkdir "$D/credentials" "$D/metrics"
	echo "shop 0123456789abcdefghij" >"$D/credentials/tokens"
	chmod 440 "$D/credentials/tokens"
	local line port
	line=$(sed -e ':a' -e '/\\$/{N;s/\\\n[\t ]*//;ba' -e '}' \
		"$D/evpipe-listen.service" | sed -n 's/^ExecStart=//p')
	# shellcheck disable=SC2016 # systemd's, not the shell's
	line=${line//'${METRICS}'/$D/metrics}
	# shellcheck disable=SC2016
	line=${line//'${CREDENTIALS_DIRECTORY}'/$D/credentials}
	for port in 18231 18232 18233 18234; do
		# shellcheck disable=SC2086 # a command line
		env CREDENTIALS_DIRECTORY="$D/credentials" systemd-socket-activate \
			-E CREDENTIALS_DIRECTORY -l "127.0.0.1:$port" $line \
			>"$D/said" 2>&1 </dev/null 3>&- 4>&- &
		PID=$!
		EV_STARTED+=("$PID")
		wait_until grep -q -e Listening -e Failed "$D/said"
		grep -q Failed "$D/said" || break
	done
	post() {
		[ "$(curl -s -o "$D/answer" -w '%{http_code}' -d '{"name":"a"}' \
			-H 'Content-Type: application/json' -H "Authorization: Bearer $1" \
			"http://127.0.0.1:$port/events" 3>&- 4>&-)" = "$2" ]
	}
	post 0123456789abcdefghij 202 || { cat "$D/said" >&2; false; }
	post another0123456789 401
	[ "$(sqlite3 "$D/events" 'SELECT count(*) FROM event')" -eq 1 ]
	kill "$PID"
	wait "$PID"
	grep -q 'evpipe_events_pushed_total.* 1$' "$D/metrics/listen.prom"
}

@test "what sysusers and tmpfiles make serves two users and those who push" {
	local root=$D.root etc=$D.root/etc/evpipe var=$D.root/var/lib/evpipe pull gid
	[ "$(id -u)" -eq 0 ] || skip "not root"
	needs setpriv systemd-sysusers systemd-tmpfiles
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR"/../.. "$BATS_TEST_TMPDIR"/..
	mkdir -p "$root"/usr/lib/{sysusers,tmpfiles}.d "$root/etc"
	cp "$REPO/examples/systemd/evpipe.sysusers" \
		"$root/usr/lib/sysusers.d/evpipe.conf"
	cp "$REPO/examples/systemd/evpipe.tmpfiles" \
		"$root/usr/lib/tmpfiles.d/evpipe.conf"
	systemd-sysusers --root="$root"
	systemd-tmpfiles --create --root="$root"
	gid=$(awk -F: '$1 == "evpipe" { print $3 }' "$root/etc/group")
	as() { # USER COMMAND…
		local uid=$1
		shift
		uid=$(awk -F: -v u="$uid" '$1 == u { print $3 }' "$root/etc/passwd")
		exec setpriv --reuid "${uid:-54321}" --regid "$gid" --clear-groups \
			sh -c 'umask 007; exec "$@"' sh "$@" 3>&- 4>&-
	}
	(as nobody "$EV_BIN/ev-push" -V) >/dev/null 2>&1 ||
		skip "others may not run the programs here"
	start_sink
	jq -nc --arg url "http://127.0.0.1:$SINK_PORT/" '{id: "wh1", url: $url,
		subscriptions: ["ping"], attributes: {name: "one"}}' |
		hook-admin -w "$etc/webhooks" add -
	hook-admin -w "$etc/webhooks" secret generate wh1 >"$D/said"
	chgrp "$gid" "$etc/webhooks"
	chmod 640 "$etc/webhooks"
	# As systemd does for LoadCredential.
	install -m 400 -o "$(awk -F: '$1 == "evpipe-deliver" { print $3 }' \
		"$root/etc/passwd")" "$etc/webhooks.secrets" "$root/secrets"
	export EV_WEBHOOKS=$etc/webhooks
	(as evpipe-pull ev-pull -q "$var/events" -- sh -c 'ev-validate | ev-map |
		ev-route | ev-deliver -q "$0" --enqueue' "$var/queue") 2>"$D/pull.err" &
	EV_STARTED+=($!)
	(as evpipe-deliver ev-deliver -q "$var/queue" --serve "$LOOPBACK" \
		--secrets "$root/secrets") >"$D/results" 2>"$D/deliver.err" &
	EV_STARTED+=($!)
	for i in 1 2 3; do
		echo '{"name":"ping","payload":{"name":"one"}}' |
			(as nobody ev-push -q "$var/events")
		wait_until received "$i" || { cat "$D"/*.err >&2; false; }
	done
	echo nonsense | (as nobody ev-push -q "$var/events") || true
	echo '{"name":"none knows"}' | (as nobody ev-push -q "$var/events")
	wait_until test -s "$var/events.rejects"
	# The first user's files are no bar to the second.
	stop_all
	(as evpipe-deliver ev-pull -q "$var/events" --drain -- cat) >"$D/results"
	(as evpipe-pull ev-deliver -q "$var/queue" --enqueue) </dev/null
}

# family PID: and all that it started.
family() {
	local pid
	echo "$1"
	for pid in $(pgrep -P "$1"); do
		family "$pid"
	done
}

@test "one service, idle when all is delivered: nobody is woken in ten seconds" {
	local pids
	set_up_service
	start_unit evpipe
	push 1
	echo '{"name":"ping:all"}' | ev-push -q "$D/events" # starts ev-map's worker
	wait_until received 2 || { cat "$D"/*.err >&2; false; }
	wait_until drained
	mapfile -t pids < <(family "$PID")
	[ "${#pids[@]}" -ge 7 ]
	switches() {
		cat "${pids[@]/%/\/status}" | awk '/ctxt_switches/ { n += $2 }
			END { print n }'
	}
	still() {
		local before
		before=$(switches)
		sleep 11
		[ "$(switches)" = "$before" ]
	}
	cd /proc
	wait_until still
	kill "$PID"
	wait "$PID"
}
