#!/usr/bin/env bats
# README.md: what it shows to be typed is run as it stands, in its order, in one
# shell and one folder, and gives what it says.

load helpers/common

# blocks: block.N, what is typed, and want.N, the output shown right behind it.
blocks() {
	awk '
	/^```sh$/ { text = ""; typed = 1; next }
	/^```$/ && typed { typed = 0; last = text; gap = 0; next }
	/^```$/ && last != "" && gap <= 1 {
		n++
		printf "%s", last >("block." n)
		while ((getline line) > 0 && line != "```")
			print line >("want." n)
		last = ""
		next
	}
	typed { text = text $0 "\n"; next }
	{ gap++ }' "$REPO/README.md"
}

# A port that is free now in the place of the one in the text.
free_port() {
	start_sink
	stop_all
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	ln -s "$REPO/examples" examples
	ln -s "$EV_BIN" bin
}

@test "the commands of README.md give what it shows" {
	blocks
	[ -e block.4 ]
	[ ! -e block.5 ]
	free_port
	sed -i "s/9009/$SINK_PORT/" block.* want.*
	{
		echo 'set -e'
		for n in 1 2 3 4; do
			printf '{\n%s\n} >out.%s 2>&1\n' "$(<"block.$n")" "$n"
		done
	} >typed
	bash typed </dev/null 3>&- 4>&- || { cat out.* >&2; false; }
	# Who receives and who sends say so at the same time.
	for n in 1 2 3 4; do
		diff <(sort "want.$n") <(tr -d '\r' <"out.$n" | sort)
	done
	# Nothing is left of it.
	rm -r bin examples typed {block,want,out}.[1-4] sink.*
	[ -z "$(find . -mindepth 1)" ]
}

@test "the events that README.md names are those of the catalog" {
	sed -n '/^## The events/,/^## The registry/p' "$REPO/README.md" |
		grep -oE '`(ping|[a-z-]+:[a-z-]+)[^`]*`' | tr -d '`' |
		sort -u >named
	hook-admin events | jq -r .name | sort | diff - named
}

@test "each file that README.md names is there" {
	grep -oE '`(man|examples|src)/[a-zA-Z0-9./_-]+' "$REPO/README.md" |
		tr -d '`' | sort -u >named
	[ "$(wc -l <named)" -gt 3 ]
	while read -r file; do
		[ -e "$REPO/$file" ] || { echo "$file" >&2; return 1; }
	done <named
	# And each page and program that there is, it names.
	for p in "${PROGRAMS[@]}"; do
		grep -q "^|.*\`$p\`.*|" "$REPO/README.md"
	done
}
