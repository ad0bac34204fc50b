#!/bin/bash
# What the compilers don't say: shell scripts, manual pages, the layers of src/,
# globals below cmd/, usage texts against manual pages. Run by `make lint` with
# EV_BIN and EV_ARCHIVES. Every fault is a line; the code is 1 if there was one.
set -u
cd "$(dirname "$0")/../.." || exit 2
faults=0

fault() {
	echo "$*"
	faults=$((faults + 1))
}

# Names the check with what it found on stdin, if anything.
report() {
	local line
	while IFS= read -r line; do
		fault "$1: $line"
	done
}

echo "shellcheck"
mapfile -t scripts < <(find .ci tests examples src -type f \
	\( -name '*.sh' -o -name '*.bash' -o -name '*.bats' -o -path '.ci/*' \) |
	sort)
shellcheck -x -S warning -e SC2030,SC2031,SC2034,SC2069,SC2154 "${scripts[@]}" ||
	fault "shellcheck: see above"

echo "mandoc"
report mandoc < <(mandoc -Tlint -Wwarning man/*.[157] 2>&1)

# Includes point down only: what each folder may see (STYLE.md).
echo "layers"
declare -A below=(
	[base]="base" [json]="json base" [net]="net json base"
	[event]="event net json base" [store]="store event net json base"
	[deliver]="deliver store event net json base"
	[cmd]="cmd deliver store event net json base"
	[lazy]="lazy store base"
)
for folder in "${!below[@]}"; do
	for file in src/"$folder"/*.[ch]; do
		[ -e "$file" ] || continue
		while read -r seen; do
			[[ " ${below[$folder]} " == *" $seen "* ]] ||
				fault "layers: $file includes $seen/"
		done < <(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u)
	done
done

# Each library is seen in one folder only.
while read -r folder header; do
	report "libraries (only in src/$folder)" < <(grep -rnE \
		"^#include <($header)" src | grep -vE "^src/($folder|lazy)/")
done <<-'END'
	event (jq|jv)\.h
	store sqlite3\.h
	store amqp.*\.h
	net (curl|openssl)/
	net (idn2|sha2|microhttpd)\.h
	json pcre2\.h
END

# Writable data in an archive, but for constants that hold addresses.
echo "globals"
for archive in ${EV_ARCHIVES:-}; do
	[ "$(basename "$archive")" = cmd.a ] && continue
	report "mutable global in $(basename "$archive")" < <(
		nm -A -f sysv "$archive" 2>/dev/null |
			awk -F'|' '$4 ~ /OBJECT|TLS/ &&
				$7 ~ /^(\.data|\.bss|\.tbss|\.tdata|\*COM\*)/ &&
				$7 !~ /^\.data\.rel\.ro/ {
					gsub(/ +/, "", $1); print $1 }')
done

# The usage text is the manual's SYNOPSIS: the same words in the same order.
echo "synopses"
words() {
	# mandoc's plain text marks bold and underline by backspaces.
	sed 's/.\x08//g; s/\xe2\x80\x90/-/g; s/\xe2\x88\x92/-/g' |
		tr -s ' \t\n' ' ' | sed 's/^ *//; s/ *$//; s/ |/|/g; s/| /|/g'
}
for page in man/*.1; do
	program=$(basename "$page" .1)
	[ -x "$EV_BIN/$program" ] || {
		fault "synopses: $page describes no program"
		continue
	}
	manual=$(mandoc -Tutf8 -O width=200 "$page" |
		sed 's/.\x08//g' |
		awk '/^SYNOPSIS/ { on = 1; next } /^[A-Z]/ { on = 0 } on' | words)
	usage=$("$EV_BIN/$program" -h | sed 's/^usage: //' |
		sed 's/^ *or: //' | words)
	[ "$manual" = "$usage" ] ||
		fault "synopses: $program: '$usage' is not '$manual'"
done
for program in "$EV_BIN"/*; do
	[ -x "$program" ] && [ -f "$program" ] || continue
	[ -e "man/$(basename "$program").1" ] ||
		fault "synopses: no man/$(basename "$program").1"
done

if [ "$faults" -gt 0 ]; then
	echo "lint: $faults faults"
	exit 1
fi
echo "lint: nothing to say"
