# shellcheck shell=bash
# Completion in bash for evpipe's programs. Where @TABLE@ stands, make puts the
# table that src/completion/page.awk makes of the manual pages.

# The program's rows of the table, in the caller's `rows`.
_evpipe_rows() { # PROGRAM
	local row
	rows=()
	while IFS= read -r row; do
		[[ $row == *"|$1|"* ]] && rows+=("$row")
	done <<'END'
@TABLE@
END
}

# What to offer for an option's argument, in the caller's `wants`; empty: it has
# none, or is no option.
_evpipe_argument() { # OPTION
	local row type short long argument
	wants=
	for row in "${rows[@]}"; do
		IFS='|' read -r type _ _ short long argument _ <<<"$row"
		if [[ $type == option && ($1 == "$short" || $1 == "$long") ]]; then
			wants=$argument
		fi
	done
}

# Offer a word behind what was typed already, unless it begins otherwise. Not by
# compgen -W, which expands the words: names are not ours.
_evpipe_offer() { # WORD [TYPED]
	if [[ $2$1 == "$cur"* ]]; then
		COMPREPLY+=("$2$(printf %q "$1")")
	fi
}

_evpipe_offer_names() { # PROGRAM COMMAND PATTERN
	local name typed=
	if [[ $cur == *,* ]]; then
		typed=${cur%,*},
	fi
	while IFS= read -r name; do
		_evpipe_offer "$name" "$typed"
	done < <("$1" "${config[@]}" --json "$2" 2>/dev/null | sed -n "$3")
}

_evpipe_offer_kind() { # PROGRAM KIND
	local word
	case $2 in
	file | dir | program)
		case $2 in
		file) word=-f ;;
		dir) word=-d ;;
		program) word=-c ;;
		esac
		compopt -o filenames 2>/dev/null
		while IFS= read -r word; do
			COMPREPLY+=("$word")
		done < <(compgen "$word" -- "$cur")
		;;
	event)
		_evpipe_offer_names "$1" events \
			's/^{"name":"\([^"\\]*\)","public":true.*/\1/p'
		;;
	webhook)
		_evpipe_offer_names "$1" list 's/^{"id":"\([^"\\]*\)".*/\1/p'
		;;
	- | '') ;;
	*)
		for word in $2; do
			_evpipe_offer "$word"
		done
		;;
	esac
}

# The options that the command takes, and in its place the commands.
_evpipe_offer_words() { # PROGRAM COMMAND ACTION
	local row type first second third fourth
	for row in "${rows[@]}"; do
		IFS='|' read -r type _ first second third fourth _ <<<"$row"
		case $type in
		option)
			# Before the command, those that can stand there.
			if [[ $cur == -* && ($first == '*' ||
				$first == *",$2,"* || (-z $2 && -n $second)) ]]; then
				_evpipe_offer "$third"
				[[ -z $second ]] || _evpipe_offer "$second"
			fi
			;;
		command)
			if [[ -z $2 ]]; then
				_evpipe_offer "$first"
			elif [[ $2 == "$first" && $cur != -?* ]]; then
				_evpipe_offer_kind "$1" "$second"
			fi
			;;
		action)
			if [[ $2 == "$first" && $cur != -* ]]; then
				[[ -n $3 ]] || _evpipe_offer "$second"
				[[ $3 != "$second" ]] ||
					_evpipe_offer_kind "$1" "$third"
			fi
			;;
		operand)
			[[ $cur == -?* ]] || _evpipe_offer_kind "$1" "$first"
			;;
		esac
	done
}

_evpipe() { # PROGRAM, and what bash gives besides
	local line=${COMP_LINE:0:COMP_POINT} cur='' command='' action='' wants='' word
	local last=''
	local i prefix
	local -a rows words config
	COMPREPLY=()
	_evpipe_rows "${1##*/}"
	read -ra words <<<"$line"
	if [[ $line != *[[:space:]] ]]; then
		cur=${words[${#words[@]} - 1]}
		unset "words[${#words[@]} - 1]"
	fi
	for word in "${words[@]:1}"; do
		if [[ -n $wants ]]; then
			case $last in
			-w | --webhooks) config+=(-w "$word") ;;
			-c | --catalog) config+=(-c "$word") ;;
			esac
			wants=
		elif [[ $word == -?* ]]; then
			last=$word
			_evpipe_argument "$word"
		elif [[ -z $command ]]; then
			command=$word
		elif [[ -z $action ]]; then
			action=$word
		fi
	done
	if [[ -z $wants && $cur == --*=* ]]; then
		_evpipe_argument "${cur%%=*}"
		cur=${cur#*=}
	fi
	if [[ -n $wants ]]; then
		_evpipe_offer_kind "$1" "$wants"
	else
		_evpipe_offer_words "$1" "$command" "$action"
	fi
	# Bash takes what is behind the last colon for the word.
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
		prefix=${cur%"${cur##*:}"}
		for i in "${!COMPREPLY[@]}"; do
			COMPREPLY[i]=${COMPREPLY[i]#"$prefix"}
		done
	fi
}

complete -F _evpipe @PROGRAMS@
