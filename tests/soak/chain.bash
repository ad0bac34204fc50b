# From ev-push to the receiver under SIGKILL, for the soaks of the event queue: events
# are pushed, pulled through all stages and delivered, while random processes of the
# chain are killed: the pusher, ev-pull, its shell, each stage. Then every event must
# have been received and acknowledged, and none be a dead letter; what was received
# twice is counted. In a folder of its own.
#
# The soak sets $queue (ev-push's -q), and defines `left` (how many events are in it)
# and, if more is to be killed, `kill_more` (each tenth time).
# shellcheck shell=bash disable=SC2154

jobs=()
end_chain() {
	touch stop
	local pid
	for pid in "${jobs[@]}" $(cat ./*.pid 2>/dev/null); do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
}

# Chunks of events with ids, each pushed until that works.
push() {
	local file pid
	for file in chunk.*; do
		while [ ! -e stop ]; do
			ev-push -q "$queue" "$file" 2>>push.err &
			pid=$!
			echo "$pid" >push.pid
			! wait "$pid" || break
			sleep 0.05
		done
	done
	rm -f push.pid
}
pull() {
	local pid
	while [ ! -e stop ]; do
		EV_REJECTS=$PWD/rejects ev-pull -q "$queue" -- sh -c 'ev-validate |
			ev-map -w w.json | ev-route -w w.json | ev-deliver -w w.json \
			-q queue --allow-net 127.0.0.0/8' >>results 2>>pull.err &
		pid=$!
		echo "$pid" >pull.pid
		wait "$pid" || true
		sleep 0.05
	done
}

# One of the chain that runs now.
victim() {
	local pull shell=
	pull=$(cat pull.pid 2>/dev/null || true)
	[ -z "$pull" ] || shell=$(pgrep -P "$pull" | head -n 1 || true)
	{
		cat push.pid 2>/dev/null || true
		[ -z "$pull" ] || echo "$pull"
		[ -z "$shell" ] || { echo "$shell"; pgrep -P "$shell" || true; }
	} | shuf -n 1
}
kill_one() {
	local pid name
	pid=$(victim)
	name=$(cat "/proc/${pid:-none}/comm" 2>/dev/null || true)
	[ -n "$name" ] && kill -9 "$pid" 2>/dev/null && echo "$name" >>killed
}

# run_chain EVENTS KILLS
run_chain() {
	local events=$1 kills=$2 n=0 i push_job pull_job dead pid said=
	hook-sink --listen 127.0.0.1:0 --port-file port >sink 2>sink.err &
	jobs+=($!)
	for ((i = 0; i < 500; i++)); do
		[ ! -s port ] || break
		sleep 0.02
	done
	cat >w.json <<-JSON
		[{"id":"wh1","url":"http://127.0.0.1:$(cat port)/","subscriptions":["ping"],
		  "attributes":{"name":"one"}}]
	JSON
	awk -v n="$events" 'BEGIN { for (i = 1; i <= n; i++) printf \
		"{\"id\":\"01939b1e-7c5a-7abc-8def-%012d\",\"name\":\"ping\"," \
		"\"payload\":{\"name\":\"one\",\"n\":%d}}\n", i, i }' |
		split -l $((events / 20 + 1)) - chunk.
	push 2>/dev/null &
	push_job=$!
	pull 2>/dev/null &
	pull_job=$!
	jobs+=("$push_job" "$pull_job")
	while [ "$n" -lt "$kills" ]; do
		sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
		if ((n % 10 == 9)) && declare -F kill_more >/dev/null; then
			kill_more
			n=$((n + 1))
		elif kill_one; then
			n=$((n + 1))
		fi
	done

	# To the end, undisturbed.
	wait "$push_job"
	for ((i = 0; i < 6000; i++)); do
		[ "$(left)" -gt 0 ] || break
		sleep 0.1
	done
	touch stop
	# The last one killed may just be followed by another.
	while kill -0 "$pull_job" 2>/dev/null; do
		pid=$(cat pull.pid)
		[ "$pid" = "$said" ] || ! kill "$pid" 2>/dev/null || said=$pid
		sleep 0.05
	done
	wait "$pull_job" || true
	timeout 600 ev-deliver -w w.json -q queue --allow-net 127.0.0.0/8 --drain \
		>>results 2>>deliver.err || true

	sort killed | uniq -c | sed 's/^/killed/'
	grep -oE 'n[\]":[0-9]+' sink | grep -oE '[0-9]+' | sort -n >received
	sort -nu received >distinct
	dead=$(ev-pull -q "$queue" --dead | wc -l)
	echo "$events events, $(wc -l <distinct) received," \
		"$(($(wc -l <received) - $(wc -l <distinct))) of them repeated," \
		"$(left) unacknowledged, $dead dead letters, $(wc -l <killed) kills"
	seq "$events" >want
	if ! cmp -s want distinct || [ "$dead" -gt 0 ] || [ "$(left)" -gt 0 ]; then
		diff want distinct | head -n 20
		tail -n 20 pull.err
		echo "lost or left behind"
		return 1
	fi
}
