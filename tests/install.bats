#!/usr/bin/env bats
# make install and uninstall, into a folder of its own by DESTDIR.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	D=$BATS_TEST_TMPDIR/dest
	# The variant under test, which is built.
	installs=(make -s --no-print-directory -C "$REPO" "DESTDIR=$D"
		PREFIX=/usr/local)
}

# files: all below the current folder, with their modes.
files() {
	find . ! -type d -printf '%m %P\n' | LC_ALL=C sort -k 2
}

@test "all that is needed is installed, for all to read, and runs" {
	umask 077
	"${installs[@]}" install
	umask 022
	{
		for p in "${PROGRAMS[@]}"; do
			echo "755 bin/$p"
			echo "644 share/bash-completion/completions/$p"
		done
		for f in "$REPO"/examples/catalog/*; do
			echo "644 share/evpipe/catalog/${f##*/}"
		done
		for f in "$REPO"/man/*.[1-8]; do
			echo "644 share/man/man${f##*.}/${f##*/}"
		done
		echo "644 share/zsh/site-functions/_evpipe"
	} | LC_ALL=C sort -k 2 >want
	(cd "$D/usr/local" && files) | same want /dev/stdin
	[ -z "$(find "$D/usr" -type d ! -perm 755)" ]
	# The catalog beside the program is found without being named.
	unset EV_CATALOG
	run_prog "$D/usr/local/bin/hook-admin" events
	want_code 0
	[ "$(wc -l <"$OUT")" -eq 5 ]
}

@test "uninstall takes away what was installed, and nothing else" {
	"${installs[@]}" install
	echo '#' >"$D/usr/local/bin/other"
	echo '{}' >"$D/usr/local/share/evpipe/catalog/mine.json"
	"${installs[@]}" uninstall
	(cd "$D" && find . ! -type d | LC_ALL=C sort) >left
	printf './usr/local/%s\n' bin/other share/evpipe/catalog/mine.json |
		same - left
	"${installs[@]}" install
	rm "$D/usr/local/share/evpipe/catalog/mine.json"
	"${installs[@]}" uninstall
	[ ! -e "$D/usr/local/share/evpipe" ]
	"${installs[@]}" uninstall # none is there
}
