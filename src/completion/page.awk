# The table that completions are made of, out of manual pages (mdoc): a line for
# each option, command and operand. Fields are separated by '|', which is in
# none of them:
#
#	option|PROGRAM|COMMANDS|-l|--long|ARGUMENT|text
#	command|PROGRAM|NAME|OPERAND|text
#	action|PROGRAM|COMMAND|NAME|OPERAND|text
#	operand|PROGRAM|OPERAND
#
# COMMANDS: those that take the option, between commas; "*": whatever the
# command. An action is what a command does, its first operand. ARGUMENT and OPERAND: what to offer: file, dir, event,
# webhook, program, words separated by blanks; "-": nothing is known of it;
# empty: there is none. The text is the first clause of the description.
#
# What the pages have to keep to: an option is an ".It Fl" anywhere, a command
# an ".It Cm" of the list behind "The commands are:", an action an ".It Ic" of the
# list behind "The actions of .Cm COMMAND are:", and the SYNOPSIS says which
# options a command takes (MEMBER, FILTER: those of the list whose introduction
# says so).

# What is offered for an argument of this name.
function kind(label, long) {
	if (label ~ /^[a-z-]+([|][a-z-]+)+$/) {
		gsub(/[|]/, " ", label)
		return label
	}
	if (label ~ /(^|[]=])DIR$/)
		return "dir"
	if (label ~ /^(FILE|QUEUE|EVENTS)$/)
		return "file"
	if (label == "ID" && long != "--id")
		return "webhook"
	if (label == "NAME,...")
		return "event"
	if (label == "COMMAND")
		return "program"
	return label == "" ? "" : "-"
}

# Add a word of running text, punctuation without a blank before it.
function say(word) {
	if (text != "" && word !~ /^[.,;:)]$/ && !joined)
		text = text " "
	text = text opening word
	opening = ""
	joined = 0
}

# Put what is left of the line between these.
function enclose(open, close_) {
	opening = open
	closing = close_
}

# Running text and the macros that it has.
function say_line(   i, m) {
	if ($1 !~ /^\./) {
		say($0)
		return
	}
	for (i = 1; i <= NF; i++) {
		m = $i
		if (i == 1)
			m = substr(m, 2)
		if (m == "Fl") {
			i++
			say("-" $i)
		} else if (m == "Xr") {
			say($(i + 1) "(" $(i + 2) ")")
			i += 2
		} else if (m == "Nm" && i == NF) {
			say(program)
		} else if (m == "Ns") {
			joined = 1
		} else if (m == "Pq") {
			enclose("(", ")")
		} else if (m ~ /^(Sq|Dq|Ql)$/) {
			enclose("'", "'")
		} else if (m !~ /^(Ar|Cm|Ev|Li|Pa|Em|Sy|Va|Sx|Nm)$/) {
			gsub(/\\&/, "", m)
			if (closing != "" && m ~ /^[.,;:]$/)
				end_enclosed()
			say(m)
		}
	}
	end_enclosed()
}

function end_enclosed() {
	text = text closing
	closing = ""
}

# The description's first clause; "Only for set." names the commands.
function end_item(   clause, i) {
	if (n_items == 0)
		return
	if (match(text, /Only for [a-z, ]+/)) {
		only = substr(text, RSTART + 9, RLENGTH - 9)
		gsub(/ and |, /, ",", only)
		gsub(/ /, "", only)
	}
	clause = text
	sub(/[.;:]( .*)?$/, "", clause)
	while (match(clause, /[.;:] /))
		clause = substr(clause, 1, RSTART - 1)
	gsub(/[|\\]/, "", clause)
	for (i = 1; i <= n_items; i++)
		if (item_is_action)
			action_text[item[i]] = clause
		else if (item_is_command)
			command_text[item[i]] = clause
		else {
			option_text[item[i]] = clause
			option_only[item[i]] = only
		}
	n_items = 0
}

function begin_item() {
	end_item()
	text = only = ""
	joined = 0
}

# ".It Fl c , -catalog Ar DIR", ".It Fl -retry Cm failures | network"
function begin_option(   i, n, state, label) {
	begin_item()
	item_is_command = item_is_action = 0
	n = ++n_options
	item[++n_items] = n
	short[n] = long[n] = ""
	group[n] = in_group
	for (i = 3; i <= NF; i++) {
		if ($i ~ /^(Fl|Ar|Cm|Op|Ns)$/) {
			state = $i
		} else if ($i == "," || $i == "|") {
			continue
		} else if (state == "" || state == "Fl") {
			state = ""
			if ($i ~ /^-/)
				long[n] = "-" $i
			else
				short[n] = "-" $i
		} else {
			label = label (state == "Cm" && label != "" ? "|" : "") $i
		}
	}
	argument[n] = kind(label, long[n])
}

# ".It Cm enable , disable Ar ID ..."
function begin_command(   i) {
	begin_item()
	item_is_command = 1
	item_is_action = 0
	for (i = 3; i <= NF && $i !~ /^(Ar|Fl|Op)$/; i++)
		if ($i != ",") {
			item[++n_items] = $i
			command[++n_commands] = $i
		}
}

# ".It Ic generate Ar ID"
function begin_action(   i) {
	begin_item()
	item_is_action = 1
	item[++n_items] = ++n_actions
	action[n_actions] = $3
	action_of[n_actions] = in_actions
	for (i = 4; i < NF && $i !~ /^[A-Z]+$/; i++)
		;
	action_operand[n_actions] = $i ~ /^[A-Z]+$/ ? kind($i, "") : ""
}

# A line of the SYNOPSIS: gather what each form of use names.
function synopsis_line(   i, m, t, of_option) {
	if ($1 == ".Nm") {
		n_forms++
		return
	}
	for (i = 1; i <= NF; i++) {
		t = $i
		if (i == 1)
			sub(/^\./, "", t)
		if (t ~ /^(Op|Fl|Ar|Cm|Oo|Oc|Ns)$/)
			m = t
		else if (t == "|")
			of_option = 0
		else if (t == "...")
			continue
		else if (m == "Fl") {
			add_flags(t)
			of_option = 1
		}
		else if (m == "Cm")
			form_words[n_forms] = form_words[n_forms] " " t " "
		else if (t == "MEMBER" || t == "FILTER")
			form_groups[n_forms] = form_groups[n_forms] " " t " "
		else if (!of_option)
			form_operand[n_forms] = t
	}
}

# "-json", or "hVv": letters
function add_flags(t,   k) {
	if (t ~ /^-/) {
		form_flags[n_forms] = form_flags[n_forms] " -" t " "
		return
	}
	for (k = 1; k <= length(t); k++)
		form_flags[n_forms] = form_flags[n_forms] " -" \
		    substr(t, k, 1) " "
}

# Does one of the command's forms have the option?
function takes(name, n,   f) {
	if (option_only[n] != "" &&
	    index("," option_only[n] ",", "," name ",") == 0)
		return 0
	for (f = 1; f <= n_forms; f++) {
		if (index(form_words[f], " " name " ") == 0)
			continue
		if (group[n] != "" && index(form_groups[f], " " group[n] " "))
			return 1
		if (index(form_flags[f], " " long[n] " ") ||
		    (short[n] != "" && index(form_flags[f], " " short[n] " ")))
			return 1
	}
	return 0
}

# The operand of a command, as its last form has it.
function operand_of(name,   f, found) {
	for (f = 1; f <= n_forms; f++)
		if (index(form_words[f], " " name " ") && form_operand[f] != "")
			found = form_operand[f]
	return kind(found, "")
}

function commands_of(n,   j, list) {
	if (n_commands == 0)
		return "*"
	for (j = 1; j <= n_commands; j++)
		if (takes(command[j], n))
			list = list command[j] ","
	return list == "" ? "*" : "," list
}

function end_page(   n, j, f, found) {
	end_item()
	for (n = 1; n <= n_options; n++)
		print "option|" program "|" commands_of(n) "|" short[n] "|" \
		    long[n] "|" argument[n] "|" option_text[n]
	for (j = 1; j <= n_commands; j++)
		print "command|" program "|" command[j] "|" \
		    operand_of(command[j]) "|" command_text[command[j]]
	for (j = 1; j <= n_actions; j++)
		print "action|" program "|" action_of[j] "|" action[j] "|" \
		    action_operand[j] "|" action_text[j]
	if (n_commands == 0)
		for (f = 1; f <= n_forms; f++)
			if (form_operand[f] != "")
				found = kind(form_operand[f], "")
	if (found != "")
		print "operand|" program "|" found
}

FNR == 1 {
	if (NR > 1)
		end_page()
	n_options = n_commands = n_actions = n_forms = n_items = 0
	in_group = ""
	in_commands = in_actions = in_synopsis = 0
	split("", form_words)
	split("", form_flags)
	split("", form_groups)
	split("", form_operand)
	split("", option_only)
	program = FILENAME
	sub(/.*\//, "", program)
	sub(/\.1$/, "", program)
}

/^\.Sh/ {
	end_item()
	in_synopsis = $2 == "SYNOPSIS"
	next
}
in_synopsis { synopsis_line(); next }
/^The commands are:/ { in_commands = 1 }
/^The options are:/ { in_group = "" }
/^The actions of$/ { getline; in_actions = $2; next }
$1 == ".Ar" && ($2 == "MEMBER" || $2 == "FILTER") { in_group = $2 }
/^\.Bl/ { depth++ }
/^\.El/ {
	end_item()
	if (--depth == 0)
		in_commands = in_actions = 0
}
/^\.It Fl/ { begin_option(); next }
/^\.It Cm/ && in_commands && depth == 1 { begin_command(); next }
/^\.It Ic/ && in_actions && depth == 1 { begin_action(); next }
/^\.(It|Pp|Bl|Bd|Sh|Ss)/ { end_item(); next }
n_items { say_line() }
END { end_page() }
