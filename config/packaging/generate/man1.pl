# man1.pl BINARY VERSION   writes dupwatch(1) to stdout
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Help;
use Roff;

my ($binary, $version) = @ARGV;
my $top = Help::command($binary);

sub bold { return '\fB' . roff($_[0]) . '\fR' }

sub entries {
  for my $entry (@_) {
    my $value = $entry->{value};
    my $name = join ', ', map { bold($_) } @{$entry->{names}};
    $name .= ' ' . ($entry->{choices} ? roff(join '|', @{$entry->{choices}}) : '\fI' . roff($value) . '\fR') if $value && $entry->{names}[0] =~ /^-/;
    print ".TP\n$name\n", roff($entry->{text}), "\n";
  }
}

sub synopsis {
  my ($command) = @_;
  my $words = join ' ', 'dupwatch', @{$command->{words}};
  return bold($words) . join('', map { ' [\fI' . roff($_->{names}[0]) . '\fR]' } @{$command->{positionals}}) . ' [options]';
}

print qq{.TH DUPWATCH 1 "" "dupwatch $version" "User Commands"\n};
print ".SH NAME\ndupwatch \\- flags duplicate events of a durable\\-workflow log in Postgres as they commit\n";
print ".SH SYNOPSIS\n";
print join(".br\n", map { synopsis($_) . "\n" } @{$top->{subcommands}});
print ".SH DESCRIPTION\n", roff(<<'TEXT');
dupwatch follows a logical replication slot, keeps an index of event identities per run, and judges every row as replay
will read it. Each finding says what happened and whether the run is going to die of it, in a log, a findings file, a
table, an HTTP API and Prometheus metrics.
TEXT
print ".PP\n", bold('dupwatch run'), " is what the service does; ", bold('dupwatch check'),
  " says what must be fixed before. Every key of the configuration is in\n.BR dupwatch.yaml (5).\n";
print ".SH OPTIONS\n";
entries(@{$top->{options}});
print ".SH COMMANDS\n";
for my $command (grep { @{$_->{words}} } Help::all($top)) {
  print ".SS ", roff(join ' ', @{$command->{words}}), "\n", roff("$command->{about}."), "\n";
  entries(@{$command->{positionals}}, grep { $_->{names}[-1] ne '--help' } @{$command->{options}});
}
my $footer = join ' ', @{$top->{footer}};
my ($codes, $passwords) = $footer =~ /^Exit codes: (.*?)\s+(Passwords: .*)$/ or die "--help ends otherwise: $footer\n";
print ".SH EXIT STATUS\n";
while ($codes =~ /(\d) (.*?)[;.](?= \d |\s*$)/g) { print ".TP\n", bold($1), "\n", roff("$2."), "\n" }
print ".SH FILES\n";
print ".TP\n", bold($_->[0]), "\n", roff($_->[1]), "\n" for
  ['/etc/dupwatch/dupwatch.yaml', 'The configuration of the service.'],
  ['/etc/default/dupwatch', 'Environment of the service, such as secrets for ${NAME} in the configuration. Not there unless you make it.'],
  ['/var/lib/dupwatch', "Home of the service's account: .pgpass, .pg_service.conf, and the place for findings.file."],
  ['/usr/share/dupwatch', 'Alert rules, runbooks, dashboards, SQL, an example for other tables.'];
print ".SH NOTES\n", roff($passwords), "\n";
print ".PP\n", roff(<<'TEXT');
While dupwatch is down its slot retains WAL on the server. dupwatch drop drops it, and so does pg_drop_replication_slot.
TEXT
print ".SH SEE ALSO\n.BR dupwatch.yaml (5),\n.BR systemctl (1),\n.BR journalctl (1)\n";
