# What both manual pages need.
package Roff;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = ('roff');

# Text as troff shows it unchanged.
sub roff {
  my ($text) = @_;
  $text =~ s/\\/\\e/g;
  $text =~ s/-/\\-/g;
  $text =~ s/^([.'])/\\&$1/mg;
  return $text;
}

1;
