# The cases observed on the original system (tests/seed), and what evpipe does
# instead where exceptions.json says so.
# shellcheck shell=bash

SEED=$BATS_TEST_DIRNAME/seed

# A text as one line, encoded if it is none by itself.
LINE='def line: if test("[\\n\\r]") or test("^\\s*$") then tojson else . end;'

# cases DIR FILTER FILE…: what the filter makes of each case (with $x, its entry
# in exceptions.json or {}), a folder a case: {"file name": text, …} become files
# in DIR/NAME. One jq for all: starting it takes longer than what it does here.
# jq 1.6 refuses the lone surrogates in members that nobody needs.
cases() {
	local dir=$1 filter=$2 name file text
	shift 2
	set -o pipefail
	mkdir "$dir/.in"
	cp "$@" "$dir/.in"
	sed -i ':a; s/\([^\\]\)\\u[dD][89a-fA-F][0-9a-fA-F]\{2\}/\1?/; ta' \
		"$dir"/.in/json-text-02[78].json 2>/dev/null || true
	jq -r --slurpfile all "$SEED/exceptions.json" "$LINE $NORM"'
		(input_filename | sub(".*/"; "") | rtrimstr(".json")) as $name
		| (($all[0].cases + $all[0].http)[$name] // {}) as $x
		| '"$filter"' | to_entries[]
		| "\($name) \(.key) \(.value | @base64)."' "$dir"/.in/*.json |
		while read -r name file text; do
			mkdir -p "$dir/$name"
			base64 -d <<<"${text%.}" >"$dir/$name/$file"
		done
}

# given_calls FILE: a line a call: url, headers and body in their bytes.
given_calls() {
	local line
	while IFS= read -r line; do
		printf '%s\t%s\n' "${line%%,\"webhook\":*}" "${line#*,\"body\":}"
	done <"$1"
}

# A request as one line: request line, Host and Content-Length, the webhook's
# own headers in order, the body; without what evpipe adds (exceptions.json).
NORM='def has_name($n): ascii_downcase | startswith($n + ":");
def norm($line; $headers; $body):
	[ $line,
	  ($headers | map(select(has_name("host") or has_name("content-length"))
		| ascii_downcase) | sort),
	  ($headers | map(select((has_name("host") or has_name("content-length")
		or . == "connection: keep-alive"
		or . == "Content-Type: application/json"
		or startswith("User-Agent: evpipe/")) | not))),
	  $body ];'

given_requests() { # lines of a sink's log on stdin
	jq -c "$NORM"' norm("\(.method) \(.target) \(.version)";
		[.headers[] | "\(.[0]): \(.[1])"]; .body)' | sort
}

# complain NAME TEXT FILE…: a failed case, in the list and with its details.
complain() {
	echo "$1: $2" >>"$BATS_TEST_TMPDIR/failed"
	{
		echo "--- $1: $2"
		shift 2
		local f
		for f; do
			echo "  $(basename "$f"): $(head -c 600 "$f" | cat -v)"
		done
	} >&2
}

# all_good N: fail with the list if there is one.
all_good() {
	local failed=0
	if [ -s "$BATS_TEST_TMPDIR/failed" ]; then
		failed=$(cut -d: -f1 "$BATS_TEST_TMPDIR/failed" | sort -u | wc -l)
		echo "failed:" >&2
		cat "$BATS_TEST_TMPDIR/failed" >&2
	fi
	echo "# $1 cases, $failed failed${2:+, $2}" >&3
	[ "$failed" -eq 0 ]
}
