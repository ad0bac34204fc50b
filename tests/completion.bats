#!/usr/bin/env bats
# Options and commands are told in five places: what getopt_long is given, the
# usage text, the manual page and the completions of bash and zsh. They are the
# same everywhere.

load helpers/common

bats_require_minimum_version 1.5.0

setup() {
	MADE=$REPO/.build/completion
	TABLE=$MADE/table
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_WEBHOOKS=$REPO/examples/webhooks.json
}

# The program's options as the code has them: "--long -l =", sorted; "=" if it
# takes an argument.
coded() { # PROGRAM
	local letters code=$REPO/src/cmd/${1#ev-}-options.c
	[ -e "$code" ] || code=$REPO/src/cmd/$1.c
	letters=$(tr '\n\t' '  ' <"$code" |
		grep -o 'option_next([^;]*' | grep -o '"[^"]*"' | tr -d '"-')
	sed -n 's/^\t{ "\([^"]*\)", \([a-z]*\)_argument, [^,]*, \(.*\) },$/\1 \2 \3/p' \
		"$code" |
		while read -r long takes value; do
			if [[ $value == \'?\' ]]; then
				value=${value:1:1}
				# The letter takes an argument as the word does.
				[[ $letters == *"$value:"* ]] && [ "$takes" = required ] ||
					{ [[ $letters == *"$value"* ]] &&
						[[ $letters != *"$value:"* ]] &&
						[ "$takes" = no ]; } ||
					echo "-$value is not in '$letters'"
				[ "$takes" = no ] || letters=${letters/$value:/}
				letters=${letters/$value/}
				value=" -$value"
			else
				value=
			fi
			[ "$takes" = no ] || value+=" ="
			echo "--$long$value"
		done | LC_ALL=C sort
}

# The same as the manual page has them.
paged() { # PROGRAM
	awk -F'|' -v program="$1" '$1 == "option" && $2 == program {
		print $5 ($4 == "" ? "" : " " $4) ($6 == "" ? "" : " =") }' \
		"$TABLE" | LC_ALL=C sort
}

@test "the code and the manual page have the same options" {
	local p
	for p in "${PROGRAMS[@]}"; do
		coded "$p" >code
		paged "$p" >page
		[ -s page ]
		same code page
	done
}

@test "the code, the manual page and the usage text have the same commands" {
	sed -n '/^} commands\[\] = {/,/^};/s/^\t{ "\([^"]*\)",.*/\1/p' \
		"$REPO/src/cmd/hook-admin.c" | LC_ALL=C sort >code
	awk -F'|' '$1 == "command" { print $3 }' "$TABLE" | LC_ALL=C sort >page
	[ -s page ]
	same code page
	hook-admin -h >usage
	while read -r name; do
		grep -Eq "[] |]$name( |\$)" usage
	done <page
}

# -h gives each by its letter or its word; those of MEMBER and
# FILTER the page alone lists.
@test "the usage text has the same options" {
	local p
	for p in "${PROGRAMS[@]}"; do
		"$p" -h | tr '[]|,' '    ' | tr -s ' ' '\n' >usage
		sed -n 's/^-\([A-Za-z]*\)$/\1/p' usage | grep -o . |
			sed 's/^/-/' >used || true
		grep -E '^--[a-z]' usage >>used || true
		awk -F'|' -v program="$p" '$1 == "option" && $2 == program &&
			!($3 ~ /,(add|set|dead|replay),/ && $5 !~ /--(json|dry-run|since)/) {
				print $4 == "" ? $5 : $4 }' "$TABLE" >page
		[ -s page ]
		while read -r option; do
			grep -qxe "$option" used || {
				echo "$p: $option is not in the usage" >&2
				return 1
			}
		done <page
		while read -r option; do
			grep -q "|$p|.*|$option|" "$TABLE" || {
				echo "$p: $option is not in the page" >&2
				return 1
			}
		done <used
	done
}

@test "each option and command is described" {
	! awk -F'|' '$1 != "operand" && $NF == ""' "$TABLE" | grep .
}

# completes LINE: what bash offers, a line each.
completes() {
	bash --norc -c '
		. "$1"
		COMP_LINE=$2 COMP_POINT=${#2}
		_evpipe "${2%% *}"
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"
	' - "$MADE/evpipe.bash" "$1" </dev/null
}

# bash_offers LINE WORD…: these and no others.
bash_offers() {
	completes "$1" >offered
	shift
	{ [ $# -eq 0 ] || printf '%s\n' "$@"; } | same - offered
}

@test "bash offers the options of each program" {
	local p
	for p in "${PROGRAMS[@]}"; do
		paged "$p" | sed 's/ =$//' | tr ' ' '\n' | LC_ALL=C sort >want
		[ "$p" != hook-admin ] || {
			# Before a command, which has its own.
			grep -E '^option\|hook-admin\|(\*|[a-z,]*\|-.)\|' "$TABLE" |
				cut -d'|' -f4,5 |
				tr '|' '\n' | grep . | LC_ALL=C sort >want
		}
		completes "$p -" | LC_ALL=C sort >got
		same want got
	done
}

@test "bash offers what may follow" {
	bash_offers 'hook-admin e' enable export events
	bash_offers 'hook-admin list --j' --json
	bash_offers 'hook-admin export --j'
	bash_offers 'hook-admin set wh1 --un' --unsubscribe
	bash_offers 'hook-admin add --un'
	bash_offers 'hook-admin -v show ' wh1 wh2 wh3
	bash_offers 'hook-admin add --retry ' failures network
	bash_offers 'hook-admin add --retry=n' network
	bash_offers 'hook-admin add --subscribe ' ping service:subscribed
	bash_offers 'hook-admin add --subscribe ping,s' ping,service:subscribed
	# Bash's own word begins behind the colon.
	bash_offers 'hook-admin add --subscribe=service:s' subscribed
	bash_offers 'hook-admin list '
	bash_offers 'hook-admin list -q'
	bash_offers 'hook-admin enable --q' --queue
	bash_offers 'hook-admin secret r' rotate revoke remove-header \
		remove-certificate
	bash_offers 'hook-admin secret rotate ' wh1 wh2 wh3
	bash_offers 'hook-admin secret --ed' --ed25519
	mkdir folder
	echo '[{"id":"other","url":"http://a/","subscriptions":[]}]' >file.json
	bash_offers 'hook-admin -w f' file.json folder
	bash_offers 'hook-admin -w file.json show ' other
	bash_offers 'hook-admin --webhooks none show '
	bash_offers 'ev-validate -c f' folder
	bash_offers 'ev-map fi' file.json
	bash_offers 'ev-deliver --policy ' failures network
}

@test "names are offered as they are, never run" {
	mkdir catalog
	echo '{"name":"$(touch ran)`touch ran`","public":true,"payload":true}' \
		>catalog/a.json
	EV_CATALOG=catalog bash_offers 'hook-admin add --subscribe ' \
		'\$\(touch\ ran\)\`touch\ ran\`'
	[ ! -e ran ]
}

# What zsh's own functions are given, which need a terminal; or what they are
# given by an action that _arguments would have chosen.
zsh_gives() { # LINE [ACTION]
	zsh -f -c '
		compdef() { }
		_arguments() {
			if [[ -n $chosen ]]; then
				$chosen
				return 0
			fi
			print -rl -- "${@:#(-s|-S|:)}"
			[[ ${@[(r)1:*]} == "" || $CURRENT -gt 2 ]] || {
				state=command
				return 1
			}
		}
		_describe() { print -rl -- "${(@P)2}" }
		_call_program() { shift; eval "$@" }
		compset() { }
		compadd() { print -rl -- "${(@P)argv[-1]}" }
		words=(${(z)2} "") chosen=$3
		service=$words[1] CURRENT=$#words
		source $1
	' - "$MADE/evpipe.zsh" "$1" "${2:-}" </dev/null
}

@test "zsh offers the same" {
	command -v zsh >/dev/null || skip "no zsh here"
	local p
	[ "$(head -n 1 "$MADE/evpipe.zsh" | tr ' ' '\n' | sed 1d | sort)" = \
		"$(printf '%s\n' "${PROGRAMS[@]}" | sort)" ]
	for p in ev-validate ev-map ev-route ev-deliver hook-sink; do
		paged "$p" | sed 's/ =$//' | tr ' ' '\n' | LC_ALL=C sort >want
		zsh_gives "$p" >given
		grep -o '^\*\{0,1\}--\{0,1\}[A-Za-z-]*' given | tr -d '*' |
			LC_ALL=C sort >got
		same want got
	done
	grep -qx '\*--policy=\[.*\]:value:(failures network)' \
		<(zsh_gives ev-deliver)
	grep -qx '\*:file:_files' <(zsh_gives ev-map)
	zsh_gives hook-admin >given
	grep -qx 'list:Print all webhooks' given
	zsh_gives 'hook-admin list' >given
	grep -q '^--json\[' given
	if grep -q '^\*--url' given; then false; fi
	zsh_gives 'hook-admin secret' >given
	grep -qx '2: :->action' given
	zsh_gives 'hook-admin secret rotate' >given
	grep -qx '\*:webhook:_evpipe_webhooks' given
	zsh_gives 'hook-admin show' >given
	grep -qx '\*:webhook:_evpipe_webhooks' given
	zsh_gives 'hook-admin -w w.json show' _evpipe_webhooks >given
	if grep -q '^wh' given; then false; fi
	zsh_gives 'hook-admin show' _evpipe_webhooks >given
	grep -qx wh2 given
	zsh_gives 'hook-admin add' _evpipe_events >given
	grep -qx service:subscribed given
}
