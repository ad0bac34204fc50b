# The validators that ev-validate is compared with, for schema*.sh. They come
# from npm, and only when asked for: SCHEMA_PEERS names the folder, outside of
# the tree, that they are installed into and found in the next time.

# Sets $sourcemeta to its program, and $NODE_PATH for ajv; 1: not asked for.
find_peers() {
	local program
	[ -n "${SCHEMA_PEERS:-}" ] || return 1
	command -v node >/dev/null && command -v npm >/dev/null || {
		echo "schema: SCHEMA_PEERS is set, but there is no node or npm" >&2
		exit 1
	}
	mkdir -p "$SCHEMA_PEERS"
	export NODE_PATH=$SCHEMA_PEERS/node_modules
	[ -d "$NODE_PATH/@sourcemeta/jsonschema" ] && [ -d "$NODE_PATH/ajv" ] ||
		(cd "$SCHEMA_PEERS" && npm install --no-audit --no-fund \
			--loglevel=error @sourcemeta/jsonschema ajv@8 >/dev/null)
	# The program itself: the package's wrapper would cost a start of node.
	program=jsonschema-$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m |
		sed 's/aarch64/arm64/')
	sourcemeta=$NODE_PATH/@sourcemeta/jsonschema/build/github-releases/$program
	[ -x "$sourcemeta" ] || chmod +x "$sourcemeta"
}

peer_versions() {
	node -p '["@sourcemeta/jsonschema", "ajv"].map((name) =>
		name + " " + require(name + "/package.json").version).join(", ") +
		", node " + process.versions.node'
}
