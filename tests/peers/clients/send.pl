# Net::SMTP (and Authen::SASL for the mechanisms): reads a job as JSON, submits its messages on one connection, and prints what came of each.
use strict;
use warnings;
use JSON::PP;
use Net::SMTP;
use Authen::SASL qw(Perl);

$SIG{PIPE} = 'IGNORE';    # a lost connection is the library's to tell

my $job = decode_json(do { local $/; <STDIN> });
my @outcomes;

sub finish {
    print encode_json({ outcomes => \@outcomes });
    exit 0;
}

# The reply that the library has, one line of it.
sub said { my ($smtp) = @_; my $text = $smtp->message; $text =~ s/\s+/ /g; $text =~ s/ $//; return [ $smtp->code, $text ] }

my %trust = (SSL_ca_file => $job->{authority}, SSL_verify_mode => 1);
my $smtp = Net::SMTP->new(
    $job->{host},
    Port    => $job->{port},
    Hello   => 'client.test',
    Timeout => 15,
    ($job->{way} eq 'implicit' ? (SSL => 1) : ()), %trust,
) or do { push @outcomes, [ 'connect', "$@" ]; finish() };

if ($job->{way} eq 'upgraded' && !$smtp->starttls(%trust)) { push @outcomes, [ 'tls', "$@" ]; finish() }

if ($job->{mechanism}) {
    my $sasl = Authen::SASL->new(
        mechanism => $job->{mechanism},
        callback  => { user => $job->{user}, authname => '', pass => $job->{secret} },
    );
    if (!$smtp->auth($sasl)) { push @outcomes, said($smtp); $smtp->quit; finish() }
}

for my $path (@{ $job->{messages} }) {
    open my $file, '<:raw', $path or die "$path: $!";
    my $octets = do { local $/; <$file> };
    my $done = $smtp->mail($job->{sender}) && $smtp->to($job->{recipient}) && $smtp->data && $smtp->datasend($octets) && $smtp->dataend;
    push @outcomes, $done ? [ 'done', '' ] : said($smtp);
    $smtp->reset unless $done;
}
$smtp->quit;
finish();
