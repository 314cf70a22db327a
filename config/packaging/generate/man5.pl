# man5.pl CONFIGURATION VERSION   writes dupwatch.yaml(5) to stdout: the reference configuration's own comments, key by key
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Roff;

my ($file, $version) = @ARGV;
open(my $in, '<', $file) or die "cannot read $file: $!\n";
chomp(my @lines = <$in>);

# Lines that are set in by two or more stand as they are.
sub paragraphs {
  my $set_in = 0;
  for my $line (@_) {
    my $example = $line =~ /^ {2}/;
    print ".PP\n.RS\n.nf\n" if $example && !$set_in;
    print ".fi\n.RE\n" if !$example && $set_in;
    $set_in = $example;
    my $text = $example ? substr($line, 2) : $line;
    print length $text ? roff($text) : '.PP', "\n";
  }
  print ".fi\n.RE\n" if $set_in;
}

sub term {
  my ($path, $value) = @_;
  print ".TP\n", '\fB' . roff($path) . '\fR', length $value ? ': ' . roff($value) : '', "\n";
}

my @comment;
my $section = '';
my $group = '';    # of keys within the section
print qq{.TH DUPWATCH.YAML 5 "" "dupwatch $version" "File Formats"\n};
print ".SH NAME\ndupwatch.yaml \\- configuration of dupwatch\n.SH DESCRIPTION\n";
shift @lines while @lines && $lines[0] =~ /^# dupwatch,|^#?$/;
while (@lines && $lines[0] =~ /^# ?(.*)/) { push @comment, $1; shift @lines }
paragraphs(splice @comment);
print ".SH KEYS\nEach with its default; one without a value has none.\n";
my $keys = 0;
for my $line (@lines) {
  if ($line =~ /^\s*# ([a-z_]+): (.*)$/) {    # a key that has no default, with an example
    term("$section$1", '');
    paragraphs(splice(@comment), "Example: $1: $2");
    $keys += 1;
  } elsif ($line =~ /^\s*# ?(.*)$/) {
    push @comment, $1;
  } elsif ($line =~ /^([a-z_]+):$/) {
    ($section, $group) = ("$1.", '');
    print ".SS $1\n";
    paragraphs(splice @comment);
  } elsif ($line =~ /^  ([a-z_]+):$/) {
    $group = "$1.";
    term("$section$1", '');
    paragraphs(splice @comment);
  } elsif ($line =~ /^(\s*)([a-z_]+): (.*)$/) {
    $group = '' if length $1 < 4;
    if ($1 eq '') {
      $section = '';
      print ".SS $2\n";
    }
    term("$section$group$2", $3);
    paragraphs(splice @comment);
    $keys += 1;
  } elsif ($line ne '') {
    die "$file: neither comment nor key: $line\n";
  }
}
die "$file: no keys\n" if !$keys;
print ".SH FILES\n.TP\n\\fB/etc/dupwatch/dupwatch.yaml\\fR\nThis file, with all of the above as comments.\n";
print ".SH SEE ALSO\n.BR dupwatch (1)\n";
