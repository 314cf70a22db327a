#include "daemon/cli/command_line.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "daemon/cli/command.hpp"
#include "daemon/cli/configuration.hpp"
#include "daemon/cli/spelling.hpp"

namespace dupwatch::cli {
namespace {

using process::ExitCode;

constexpr const char* kFooter =
    "Exit codes: 0 clean; 1 findings (audit, explain: of any kind; check: a line failed; quarantine: a row\n"
    "stays; guard: refused, or not as it should be; upgrade-check: no-go; health: no); 2 usage or\n"
    "configuration; 3 an operator must act; 4 temporary failure.\n"
    "Passwords: PGPASSFILE, a service file, or ${ENV} in the configuration; never on the command line.";

/// A DSN may hold a password in spite of all advice: what `ps` shows is overwritten, of `config set` too.
void hide_dsn(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    char* value = nullptr;
    if (arg == "--dsn" && i + 1 < argc) value = argv[i + 1];
    for (const std::string_view key : {"dsn=", "password="}) {
      const auto at = arg.find(key);
      if (at != 0 && at < arg.find(' ') && at < arg.find('=')) value = argv[i] + at + key.size();
    }
    if (value != nullptr) std::memset(value, '*', std::strlen(value));
  }
}

/// Memory holds the password of the DSN, and a core dump would put it on a disk. The limit alone is not
/// enough: the kernel does not apply it where core_pattern names a program. A process that is not dumpable
/// also keeps its environment from everyone but root, at the price that only root can attach a debugger.
void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__                 // its search for leaks attaches to the process like a debugger
  (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // NOLINT(cppcoreguidelines-pro-type-vararg)
#endif
}

void add_common_options(CLI::App& app, const CommandRow& row, ConfigurationSource& source) {
  const auto reads = row.reads;
  if (reads >= Reads::kConfiguration) {
    app.add_option("--config", source.file,
                   "Configuration file (YAML); else $DUPWATCH_CONFIG, else /etc/dupwatch/dupwatch.yaml")
        ->type_name("FILE");
  }
  auto& overrides = source.overrides;
  if (row.web) {
    app.add_option("--web.config.file", overrides.web_config_file,
                   "TLS and users for HTTP, in the format of Prometheus' exporter-toolkit")
        ->type_name("FILE");
  }
  if (row.logs) {
    app.add_option("--log-level", overrides.log_level, "debug, info, warn or error; above log.level")
        ->type_name("LEVEL");
  }
  if (reads >= Reads::kTable) app.add_option("--dsn", overrides.dsn, "libpq connection string or URI");
  if (reads >= Reads::kSlot) {
    app.add_option("--slot", overrides.slot, "Replication slot")->type_name("NAME");
  }
  if (reads >= Reads::kStream) {
    app.add_option("--plugin", overrides.plugin, "auto, wal2json or pgoutput")->type_name("PLUGIN");
    app.add_option("--publication", overrides.publication, "Publication for pgoutput")->type_name("NAME");
  }
}

/// A row of the table with what the command line made of it.
struct Offered {
  const CommandRow* row;
  std::unique_ptr<Command> command;
  CLI::App* app;
};

/// The command, its actions too, with the common options: help of an action names them as well.
Offered offer(CLI::App& program, const CommandRow& row, ConfigurationSource& source) {
  Offered offered{.row = &row, .command = row.make(), .app = program.add_subcommand(row.name, row.summary)};
  add_common_options(*offered.app, row, source);
  offered.command->add_options(*offered.app);
  const auto footer = fmt::format("Exit codes: {}.\nExamples:\n  {}", row.exit_codes, row.examples);
  offered.app->footer(footer);
  for (auto* action : offered.app->get_subcommands({})) {
    add_common_options(*action, row, source);
    action->footer(footer);
  }
  return offered;
}

void add_options_of(const CLI::App& app, std::vector<std::string>& names) {
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const auto*) { return true; })) {
    // A group of options is a command without a name.
    if (command->get_name().empty()) {
      add_options_of(*command, names);
    } else {
      names.push_back(command->get_name());
    }
  }
  // An action takes the options of its command too.
  for (const auto* level = &app; level != nullptr; level = level->get_parent()) {
    if (level != &app && !level->get_fallthrough()) break;
    add_options_of(*level, names);
  }
  return names;
}

/// Reports the first word that the innermost command so far does not know; false: there is none.
bool report_unknown_word(const CLI::App& program, int argc, char** argv) {
  const auto* app = &program;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto names = names_of(*app);
    const auto bare = word.substr(0, word.find('='));
    if (!word.starts_with("--")) {
      const auto deeper = app->get_subcommands([&](const auto* sub) { return sub->get_name() == word; });
      if (!deeper.empty()) {
        app = deeper.front();
        continue;
      }
      // The value of an option, or a positional: only where a command must follow is it a wrong one.
      if (app->get_require_subcommand_min() == 0 || word.starts_with('-')) continue;
    } else if (std::ranges::find(names, bare) != names.end()) {
      continue;
    }
    const auto nearest = nearest_name(bare, names);
    fmt::print(stderr, "error: {} has no {} \"{}\"{}\nRun with --help for more information.\n",
               app == &program ? "dupwatch" : app->get_name(), word.starts_with("--") ? "option" : "command",
               printable(bare), nearest ? fmt::format("; did you mean {}?", *nearest) : "");
    return true;
  }
  return false;
}

int run_checked(int argc, char** argv) {
  CLI::App program{"dupwatch flags duplicate events of a durable-workflow log in Postgres as they commit.",
                   "dupwatch"};
  program.set_version_flag("--version", version_line());
  program.footer(kFooter);
  program.require_subcommand(1);
  ConfigurationSource source;
  std::vector<Offered> all;
  for (const auto& row : commands()) all.push_back(offer(program, row, source));
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come this way too, with code 0.
    if (error.get_exit_code() != 0 && report_unknown_word(program, argc, argv))
      return value(ExitCode::kUsage);
    return program.exit(error) == 0 ? value(ExitCode::kClean) : value(ExitCode::kUsage);
  }
  hide_dsn(argc, argv);
  const auto chosen = std::ranges::find_if(all, [](const Offered& offered) { return offered.app->parsed(); });
  std::optional<core::Config> config{core::Config{}};
  if (chosen->row->reads != Reads::kNothing) config = source.load_or_report();
  if (!config) return value(ExitCode::kUsage);
  return value(chosen->command->run({.config = *config,
                                     .reload = [source] { return source.reload(); },
                                     .config_option = source.option_for_others()}));
}

}  // namespace

int run_program(int argc, char** argv) noexcept {
  forbid_core_dumps();
  try {
    const int code = run_checked(argc, argv);
    // What was printed may still be in the buffer, and a full disk cuts it.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      (void)std::fputs("dupwatch: the output could not be written whole\n", stderr);
      return value(ExitCode::kTemporary);
    }
    return code;
  } catch (const std::exception& error) {
    (void)std::fputs("dupwatch: ", stderr);
    (void)std::fputs(error.what(), stderr);
    (void)std::fputs("\n", stderr);
    return value(ExitCode::kTemporary);
  }
}

}  // namespace dupwatch::cli
