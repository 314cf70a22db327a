#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/cli/commands.hpp"
#include "daemon/config/config_file.hpp"
#include "daemon/process/clock.hpp"
#include "daemon/web/build_info.hpp"

namespace {

using dupwatch::process::ExitCode;

constexpr const char* kFooter =
    "Exit codes: 0 clean; 1 findings (audit, explain: of any kind; check: a line failed; quarantine: a "
    "row\n"
    "stays; guard: refused, or not as it should be; health: no); 2 usage or configuration;\n"
    "3 an operator must act; 4 temporary failure.\n"
    "Passwords: PGPASSFILE, a service file, or ${ENV} in the configuration; never on the command line.";

struct Options {
  std::string config_file;
  dupwatch::config::Overrides overrides;
  bool json = false;
  bool print_sql = false;
  std::string run_id;
  std::string repair_file;
  std::string format = "text";
  std::optional<std::string> since;
  std::optional<std::string> severities;
  dupwatch::cli::AuditOptions audit;
  dupwatch::cli::QuarantineOptions quarantine;
  std::string older_than;
  bool describe = false;
  bool ready = false;
  std::string url;
  dupwatch::web::DescriptionFormat metrics = dupwatch::web::DescriptionFormat::kText;
  dupwatch::cli::SetupOptions setup;
  dupwatch::cli::GuardOptions guard;
};

std::optional<std::string> environment(std::string_view name) {
  const char* value =
      std::getenv(std::string(name).c_str());  // NOLINT(concurrency-mt-unsafe): nothing sets one
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

/// A DSN may hold a password in spite of all advice: what `ps` shows is overwritten.
void hide_dsn(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    char* value = nullptr;
    if (arg == "--dsn" && i + 1 < argc) value = argv[i + 1];
    if (arg.starts_with("--dsn=")) value = argv[i] + 6;
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

void add_common(CLI::App& command, Options& options) {
  command.add_option("--config", options.config_file, "Configuration file (YAML)")->type_name("FILE");
  command.add_option("--dsn", options.overrides.dsn, "libpq connection string or URI");
  command.add_option("--slot", options.overrides.slot, "Replication slot")->type_name("NAME");
  command.add_option("--plugin", options.overrides.plugin, "auto, wal2json or pgoutput")->type_name("PLUGIN");
  command.add_option("--publication", options.overrides.publication, "Publication for pgoutput")
      ->type_name("NAME");
}

void add_setup(CLI::App& command, Options& options) {
  auto& setup = options.setup;
  command.add_flag("--print-sql", options.print_sql, "Print the SQL; dupwatch never runs it itself")
      ->required();
  command.add_flag("--quarantine", setup.quarantine,
                   "Add the table and the rights that dupwatch quarantine needs");
  auto* uninstall = command.add_flag("--uninstall", setup.uninstall, "Print the SQL that undoes the setup");
  auto* drop = command.add_flag("--drop-tables", setup.drop_tables,
                                "Drop dupwatch's own tables too, unless one has the only copy of a row");
  command
      .add_flag("--discard-quarantined", setup.discard_quarantined,
                "Drop them even then: the rows that were taken out of the log are lost")
      ->needs(drop);
  drop->needs(uninstall);
}

void add_audit(CLI::App& command, Options& options) {
  command.add_option("--format", options.format, "text, json (one object a line) or csv")
      ->check(CLI::IsMember({"text", "json", "csv"}));
  command.add_flag_callback(
      "--json", [&options] { options.format = "json"; }, "The same as --format json");
  command
      .add_option("--severity", options.severities,
                  "Only these: fatal, conflict, harmless, unknown; several with commas")
      ->type_name("LIST");
  command
      .add_option("--since", options.since, "Only runs begun since: a UTC time, or an age such as 12h or 7d")
      ->type_name("TIME");
  command.add_option("--after", options.audit.after, "Go on behind this run, as an interrupted audit said")
      ->type_name("RUN_ID");
  command.add_option("--max-rate", options.audit.rate_max, "Rows a second at most; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->type_name("ROWS");
  command.add_flag("--before-migration", options.audit.before_migration,
                   "What the engine's unique-index migration would delete");
}

void add_batch(CLI::App& apply, CLI::Option& file, dupwatch::cli::QuarantineOptions& quarantine) {
  apply
      .add_flag("--before-migration", quarantine.before_migration,
                "The rows in the way of the engine's unique-index migration, fatal or not")
      ->needs(&file);
  apply.add_option("--rate", quarantine.rate, "Rows a second at most; 0: no limit")
      ->check(CLI::Range(0.0, 10'000.0))
      ->needs(&file)
      ->type_name("ROWS");
  apply.add_option("--limit", quarantine.rows_max, "End after so many rows")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000}))
      ->needs(&file)
      ->type_name("ROWS");
}

void add_quarantine(CLI::App& command, Options& options) {
  using Action = dupwatch::cli::QuarantineOptions::Action;
  auto& quarantine = options.quarantine;
  command.require_subcommand(1);
  command.fallthrough();
  command.add_flag("--json", quarantine.json, "One JSON document on stdout");
  const auto action = [&](const char* name, const char* text, Action what) {
    auto* sub = command.add_subcommand(name, text);
    sub->callback([&quarantine, what] { quarantine.action = what; });
    return sub;
  };
  auto* list = action("list", "The rows that were taken out, the newest first", Action::kList);
  list->add_option("--run", quarantine.list_run, "Only of this run")->type_name("RUN_ID");
  list->add_option("--limit", quarantine.limit, "At most so many")->check(CLI::Range(1, 100'000));
  auto* show = action("show", "One entry with the row that was kept", Action::kShow);
  auto* apply = action("apply", "Take the row at fault of a fatal finding out of the log", Action::kApply);
  auto* run_id = apply->add_option("RUN_ID", quarantine.run_id, "The run");
  auto* finding = apply->add_option("FINDING", quarantine.finding_id, "Its finding_id");
  auto* file = apply->add_option("--from-audit", quarantine.from_audit,
                                 "Every row of a file that dupwatch audit --format json wrote; -: stdin");
  file->type_name("FILE")->excludes(run_id)->excludes(finding);
  run_id->needs(finding);
  add_batch(*apply, *file, quarantine);
  apply
      ->add_option("--neutralise", quarantine.neutralise,
                   "noop: leave the row in its place with that type, in a run with slot numbers")
      ->check(CLI::IsMember({"noop"}))
      ->needs(finding);
  auto* restore = action("restore", "Put a row back as it was", Action::kRestore);
  for (auto* sub : {show, restore}) {
    sub->add_option("ID", quarantine.entry, "The entry's number")->required()->check(CLI::PositiveNumber);
  }
  auto* purge = action("purge", "Delete old entries with the rows that they keep", Action::kPurge);
  purge->add_option("--older-than", options.older_than, "Age, such as 12h or 30d")
      ->required()
      ->type_name("AGE");
  for (auto* sub : {apply, purge}) {
    sub->add_flag("--dry-run", quarantine.dry_run, "Say what would be done, and do nothing");
  }
  action("status", "What the daemon took out by itself, and whether it may go on", Action::kStatus);
  auto* resume =
      action("resume", "Let the daemon take rows out again after it stopped itself", Action::kResume);
  for (auto* sub : {apply, restore, purge, resume}) sub->add_flag("--yes", quarantine.yes, "Do not ask");
}

void add_metrics(CLI::App& command, Options& options) {
  using Format = dupwatch::web::DescriptionFormat;
  static const std::map<std::string, Format> formats = {
      {"text", Format::kText}, {"json", Format::kJson}, {"markdown", Format::kMarkdown}};
  command
      .add_flag("--describe", options.describe,
                "Print name, type, labels, unit, meaning and most series of each metric")
      ->required();
  command
      .add_option_function<std::string>(
          "--format", [&options](const std::string& name) { options.metrics = formats.at(name); },
          "text, json or markdown")
      ->check(CLI::IsMember({"text", "json", "markdown"}));
  command.add_flag_callback(
      "--json", [&options] { options.metrics = Format::kJson; }, "The same as --format json");
}

void add_health(CLI::App& command, Options& options) {
  command.add_option("--config", options.config_file, "Configuration file (YAML), for http.listen")
      ->type_name("FILE");
  command.add_flag("--ready", options.ready, "Ask whether it watches, not only whether it is alive");
  command.add_option("--url", options.url, "Where it listens, such as http://127.0.0.1:9788")
      ->type_name("URL");
}

void add_guard(CLI::App& command, Options& options) {
  using Action = dupwatch::cli::GuardOptions::Action;
  auto& guard = options.guard;
  command.require_subcommand(0, 1);
  command.fallthrough();
  command.add_flag("--json", guard.json, "One JSON document on stdout");
  command.add_flag("--print-sql", guard.print_sql, "Print the SQL and change nothing");
  command.add_flag("--lifecycle", guard.lifecycle,
                   "Keep out step_started and step_retrying behind the step's closing event too");
  const auto action = [&](const char* name, const char* text, Action what) {
    auto* sub = command.add_subcommand(name, text);
    sub->callback([&guard, what] { guard.action = what; });
    return sub;
  };
  auto* install = action("install", "Put the trigger on the table, as its owner", Action::kInstall);
  auto* remove = action("remove", "Take it off again, without trace", Action::kRemove);
  action("status", "Whether it is there, what it kept out, and whether it is needed", Action::kStatus);
  for (auto* sub : {install, remove}) sub->add_flag("--yes", guard.yes, "Do not ask");
}

/// The options of quarantine, or nullopt after telling the problem.
std::optional<dupwatch::cli::QuarantineOptions> quarantine_options(const Options& options) {
  auto quarantine = options.quarantine;
  if (quarantine.action != dupwatch::cli::QuarantineOptions::Action::kPurge) return quarantine;
  quarantine.older_than_millis = dupwatch::cli::parse_age(options.older_than).value_or(0);
  if (quarantine.older_than_millis != 0) return quarantine;
  (void)std::fputs("--older-than: expected an age like 12h or 30d, not less than 1h\n", stderr);
  return std::nullopt;
}

using LoadFile = dupwatch::config::ConfigResult (*)(const std::string&, const dupwatch::config::Environment&);

/// What the file and the options say together.
dupwatch::config::ConfigResult configuration(const Options& options, LoadFile load_file) {
  dupwatch::core::Config config;
  std::vector<dupwatch::config::ConfigProblem> problems;
  if (!options.config_file.empty()) {
    auto loaded = load_file(options.config_file, environment);
    if (auto* found = std::get_if<std::vector<dupwatch::config::ConfigProblem>>(&loaded)) {
      problems = std::move(*found);
    } else {
      config = std::get<dupwatch::core::Config>(std::move(loaded));
    }
  }
  dupwatch::config::apply_overrides(config, options.overrides, problems);
  if (!problems.empty()) return problems;
  return config;
}

/// The configuration, or nullopt after telling every problem.
std::optional<dupwatch::core::Config> load(const Options& options) {
  auto result = configuration(options, dupwatch::config::load_config_file);
  if (auto* config = std::get_if<dupwatch::core::Config>(&result)) return std::move(*config);
  for (const auto& problem : std::get<std::vector<dupwatch::config::ConfigProblem>>(result)) {
    (void)std::fputs((dupwatch::config::format_problem(problem) + "\n").c_str(), stderr);
  }
  return std::nullopt;
}

/// The options of audit, or nullopt after telling the problem.
std::optional<dupwatch::cli::AuditOptions> audit_options(const Options& options) {
  auto audit = options.audit;
  if (options.format == "json") audit.format = dupwatch::cli::OutputFormat::kJson;
  if (options.format == "csv") audit.format = dupwatch::cli::OutputFormat::kCsv;
  if (options.since) {
    const auto now = dupwatch::process::wall_now().micros / 1000;
    audit.since_millis = dupwatch::cli::parse_since(*options.since, static_cast<std::uint64_t>(now));
    if (!audit.since_millis) {
      (void)std::fputs("--since: expected a UTC time like 2026-11-24T05:21 or an age like 12h or 7d\n",
                       stderr);
      return std::nullopt;
    }
  }
  if (options.severities && !dupwatch::cli::parse_severities(*options.severities, audit.severities)) {
    (void)std::fputs("--severity: expected one or more of fatal, conflict, harmless, unknown, with commas\n",
                     stderr);
    return std::nullopt;
  }
  return audit;
}

ExitCode dispatch(const CLI::App& app, const Options& options) {
  if (app.got_subcommand("metrics")) return dupwatch::cli::metrics_command(options.metrics);
  const auto config = load(options);
  if (!config) return ExitCode::kUsage;
  if (app.got_subcommand("audit")) {
    const auto audit = audit_options(options);
    return audit ? dupwatch::cli::audit_command(*config, *audit) : ExitCode::kUsage;
  }
  if (app.got_subcommand("explain")) {
    return dupwatch::cli::explain_command(*config, options.run_id, options.json, options.repair_file);
  }
  if (app.got_subcommand("run")) {
    return dupwatch::cli::run_command(
        *config, [options] { return configuration(options, dupwatch::config::reload_config_file); });
  }
  if (app.got_subcommand("check")) return dupwatch::cli::check_command(*config, options.json);
  if (app.got_subcommand("health")) {
    return dupwatch::cli::health_command(*config, options.ready, options.url);
  }
  if (app.got_subcommand("drop")) return dupwatch::cli::drop_command(*config, options.json);
  if (app.got_subcommand("quarantine")) {
    const auto quarantine = quarantine_options(options);
    return quarantine ? dupwatch::cli::quarantine_command(*config, *quarantine) : ExitCode::kUsage;
  }
  if (app.got_subcommand("guard")) return dupwatch::cli::guard_command(*config, options.guard);
  return dupwatch::cli::setup_command(*config, options.setup);
}

int main_checked(int argc, char** argv) {
  CLI::App app{"dupwatch flags duplicate events of a durable-workflow log in Postgres as they commit.",
               "dupwatch"};
  const auto info = dupwatch::web::build_info();
  app.set_version_flag("--version", "dupwatch " + std::string(info.version) + " (" +
                                        std::string(info.revision) + ", " + std::string(info.compiler) + ")");
  app.footer(kFooter);
  app.require_subcommand(1);
  Options options;
  auto* run = app.add_subcommand("run", "Watch until SIGTERM");
  auto* check =
      app.add_subcommand("check", "Preflight: what must be mended before run, with the SQL that mends it");
  auto* setup = app.add_subcommand("setup", "Print the SQL a DBA runs: role, grants, publication");
  auto* drop = app.add_subcommand("drop", "Drop the replication slot, so that it retains no WAL");
  auto* audit = app.add_subcommand("audit", "Judge all rows that are in the table, without a slot");
  auto* explain = app.add_subcommand("explain", "Show one run as replay reads it, and what can be done");
  auto* guard = app.add_subcommand("guard", "Keep second creation events out of the table of an old engine");
  auto* quarantine = app.add_subcommand("quarantine", "Take rows out of the log, keep them, put them back");
  auto* health =
      app.add_subcommand("health", "Ask the running daemon whether it is alive; for health checks");
  auto* metrics = app.add_subcommand("metrics", "Say what every metric of /metrics means");
  for (auto* command : {run, check, audit, explain, quarantine, guard, setup, drop})
    add_common(*command, options);
  add_audit(*audit, options);
  add_quarantine(*quarantine, options);
  add_guard(*guard, options);
  add_metrics(*metrics, options);
  add_health(*health, options);
  explain->add_option("RUN_ID", options.run_id, "The run")->required();
  explain
      ->add_option("--repair-plan", options.repair_file,
                   "Write the SQL that would mend the run to this new file; nobody runs it")
      ->type_name("FILE");
  for (auto* command : {check, explain, drop})
    command->add_flag("--json", options.json, "One JSON document on stdout");
  add_setup(*setup, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come this way too, with code 0.
    return app.exit(error) == 0 ? value(ExitCode::kClean) : value(ExitCode::kUsage);
  }
  hide_dsn(argc, argv);
  return value(dispatch(app, options));
}

}  // namespace

int main(int argc, char** argv) {
  forbid_core_dumps();
  try {
    return main_checked(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fputs((std::string("dupwatch: ") + error.what() + "\n").c_str(), stderr);
    return dupwatch::process::value(ExitCode::kTemporary);
  }
}
