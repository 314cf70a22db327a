# What dupwatch --help says of every command, as data. The manual page and the completions are made of it, so that they
# cannot lag behind the program.
package Help;
use strict;
use warnings;

# CLI11 begins the second column here; a head that is longer has its text on the next line.
my $COLUMN = 30;

sub output {
  my @command = @_;
  open(my $pipe, '-|', @command, '--help') or die "cannot run @command: $!\n";
  my @lines = <$pipe>;
  close($pipe) or die "@command --help failed\n";
  chomp @lines;
  return @lines;
}

# --format TEXT:{text,json} -> flags, the value's name, the values that it can have
sub head {
  my ($head) = @_;
  my ($names, $value) = split ' ', $head;
  my %entry = (names => [split /,/, $names]);
  if (defined $value && $value =~ /^([A-Z][A-Z_]*)(?::\{(.*)\})?/ && $1 ne 'REQUIRED' && $value !~ /^(Needs|Excludes):/) {
    $entry{value} = $1;
    $entry{choices} = [split /,/, $2] if defined $2;
  }
  return %entry;
}

# command(BINARY, WORDS...) -> {words, about, positionals, options, subcommands (parsed alike), footer}
sub command {
  my ($binary, @words) = @_;
  my @lines = output($binary, @words);
  my %command = (words => [@words], about => shift @lines, positionals => [], options => [], subcommands => [], footer => []);
  my $section = '';
  for my $i (0 .. $#lines) {
    my $line = $lines[$i];
    if ($line =~ /^(Positionals|Options|Subcommands):$/) { $section = lc $1; next }
    if ($line =~ /^Exit codes:/) { $section = 'footer' }
    if ($section eq 'footer') { push @{$command{footer}}, $line; next }
    next if $section eq '' || $line !~ /^ {2}\S/;
    my $next = $lines[$i + 1] // '';
    my $alone = $next =~ /^ {$COLUMN}(\S.*)/ ? $1 : undef;
    my $head = defined $alone ? $line : substr($line, 0, $COLUMN);
    my $text = defined $alone ? $alone : length $line > $COLUMN ? substr($line, $COLUMN) : '';
    push @{$command{$section}}, {head($head), text => $text};
  }
  $_ = command($binary, @words, $_->{names}[0]) for @{$command{subcommands}};
  return \%command;
}

# The command and all below it, parents first.
sub all {
  my ($command) = @_;
  return ($command, map { all($_) } @{$command->{subcommands}});
}

1;
