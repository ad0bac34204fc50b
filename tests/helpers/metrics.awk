# A file of --metrics, strictly: Prometheus' text format 0.0.4 and its
# conventions, as evpipe writes it. Each fault is a line on stdout.

function fault(text) {
	print FILENAME ":" FNR ": " text ": " $0
	bad = 1
}

# The labels between the braces, one by one; what is left is a fault.
function read_labels(text,   name) {
	seen_names = ","
	le = ""
	has_program = has_service = 0
	while (match(text, /^[a-z][a-z_]*="([^"\\]|\\["\\n])*"/)) {
		name = substr(text, 1, index(text, "=") - 1)
		if (index(seen_names, "," name ","))
			fault("the label is there twice")
		seen_names = seen_names name ","
		if (name == "le")
			le = substr(text, 5, RLENGTH - 5)
		has_program += name == "program"
		has_service += name == "service"
		text = substr(text, RLENGTH + 1)
		if (text == "")
			break
		if (substr(text, 1, 1) != ",")
			fault("no comma between labels")
		text = substr(text, 2)
	}
	if (text != "")
		fault("not a label")
	if (!has_program || !has_service)
		fault("without program and service")
}

function end_histogram() {
	if (n_buckets && (last_le != "+Inf" || !has_sum || !has_count))
		fault("the histogram above lacks +Inf, _sum or _count")
	n_buckets = has_sum = has_count = 0
}

function sample(   at, series, name, value) {
	if (!match($0, /^[a-z_]+\{.*\} [0-9]+(\.[0-9]+)?$/)) {
		fault("not a sample")
		return
	}
	at = match($0, /\} [0-9.]+$/)
	value = substr($0, at + 2)
	series = substr($0, 1, at)
	name = substr($0, 1, index($0, "{") - 1)
	read_labels(substr(series, length(name) + 2,
	    length(series) - length(name) - 2))
	if (series in all)
		fault("the same series again")
	all[series]
	if (type != "histogram") {
		if (name != family)
			fault("not of the family " family)
		if (le != "")
			fault("le outside of a histogram")
		return
	}
	if (name == family "_bucket") {
		if (n_buckets && (value + 0 < last_value + 0 ||
		    (le != "+Inf" && le + 0 <= last_le + 0)))
			fault("buckets do not grow")
		n_buckets++
		last_le = le
		last_value = value
	} else if (name == family "_sum") {
		has_sum = 1
	} else if (name == family "_count") {
		has_count = 1
		if (value != last_value)
			fault("not what +Inf has")
	} else {
		fault("not of the histogram " family)
	}
}

/^# HELP / {
	end_histogram()
	family = $3
	if (family in families)
		fault("the family is there twice")
	families[family]
	if (family !~ /^evpipe_[a-z_]+$/ || NF < 4)
		fault("no name, or no help")
	type = ""
	next
}
/^# TYPE / {
	type = $4
	if ($3 != family || NF != 4)
		fault("not of the HELP before")
	if ((type == "counter") != (family ~ /_total$/))
		fault("counters, and they alone, end in _total")
	if (type !~ /^(counter|gauge|histogram)$/)
		fault("unknown type")
	if (family ~ /(_ms|_us|_count|_sum|_bucket)$/)
		fault("not a base unit, or taken")
	next
}
type == "" { fault("a sample without HELP and TYPE") }
{ sample() }
END {
	end_histogram()
	if (NR == 0)
		fault("empty")
	exit bad
}
