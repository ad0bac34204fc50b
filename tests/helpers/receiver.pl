# A receiver that does what none should: perl receiver.pl PORT_FILE LOG WHAT. It
# keeps connections, answers 204 and writes "CONNECTION TARGET" for each request.
#   leave   a connection's second request is read, and the connection closed
#   reset   the same, with a reset
#   twice   behind each answer comes another, 500
#   later   the same, when the next connection is made or 100 ms have passed
#   shut    each connection is closed behind its answer, unannounced
#   early   answers when it has the head, and reads no body
#   away    the same, and closes with the body unread, which is a reset
#   bytes   answers in single bytes, with a chunked body and trailers
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);

my ($port_file, $log, $what) = @ARGV;
my $server = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1')
	or die "cannot listen: $!";
$SIG{PIPE} = 'IGNORE';
open(my $out, '>', $log) or die;
$out->autoflush(1);
open(my $fh, '>', "$port_file.new") or die;
print $fh $server->sockport;
close($fh);
rename("$port_file.new", $port_file) or die;

my $select = IO::Select->new($server);
my ($n, %number, %text, %served, @owed, @held) = (0);

sub end {
	my ($s) = @_;
	$select->remove($s);
	close($s);
}

sub answer {
	my ($s, $target) = @_;
	my $ok = "HTTP/1.1 204 No Content\r\n\r\n";
	print $out "$number{$s} $target\n";
	if ($what =~ /^(leave|reset)$/ && $served{$s}++) {
		setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
			if $what eq 'reset';
		return end($s);
	}
	if ($what eq 'bytes') {
		setsockopt($s, IPPROTO_TCP, TCP_NODELAY, 1);
		syswrite($s, $_) for split(//, "HTTP/1.1 103 Early\r\n" .
			"Link: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: " .
			"chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n");
		return;
	}
	my $more = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";
	syswrite($s, $what eq 'twice' ? $ok . $more : $ok);
	push @owed, [$s, $more] if $what eq 'later';
	return end($s) if $what eq 'shut';
	$select->remove($s) if $what eq 'early' && push @held, $s;
	end($s) if $what eq 'away';
}

while (1) {
	my @ready = $select->can_read(@owed ? 0.1 : undef);
	for my $s (@ready) {
		if ($s == $server) {
			my $c = $server->accept or next;
			$number{$c} = ++$n;
			$text{$c} = '';
			$served{$c} = 0;
			$select->add($c);
			next;
		}
		my $got = sysread($s, $text{$s}, 65536, length $text{$s});
		if (!$got) {
			end($s);
			next;
		}
		while ($text{$s} =~ /^POST (\S+) .*?\r\n\r\n/s) {
			my ($target, $head) = ($1, $&);
			my ($length) = $head =~ /content-length: (\d+)/i;
			last if $what !~ /^(early|away)$/ &&
				length $text{$s} < length($head) + $length;
			substr($text{$s}, 0, length($head) + $length) = '';
			answer($s, $target);
			last unless $select->exists($s);
		}
	}
	if (!@ready || grep { $_ == $server } @ready) {
		syswrite($_->[0], $_->[1]) for @owed;
		@owed = ();
	}
}
