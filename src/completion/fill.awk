# A template with @TABLE@ and @PROGRAMS@ filled in: the first file is the table.
FNR == NR {
	table = table $0 "\n"
	split($0, field, "|")
	if (!seen[field[2]]++)
		programs = programs (programs == "" ? "" : " ") field[2]
	next
}
/^@TABLE@$/ { printf "%s", table; next }
{ sub(/@PROGRAMS@/, programs); print }
