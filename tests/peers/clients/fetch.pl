# Net::POP3 (and Authen::SASL for the mechanisms): reads a job as JSON, fetches every message into a file, removes it, and prints what came of it.
use strict;
use warnings;
use JSON::PP;
use Net::POP3;
use Authen::SASL qw(Perl);

$SIG{PIPE} = 'IGNORE';    # a lost connection is the library's to tell

$SIG{__WARN__} = sub { };    # Net::POP3 warns about a reply that never came

my $job = decode_json(do { local $/; <STDIN> });
my @outcomes;

sub finish {
    print encode_json({ outcomes => \@outcomes });
    exit 0;
}

sub said { my ($pop) = @_; my $text = $pop->message; $text =~ s/\s+/ /g; $text =~ s/ $//; return [ $pop->code, $text ] }

my %trust = (SSL_ca_file => $job->{authority}, SSL_verify_mode => 1);
my $pop = Net::POP3->new(
    $job->{host},
    Port    => $job->{port},
    Timeout => 15,
    ($job->{way} eq 'implicit' ? (SSL => 1) : ()), %trust,
) or do { push @outcomes, [ 'connect', "$@" ]; finish() };

if ($job->{way} eq 'upgraded' && !$pop->starttls(%trust)) { push @outcomes, [ 'tls', "$@" ]; finish() }

my $in;
if    ($job->{mechanism} eq 'USER') { $in = $pop->login($job->{user}, $job->{secret}) }
elsif ($job->{mechanism} eq 'APOP') { $in = $pop->apop($job->{user}, $job->{secret}) }
else {
    $in = $pop->auth(Authen::SASL->new(
        mechanism => $job->{mechanism},
        callback  => { user => $job->{user}, authname => '', pass => $job->{secret} },
    ));
}
if (!defined $in || !$in) { push @outcomes, said($pop); $pop->quit; finish() }

for my $number (sort { $a <=> $b } keys %{ $pop->list || {} }) {
    my $lines = $pop->get($number);
    if (!$lines) { push @outcomes, said($pop); next }
    open my $file, '>:raw', "$job->{box}/$number" or die $!;
    print $file @$lines;
    close $file;
    push @outcomes, $pop->delete($number) ? [ 'done', '' ] : said($pop);
}
push @outcomes, $pop->quit ? [ 'quit', '' ] : said($pop);
finish();
