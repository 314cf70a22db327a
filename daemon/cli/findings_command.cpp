#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <variant>

#include "daemon/cli/audit_options.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/finding_writer.hpp"
#include "daemon/cli/findings_acknowledge.hpp"
#include "daemon/cli/findings_source.hpp"
#include "daemon/cli/findings_view.hpp"
#include "daemon/cli/findings_watch.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/page_link.hpp"
#include "daemon/core/text.hpp"
#include "daemon/findings/file_history.hpp"
#include "daemon/process/clock.hpp"

namespace dupwatch::cli {
namespace {

using core::Finding;
using process::ExitCode;

enum class FindingsAction : std::uint8_t { kList, kShow, kWatch, kExport, kAcknowledge, kTakeBack };

constexpr std::size_t kListedDefault = 50;

struct FindingsOptions {
  FindingsAction action = FindingsAction::kList;
  bool open = false;
  std::string severities;
  std::string rules;
  std::string states;
  std::string run_id;
  std::string correlation_id;
  std::string since;
  std::size_t limit = kListedDefault;
  std::string group_by;
  std::string output;
  std::string source = "auto";
  std::string url;
  std::string id;
  AcknowledgeWish wish;
};

SourceChoice choice_of(const FindingsOptions& options) {
  SourceChoice choice{.kind = SourceKind::kAuto, .url = options.url};
  if (options.source == "daemon") choice.kind = SourceKind::kDaemon;
  if (options.source == "file") choice.kind = SourceKind::kFile;
  if (options.source == "table") choice.kind = SourceKind::kTable;
  return choice;
}

std::string_view name_of(SourceKind kind) noexcept {
  switch (kind) {
    case SourceKind::kAuto:
      return "auto";
    case SourceKind::kDaemon:
      return "daemon";
    case SourceKind::kFile:
      return "file";
    case SourceKind::kTable:
      return "table";
  }
  return "?";
}

/// The filter that the options make; what is wrong with one, empty = nothing.
std::string read_filter(const FindingsOptions& options, core::FindingFilter& filter) {
  std::string wrong;
  const auto take = [&](std::string_view option, const std::string& value, auto only) {
    if (value.empty() || !wrong.empty()) return;
    if (const auto why = (filter.*only)(value); !why.empty()) wrong = fmt::format("{}: {}", option, why);
  };
  if (options.open) wrong = filter.only_states("open,acknowledged");
  take("--severity", options.severities, &core::FindingFilter::only_severities);
  take("--rule", options.rules, &core::FindingFilter::only_rules);
  take("--state", options.states, &core::FindingFilter::only_states);
  filter.run_id = options.run_id;
  filter.correlation_id = options.correlation_id;
  if (options.since.empty() || !wrong.empty()) return wrong;
  const auto now = static_cast<std::uint64_t>(process::wall_now().micros) / 1000;
  if (const auto millis = parse_since(options.since, now)) {
    filter.since = decoder::Timestamp{static_cast<std::int64_t>(*millis) * 1000};
    return {};
  }
  filter.since = core::parse_rfc3339(options.since);
  return filter.since ? ""
                      : "--since: expected a time such as 2026-11-24T05:21:38Z, or an age such as 12h or 7d";
}

std::string json_of(const FoundFindings& found) {
  std::string list;
  for (const auto& finding : found.findings) list += (list.empty() ? "\n" : ",\n") + core::to_json(finding);
  return fmt::format(R"({{"source":"{}","from":{},"matched":{},"findings":[{}]}})"
                     "\n",
                     name_of(found.kind), core::json_string(found.from), found.matched, list);
}

ExitCode fail(const SourceFailure& failure) {
  fmt::print(stderr, "error: {}\n", failure.what);
  return failure.code;
}

/// What a source leaves out, which a reader of any output has to know.
std::string older_text(SourceKind kind) {
  return kind == SourceKind::kFile
             ? fmt::format("only the last {} MiB of it were read; older ones: --source daemon or table",
                           findings::kHistoryBytesMax >> 20U)
             : std::string("the daemon keeps the newest findings.keep; older ones: --source file or table");
}

/// For people: what the list leaves out, and what to do next.
void print_footer(const FoundFindings& found, const core::Profile& profile, std::string_view config_option) {
  if (found.findings.size() < found.matched) {
    fmt::print(stderr, "{} of {} findings, what is urgent first; --limit 0 shows all\n",
               found.findings.size(), found.matched);
  }
  if (found.findings.empty()) return;
  fmt::print(stderr, "next: dupwatch explain{} RUN, then dupwatch {}\n", config_option,
             fix_form(!profile.takes_rows_out(), config_option, "FINDING"));
}

ExitCode list(const core::Config& config, const FindingsOptions& options, const core::FindingFilter& filter,
              std::string_view config_option) {
  const bool by_run = options.group_by == "run";
  const bool whole = options.action == FindingsAction::kExport || by_run;
  auto found = find_findings(config, choice_of(options), filter, whole ? 0 : options.limit);
  if (const auto* failure = std::get_if<SourceFailure>(&found)) return fail(*failure);
  const auto& list = std::get<FoundFindings>(found);
  fmt::print(stderr, "from {}\n", list.from);
  if (list.may_lack_older) fmt::print(stderr, "{}\n", older_text(list.kind));
  const bool colours = isatty(STDOUT_FILENO) == 1;
  if (options.output == "csv") {
    print(csv_header());
    for (const auto& finding : list.findings) print(csv_line(finding));
  } else if (options.action == FindingsAction::kExport) {
    for (const auto& finding : list.findings) print(core::to_json(finding) + '\n');
  } else if (options.output == "json") {
    print(json_of(list));
  } else if (list.findings.empty()) {
    print("no findings\n");
  } else if (by_run) {
    print(runs_table(list.findings, colours));
  } else {
    const auto width = options.output == "wide" ? TableWidth::kWide : TableWidth::kNarrow;
    print(findings_table(list.findings, width, process::wall_now(), colours));
  }
  if (options.action == FindingsAction::kList && options.output != "csv" && options.output != "json") {
    (void)std::fflush(stdout);
    print_footer(list, config.profile, config_option);
  }
  return ExitCode::kClean;
}

ExitCode show(const core::Config& config, const FindingsOptions& options, std::string_view config_option) {
  const auto id = core::parse_finding_id(options.id);
  if (!id) {
    fmt::print(stderr,
               "error: {} is no finding id; remedy: take the 16 hexadecimal digits of FINDING from "
               "dupwatch findings\n",
               core::visible(options.id));
    return ExitCode::kUsage;
  }
  const auto found = find_finding(config, choice_of(options), *id);
  if (const auto* failure = std::get_if<SourceFailure>(&found)) return fail(*failure);
  const auto& finding = std::get<std::optional<Finding>>(found);
  if (!finding) {
    fmt::print(stderr, "error: there is no finding {}; remedy: see dupwatch findings\n", options.id);
    return ExitCode::kUsage;
  }
  if (options.output == "json") {
    print(core::to_json(*finding) + '\n');
    return ExitCode::kClean;
  }
  print(finding_text(*finding, config_option, isatty(STDOUT_FILENO) == 1));
  if (const auto link = core::finding_link(config.http.external_url, finding->id); !link.empty())
    print(fmt::format("  {}\n", link));
  return ExitCode::kClean;
}

class FindingsCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.add_flag("--open", options_.open,
                 "Only those whose rows are in the log of a run that goes on, acknowledged or not");
    app.add_option("--severity", options_.severities, "Some of fatal,conflict,harmless,unknown");
    app.add_option("--rule", options_.rules, "Some of the rules, such as duplicate_created,second_terminal");
    app.add_option("--state", options_.states, "Some of open,acknowledged,run_ended,quarantined,gone")
        ->excludes("--open");
    app.add_option("--run", options_.run_id, "Only of this run")->type_name("RUN_ID");
    app.add_option("--correlation-id", options_.correlation_id, "Only of this step, wait or hook")
        ->type_name("ID");
    app.add_option("--since", options_.since, "Reported since: 12h, 7d, or 2026-11-24T05:21:38Z")
        ->type_name("WHEN");
    app.add_option("--limit", options_.limit, "At most this many, what is urgent first; 0: all")
        ->check(CLI::Range(0, 10'000'000));
    app.add_option("--group-by", options_.group_by, "run: one line for each run")
        ->check(CLI::IsMember({"run"}));
    app.add_option("-o,--output", options_.output, "table, wide, json or csv")
        ->check(CLI::IsMember({"table", "wide", "json", "csv"}));
    app.add_option("--source", options_.source,
                   "auto, daemon, file or table; auto: the running daemon, else findings.file, else "
                   "findings.table")
        ->check(CLI::IsMember({"auto", "daemon", "file", "table"}));
    app.add_option("--url", options_.url, "Where the daemon listens, such as http://127.0.0.1:9788")
        ->type_name("URL");
    action(app, "show", "One finding with all that is known of it, and what to do next",
           FindingsAction::kShow)
        ->add_option("ID", options_.id, "Its finding id")
        ->required();
    action(app, "watch", "The list, then each finding as the daemon reports it", FindingsAction::kWatch);
    add_acknowledge(app);
    action(app, "export", "All of them, one JSON object on each line, or -o csv", FindingsAction::kExport);
  }
  [[nodiscard]] ExitCode run(const Invocation& invocation) override {
    core::FindingFilter filter;
    if (const auto wrong = read_filter(options_, filter); !wrong.empty()) {
      fmt::print(stderr, "{}\n", wrong);
      return ExitCode::kUsage;
    }
    if (options_.action == FindingsAction::kShow)
      return show(invocation.config, options_, invocation.config_option);
    if (options_.action == FindingsAction::kAcknowledge || options_.action == FindingsAction::kTakeBack)
      return change(invocation.config);
    if (options_.action == FindingsAction::kWatch) return watch(invocation.config, std::move(filter));
    return list(invocation.config, options_, filter, invocation.config_option);
  }

 private:
  CLI::App* action(CLI::App& app, const char* name, const char* text, FindingsAction what) {
    auto* sub = app.add_subcommand(name, text);
    sub->callback([this, what] { options_.action = what; });
    return sub;
  }
  void add_acknowledge(CLI::App& app) {
    auto& wish = options_.wish;
    auto* ack = action(app, "ack", "Say that somebody knows: no alert stands for them until then",
                       FindingsAction::kAcknowledge);
    ack->add_option("ID", wish.ids, "Finding ids")->required();
    ack->add_option("--comment", wish.comment, "Why, for those who come after you")->required();
    ack->add_option("--until", wish.until, "How long, such as 90m, 8h or 7d, or a time, 2026-11-24T05:21:38Z")
        ->type_name("WHEN")
        ->capture_default_str();
    ack->add_option("--by", wish.by, "Your name; else $SUDO_USER, else $USER")->type_name("NAME");
    action(app, "unack", "Take that back", FindingsAction::kTakeBack)
        ->add_option("ID", wish.ids, "Finding ids")
        ->required();
  }
  [[nodiscard]] ExitCode change(const core::Config& config) {
    auto& wish = options_.wish;
    wish.take_back = options_.action == FindingsAction::kTakeBack;
    wish.json = options_.output == "json";
    wish.url = options_.url;
    if (options_.source == "auto" || options_.source == "daemon") return acknowledge_findings(config, wish);
    fmt::print(stderr, "error: the daemon alone can do that; remedy: leave out --source\n");
    return ExitCode::kUsage;
  }
  [[nodiscard]] ExitCode watch(const core::Config& config, core::FindingFilter filter) const {
    if (options_.output == "csv" || !options_.group_by.empty() ||
        (options_.source != "auto" && options_.source != "daemon")) {
      fmt::print(stderr, "watch: the daemon tells of single findings, as table, wide or json\n");
      return ExitCode::kUsage;
    }
    return watch_findings(config,
                          {.filter = std::move(filter),
                           .limit = options_.limit,
                           .width = options_.output == "wide" ? TableWidth::kWide : TableWidth::kNarrow,
                           .json = options_.output == "json",
                           .url = options_.url});
  }

  FindingsOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_findings() {
  return std::make_unique<FindingsCommand>();
}

}  // namespace dupwatch::cli
