#!/usr/bin/perl
# SCTP for the lab's agents: Node has no sockets for it, and Perl is on every Debian. See sctp.ts, which starts this.
#
# sctp.pl serve NAME PORT: listens in both families, says `listening`, and answers each connection with the greeting that
#   protocol.ts describes. Ends with its namespace.
# sctp.pl connect COUNT TIMEOUT_SECONDS FROM ADDRESS PORT: one connection after the other; FROM may be empty. A line each:
#   `answered`, local address, local port, greeting; or `failed`, the same two, the error's name, its text. Tabs between.
use strict;
use warnings;
use Errno;
use IO::Select;
use Socket qw(:DEFAULT inet_pton inet_ntop pack_sockaddr_in6 unpack_sockaddr_in6 sockaddr_family IPPROTO_IPV6 IPV6_V6ONLY);

my $sctp = 132;
$| = 1;

my ($task, @words) = @ARGV;
$task eq 'serve' ? serve(@words) : connect_many(@words);

sub serve {
    my ($name, $port) = @_;
    my $listeners = IO::Select->new(map { open_socket($_, $port) } '0.0.0.0', '::');
    listen($_, 128) or die "cannot listen: $!\n" for $listeners->handles;
    print "listening\n";
    while (1) {
        for my $listener ($listeners->can_read) {
            my $peer = accept(my $connection, $listener) or next;
            my ($address, $source_port) = end_of($peer);
            my $source = $address =~ /:/ ? "[$address]:$source_port" : "$address:$source_port";
            syswrite $connection, "$name on port $port sees $source\n";
        }
    }
}

sub connect_many {
    my ($count, $timeout, $from, $address, $port) = @_;
    for (1 .. $count) {
        my $socket = open_socket($from || ($address =~ /:/ ? '::' : '0.0.0.0'), 0);
        my $limit = pack 'l!l!', int $timeout, 1e6 * ($timeout - int $timeout);
        setsockopt($socket, SOL_SOCKET, $_, $limit) or die "no time out: $!\n" for SO_SNDTIMEO, SO_RCVTIMEO;
        my $greeting = '';
        my $answered = connect($socket, packed($address, $port)) && sysread($socket, $greeting, 1000);
        my ($code) = grep { $!{$_} } qw(ECONNREFUSED ENETUNREACH EHOSTUNREACH ETIMEDOUT ECONNRESET EINPROGRESS EAGAIN);
        my $error = "$!";
        my @local = end_of(getsockname $socket);
        chomp $greeting;
        print join("\t", $answered ? ('answered', @local, $greeting) : ('failed', @local, $code // '', $error)), "\n";
    }
}

# IPv6 alone on an IPv6 socket: else it would tell its peer of the host's IPv4 addresses, too, and be reached there.
sub open_socket {
    my ($address, $port) = @_;
    my $six = $address =~ /:/;
    socket(my $socket, $six ? AF_INET6 : AF_INET, SOCK_STREAM, $sctp) or die "no SCTP socket: $!\n";
    setsockopt($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    setsockopt($socket, IPPROTO_IPV6, IPV6_V6ONLY, 1) if $six;
    bind($socket, packed($address, $port)) or die "cannot bind $address: $!\n";
    return $socket;
}

sub packed {
    my ($address, $port) = @_;
    return $address =~ /:/ ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $address)) : pack_sockaddr_in($port, inet_aton($address));
}

sub end_of {
    my ($packed) = @_;
    my $family = sockaddr_family($packed);
    my ($port, $address) = $family == AF_INET6 ? unpack_sockaddr_in6($packed) : unpack_sockaddr_in($packed);
    return (inet_ntop($family, $address), $port);
}
