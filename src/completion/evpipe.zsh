#compdef @PROGRAMS@
# Completion in zsh for evpipe's programs. Where @TABLE@ stands, make puts the
# table that src/completion/page.awk makes of the manual pages.

_evpipe_names() { # COMMAND PATTERN
	local -a names
	names=(${(f)"$(_call_program names \
		"${(q)service}" ${(@q)config} --json $1 2>/dev/null |
		sed -n "$2")"})
	compadd "${@:3}" -a names
}

_evpipe_webhooks() {
	_evpipe_names list 's/^{"id":"\([^"\\]*\)".*/\1/p' "$@"
}

_evpipe_events() {
	compset -P '*,'
	_evpipe_names events 's/^{"name":"\([^"\\]*\)","public":true.*/\1/p' "$@"
}

# The message and action of a kind of argument, as _arguments takes it.
_evpipe_action() { # KIND
	case $1 in
	(file) REPLY=':file:_files' ;;
	(dir) REPLY=':directory:_files -/' ;;
	(program) REPLY=':command:_command_names -e' ;;
	(event) REPLY=':event:_evpipe_events' ;;
	(webhook) REPLY=':webhook:_evpipe_webhooks' ;;
	(-) REPLY=':value: ' ;;
	('') REPLY= ;;
	(*) REPLY=":value:($1)" ;;
	esac
}

_evpipe() {
	local row type program first short long argument text REPLY
	local command= action= wants= word last=
	local -a rows specs commands actions config
	local operand=

	while IFS= read -r row; do
		[[ $row == *"|$service|"* ]] && rows+=("$row")
	done <<'END'
@TABLE@
END
	# The command, and what it is to be asked about.
	for word in "${(@)words[2,CURRENT-1]}"; do
		if [[ -n $wants ]]; then
			case $last in
			(-w|--webhooks) config+=(-w $word) ;;
			(-c|--catalog) config+=(-c $word) ;;
			esac
			wants=
		elif [[ $word == -?* ]]; then
			last=$word
			for row in $rows; do
				IFS='|' read -r type program first short long \
					argument text <<<"$row"
				[[ $type == option && ( $word == $short ||
					$word == $long ) ]] && wants=$argument
			done
		elif [[ -z $command ]]; then
			command=$word
		elif [[ -z $action ]]; then
			action=$word
		fi
	done
	for row in $rows; do
		IFS='|' read -r type program first short long argument text \
			<<<"$row"
		case $type in
		(option)
			[[ $first == '*' || $first == *,$command,* ||
				( -z $command && -n $short ) ]] || continue
			text=${${${text//\[/\\[}//\]/\\]}//:/\\:}
			_evpipe_action "$argument"
			if [[ -z $REPLY ]]; then
				specs+=("${long}[$text]")
				[[ -z $short ]] || specs+=("${short}[$text]")
			else
				specs+=("*${long}=[$text]$REPLY")
				[[ -z $short ]] || specs+=("*${short}+[$text]$REPLY")
			fi
			;;
		(command)
			# Here the fields are name, operand and text.
			commands+=("$first:$long")
			[[ $first == $command ]] && operand=$short
			;;
		(action)
			# Here they are command, name, operand and text.
			[[ $first == $command ]] || continue
			actions+=("$short:$argument")
			[[ $short == $action ]] && operand=$long
			;;
		(operand)
			operand=$first
			;;
		esac
	done
	if (( $#commands )); then
		specs+=('1: :->command')
	fi
	if (( $#actions )); then
		specs+=('2: :->action')
	fi
	_evpipe_action "$operand"
	[[ -z $REPLY ]] || specs+=("*$REPLY")
	local context state state_descr line
	local -A opt_args
	_arguments -s -S : $specs && return 0
	if [[ $state == command ]]; then
		_describe command commands
	elif [[ $state == action ]]; then
		_describe action actions
	fi
}

_evpipe "$@"
