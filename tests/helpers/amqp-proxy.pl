# Between a client and a broker on loopback, and in the way: perl amqp-proxy.pl
# PORT_FILE BROKER_PORT WHAT…
#   cut N           each connection is broken off behind N bytes of the broker's
#   hold TEXT FILE  when a client has said TEXT nothing of the broker's is passed
#                   on any more, to any, until FILE is there; what waits is counted
#                   in FILE.held
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);

my ($port_file, $broker_port, $what, @how) = @ARGV;
my $server = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
	or die "cannot listen: $!";
$SIG{PIPE} = 'IGNORE';
open(my $fh, '>', "$port_file.new") or die;
print $fh $server->sockport;
close($fh);
rename("$port_file.new", $port_file) or die;

my $select = IO::Select->new($server);
my (%peer, %is_broker, %left, %said);
my ($holding, $released, $held, @waiting) = (0, 0, 0);

sub end {
	for my $s (@_) {
		$select->remove($s);
		delete $peer{$s};
		# A reset, not a farewell.
		setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
		close($s);
	}
}

sub begin {
	my $client = $server->accept or return;
	my $broker = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
		PeerPort => $broker_port);
	return close($client) unless $broker;
	$peer{$client} = $broker;
	$peer{$broker} = $client;
	$is_broker{$broker} = 1;
	$left{$broker} = $how[0] if $what eq 'cut';
	$said{$client} = '';
	$select->add($client, $broker);
}

sub note {
	open(my $f, '>', "$how[1].held.new") or die;
	print $f $held;
	close($f);
	rename("$how[1].held.new", "$how[1].held");
}

sub pass {
	my $from = shift;
	my $to = $peer{$from} or return;
	my $n = sysread($from, my $bytes, 65536);
	return end($from, $to) unless $n;
	if ($is_broker{$from} && $what eq 'cut') {
		$bytes = substr($bytes, 0, $left{$from});
		$left{$from} -= length($bytes);
	}
	if ($is_broker{$from} && $holding) {
		push @waiting, [$to, $bytes];
		$held += length($bytes);
		return note();
	}
	if (!$is_broker{$from} && $what eq 'hold' && !$released) {
		$said{$from} = substr($said{$from}, -100) . $bytes;
		if (index($said{$from}, $how[0]) >= 0) {
			$holding = 1;
			note();
		}
	}
	for (my $at = 0; $at < length($bytes);) {
		my $w = syswrite($to, $bytes, length($bytes) - $at, $at);
		return end($from, $to) unless $w;
		$at += $w;
	}
	end($from, $to) if defined($left{$from}) && $left{$from} <= 0;
}

for (;;) {
	for my $s ($select->can_read($holding ? 0.02 : undef)) {
		if ($s == $server) {
			begin();
		} else {
			pass($s);
		}
	}
	if ($holding && -e $how[1]) {
		($holding, $released) = (0, 1);
		# All at once: it is read so.
		my (%to, %bytes);
		for (@waiting) {
			$to{$_->[0]} = $_->[0];
			$bytes{$_->[0]} .= $_->[1];
		}
		syswrite($to{$_}, $bytes{$_}) for grep { $peer{$_} } keys %to;
	}
}
