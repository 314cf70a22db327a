# completion.pl BINARY bash|zsh   writes the shell's completion to stdout
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Help;

my ($binary, $shell) = @ARGV;
my %values = ('--plugin' => [qw(auto wal2json pgoutput)], '--severity' => [qw(fatal conflict harmless unknown)]);
# By the option's name alone: what --format takes in any command is offered in all, and dupwatch refuses the wrong one.
my %files;
my @cases;
my @commands = Help::all(Help::command($binary));

# CLI11 hands what a subcommand does not know to the command above it.
sub options {
  my ($command) = @_;
  my @above = grep { "@{$_->{words}}" eq $command->{words}[0] } @{$commands[0]{subcommands}} if @{$command->{words}} > 1;
  my %seen;
  return grep { !$seen{$_->{names}[-1]}++ } map { @{$_->{options}} } $command, @above;
}

for my $command (@commands) {
  my @found = map { [$_->{words}[-1], $_->{about}] } @{$command->{subcommands}};
  for my $option (options($command)) {
    my $name = $option->{names}[-1];
    push @found, [$name, $option->{text}];
    $files{$name} = 1 if ($option->{value} // '') eq 'FILE';
    for my $choice (@{$option->{choices} // []}) {
      push @{$values{$name}}, $choice if !grep { $_ eq $choice } @{$values{$name}};
    }
  }
  push @cases, ["@{$command->{words}}", @found];
}
my $paths = join ' | ', map { "'" . (@{$_->{words}} > 1 ? '' : ' ') . "@{$_->{words}}'" } grep { @{$_->{words}} } @commands;
my $files = join ' | ', sort keys %files;

if ($shell eq 'bash') {
  print "# bash completion for dupwatch, made from its --help\n\n_dupwatch() {\n";
  print "  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} at='' i\n";
  print "  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"\$at \${COMP_WORDS[i]}\" in\n";
  print "      $paths) at=\"\${at:+\$at }\${COMP_WORDS[i]}\" ;;\n    esac\n  done\n  local words=''\n";
  print "  case \$before in\n    $files)\n      mapfile -t COMPREPLY < <(compgen -f -- \"\$current\")\n      return\n      ;;\n";
  print "    $_) words='@{$values{$_}}' ;;\n" for sort keys %values;
  print "    *)\n      case \$at in\n";
  print "        '$_->[0]') words='", join(' ', map { $_->[0] } @$_[1 .. $#$_]), "' ;;\n" for @cases;
  print "      esac\n      ;;\n  esac\n  mapfile -t COMPREPLY < <(compgen -W \"\$words\" -- \"\$current\")\n}\n";
  print "complete -F _dupwatch dupwatch\n";
} elsif ($shell eq 'zsh') {
  print "#compdef dupwatch\n# made from dupwatch --help\n\n_dupwatch() {\n  local at='' word\n  local -a found\n";
  print "  for word in \${words[2,CURRENT-1]}; do\n    case \"\$at \$word\" in\n";
  print "      ($paths) at=\"\${at:+\$at }\$word\" ;;\n    esac\n  done\n  case \${words[CURRENT-1]} in\n";
  print "    ($files) _files; return ;;\n";
  print "    ($_) found=(@{$values{$_}}) ;;\n" for sort keys %values;
  print "    (*)\n      case \$at in\n";
  for my $case (@cases) {
    my ($path, @found) = @$case;
    print "        ('$path')\n          found=(\n";
    for my $one (@found) {
      my ($name, $text) = @$one;
      $text =~ s/'/'\\''/g;
      $text =~ s/:/\\:/g;
      print "            '$name:$text'\n";
    }
    print "          ) ;;\n";
  }
  print "      esac ;;\n  esac\n  _describe 'dupwatch' found\n}\n\n_dupwatch \"\$@\"\n";
} else {
  die "bash or zsh, not $shell\n";
}
