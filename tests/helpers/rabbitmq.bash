# RabbitMQ nodes for tests: on loopback, with files of their own, ended by pid.
# shellcheck shell=bash

RABBIT_HOME=${RABBIT_HOME:-/usr/lib/rabbitmq}

has_rabbitmq() {
	[ -x "$RABBIT_HOME/bin/rabbitmq-server" ] && command -v erl >/dev/null
}

# rabbit_env DIR NODE: how a node is told where all is. Sets RABBIT (an array).
rabbit_env() {
	local port=$((RABBIT_BASE + 10 * $2))
	RABBIT=(env HOME="$1" RABBITMQ_NODENAME="n$2_$RABBIT_BASE@localhost"
		RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$port"
		RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_PORT=$((RABBIT_BASE + 2))
		ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE="$1/mnesia"
		RABBITMQ_LOG_BASE="$1/log" RABBITMQ_PID_FILE="$1/pid.$2"
		RABBITMQ_CONFIG_FILE="$1/rabbitmq" RABBITMQ_ENABLED_PLUGINS_FILE="$1/plugins"
		RABBITMQ_CONF_ENV_FILE="$1/env" RABBITMQ_FEATURE_FLAGS_FILE="$1/flags.$2"
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none"
		RABBITMQ_CTL_ERL_ARGS="+S 1:1")
}

# rabbit_base: fifty ports for epmd and the nodes, below those that the system gives
# to who connects, and free as far as can be seen. Sets RABBIT_BASE.
rabbit_base() {
	local port
	while :; do
		RABBIT_BASE=$((20000 + (RANDOM % 250) * 50))
		for port in 2 10 11 20 21 30 31 45; do
			if (exec 9<>"/dev/tcp/127.0.0.1/$((RABBIT_BASE + port))") 2>/dev/null; then
				continue 2
			fi
		done
		break
	done
	export RABBIT_BASE
}

# rabbit_start DIR NODE [CONFIG-LINE…]: a node, again perhaps; the first call's lines
# count. Sets RABBIT_PORT; its id is in DIR/beam.NODE.
rabbit_start() {
	local dir=$1 node=$2
	[ -n "${RABBIT_BASE:-}" ] || rabbit_base
	mkdir -p "$dir"
	if [ ! -e "$dir/rabbitmq.conf" ]; then
		: >"$dir/env"
		echo '[].' >"$dir/plugins"
		printf '%s\n' 'loopback_users.guest = true' \
			'log.file.level = warning' "${@:3}" >"$dir/rabbitmq.conf"
	fi
	rabbit_env "$dir" "$node"
	"${RABBIT[@]}" "$RABBIT_HOME/bin/rabbitmq-server" >"$dir/out.$node" 2>&1 \
		</dev/null 3>&- 4>&- &
	echo $! >"$dir/beam.$node"
	disown $!
	RABBIT_PORT=$((RABBIT_BASE + 10 * node))
}

# rabbit_ctl DIR NODE COMMAND…
rabbit_ctl() {
	rabbit_env "$1" "$2"
	"${RABBIT[@]}" "$RABBIT_HOME/bin/rabbitmqctl" -q "${@:3}" 3>&- 4>&-
}

# rabbit_wait DIR NODE: until it takes connections.
rabbit_wait() {
	local end=$((SECONDS + ${DEADLINE:-20} * 5))
	until (exec 9<>"/dev/tcp/127.0.0.1/$((RABBIT_BASE + 10 * $2))") 2>/dev/null; do
		if ((SECONDS > end)); then
			tail -n 20 "$1/out.$2" >&2
			return 1
		fi
		sleep 0.1
	done
}

# rabbit_kill DIR NODE: SIGKILL to the whole node.
rabbit_kill() {
	local pid
	for pid in $(rabbit_pids "$1" "$2"); do
		kill -9 "$pid" 2>/dev/null || true
	done
}

# The node's processes: the shell, the emulator and what that started.
rabbit_pids() {
	local pid child
	pid=$(<"$1/beam.$2")
	echo "$pid"
	for child in $(pgrep -P "$pid"); do
		echo "$child"
		pgrep -P "$child" || true
	done
}

# rabbit_stop DIR: all nodes, and their epmd.
rabbit_stop() {
	local file pid
	for file in "$1"/beam.*; do
		[ -e "$file" ] || continue
		rabbit_kill "$1" "${file##*.}"
	done
	# It was started by a node, and belongs to our port alone.
	for pid in $(pgrep -x epmd); do
		if tr "\0" "\n" 2>/dev/null <"/proc/$pid/environ" |
			grep -qx "ERL_EPMD_PORT=${RABBIT_BASE:-0}2" ||
			tr "\0" "\n" 2>/dev/null <"/proc/$pid/environ" |
			grep -qx "ERL_EPMD_PORT=$((${RABBIT_BASE:-0} + 2))"; then
			kill "$pid" 2>/dev/null || true
		fi
	done
}
