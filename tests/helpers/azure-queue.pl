# A stand-in for an Azure Storage Queue service, as far as examples/from-azure-queue.sh
# uses it, on a loopback port: perl azure-queue.pl PORT_FILE SIGNATURE [FAULTS]. A
# line a request goes to stdout. Each request takes a line of the file FAULTS: a
# status to answer with, `hang`, `drop`, or what is well, `-`; behind the last all is.
use strict;
use warnings;
use IO::Socket::INET;

my ($port_file, $signature, $faults) = @ARGV;
my %queues;     # name -> messages, the oldest first
my $n = 0;
my $server = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
	or die "cannot listen: $!";
$| = 1;
$SIG{PIPE} = 'IGNORE';
open(my $fh, '>', "$port_file.new") or die;
print $fh $server->sockport;
close($fh);
rename("$port_file.new", $port_file) or die;
my @faults;
if ($faults) {
	open($fh, '<', $faults) or die;
	chomp(@faults = <$fh>);
	close($fh);
}

sub decoded {
	my $s = shift;
	$s =~ s/%([0-9A-Fa-f]{2})/chr(hex($1))/ge;
	return $s;
}

sub get {
	my ($queue, $max, $visibility) = @_;
	my $xml = qq{\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><QueueMessagesList>};
	for my $m (grep { $_->{visible} <= time } @$queue) {
		last if $max-- <= 0;
		$m->{visible} = time + $visibility;
		$m->{count}++;
		$m->{receipt} = "A+b/" . ++$n . "==";
		$xml .= "<QueueMessage><MessageId>$m->{id}</MessageId>"
			. "<PopReceipt>$m->{receipt}</PopReceipt>"
			. "<DequeueCount>$m->{count}</DequeueCount>"
			. ($m->{text} eq '' ? '<MessageText />'
				: "<MessageText>$m->{text}</MessageText>")
			. "</QueueMessage>";
	}
	return (200, "$xml</QueueMessagesList>");
}

sub answer {
	my ($method, $path, $query, $body) = @_;
	my (undef, $account, $name, $messages, $id) = split(m{/}, $path);
	return (403, '<Error><Code>AuthenticationFailed</Code></Error>')
		if ($query->{sig} // '') ne $signature;
	if (!$messages && $method eq 'PUT') {
		$queues{$name} //= [];
		return (201, '');
	}
	my $queue = $queues{$name}
		or return (404, '<Error><Code>QueueNotFound</Code></Error>');
	return (200, '', 'x-ms-approximate-messages-count: ' . @$queue . "\r\n")
		if !$messages;
	if ($method eq 'POST') {
		return (400, '') unless $body =~ m{<MessageText>(.*)</MessageText>}s;
		push(@$queue, { id => sprintf('0000-%08d', ++$n), text => $1,
			count => 0, visible => 0 });
		return (201, '');
	}
	return get($queue, $query->{numofmessages} // 1,
		$query->{visibilitytimeout} // 30) if $method eq 'GET';
	# Not given out again since: also when it is visible.
	my @left = grep { $_->{id} ne $id ||
		$_->{receipt} ne decoded($query->{popreceipt} // '') } @$queue;
	return (404, '<Error><Code>MessageNotFound</Code></Error>')
		if @left == @$queue;
	@$queue = @left;
	return (204, '');
}

while (my $c = $server->accept) {
	my ($line, $length) = (scalar(<$c>) // '', 0);
	while (defined(my $field = <$c>)) {
		last if $field eq "\r\n";
		$length = $1 if $field =~ /^content-length: *(\d+)/i;
	}
	my $body = '';
	read($c, $body, $length) if $length;
	my ($method, $path, $query) = $line =~ m{^(\w+) ([^? ]*)\??(\S*)} or next;
	my %query = map { split(/=/, $_, 2) } split(/&/, $query);
	my $fault = shift(@faults) || '-';
	my ($status, $xml, $fields) = $fault eq '-' ?
		answer($method, $path, \%query, $body) : ($fault, '');
	$fields //= '';
	print "$method $path $status\n";
	if ($status eq 'hang') {
		push(@{$queues{' hanging'}}, $c);
		next;
	}
	print $c "HTTP/1.1 $status X\r\nContent-Length: " . length($xml) .
		"\r\n${fields}Connection: close\r\n\r\n$xml" if $status ne 'drop';
	close($c);
}
