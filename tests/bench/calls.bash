# Calls, and how long commands take, for the benches of the delivery queue. In a
# folder of their own; $pids are ended by who sources this.

body='{"name":"ping","payload":{"text":"0123456789012345678901234567890123456789012345678901234567890123456789"}}'

# calls_of N KIND WEBHOOKS: ids of the kind v7 or random, over so many webhooks.
calls_of() {
	awk -v n="$1" -v kind="$2" -v hooks="$3" -v body="$body" '
	function hex(digits,   s) {
		s = ""
		while (length(s) < digits)
			s = s sprintf("%04x", int(rand() * 65536))
		return substr(s, 1, digits)
	}
	BEGIN {
		srand(7)
		for (i = 0; i < n; i++) {
			t = 1795000000000 + int(i / 300) # %x is of 32 bits in mawk
			ms = sprintf("%06x%06x", int(t / 16777216), t % 16777216)
			e = kind == "v7" ? substr(ms, 1, 8) "-" substr(ms, 9) "-7" hex(3) "-8" hex(3) "-" hex(12) : hex(32)
			printf "{\"url\":\"http://127.0.0.1:9/\",\"headers\":{},\"id\":\"msg_%s\",\"event\":\"%s\",\"name\":\"ping\",\"webhook\":\"w%d\",\"body\":%s}\n", hex(32), e, i % hooks, body
		}
	}'
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# timed NAME N COMMAND…: N a second; kilobytes; CPU us each.
timed() {
	local name=$1 n=$2
	shift 2
	/usr/bin/time -o time -f '%e %M %U %S' "$@" >out 2>err || {
		cat err >&2
		exit 1
	}
	awk -v n="$n" '{ print n / $1 }' time >>"rate.$name"
	awk '{ print $2 }' time >>"rss.$name"
	awk -v n="$n" '{ print ($3 + $4) / n * 1e6 }' time >>"cpu.$name"
}
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'; }
line() { printf '%-44s %10.0f /s %8s\n' "$1" "$(median "$2")" "$3"; }
# one_at_a_time N FILE: so many of its calls into a new queue, each on disk (its barrier
# is back) before the next. How many a second.
one_at_a_time() {
	rm -f q q-*
	perl -e '
		use IPC::Open2;
		use Time::HiRes qw(time);
		my ($n, $file) = @ARGV;
		open(my $in, "<", $file) or die;
		my @calls = map { scalar <$in> } 0 .. $n;
		my $pid = open2(my $back, my $there,
			qw(ev-deliver -q q --enqueue -r /dev/null));
		my ($start, $said);
		for my $i (0 .. $n) {
			$start = time if $i == 1; # it has started
			syswrite($there, "$calls[$i]\{\"barrier\":\"s.$i\"}\n");
			sysread($back, $said, 4096) or die;
		}
		printf "%d\n", $n / (time - $start);
		close($there);
		waitpid($pid, 0);
	' "$1" "$2"
}
