#include "daemon/cli/findings_acknowledge.hpp"

#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <variant>

#include "daemon/cli/daemon_client.hpp"
#include "daemon/cli/findings_source.hpp"
#include "daemon/cli/findings_view.hpp"
#include "daemon/cli/report_error.hpp"
#include "daemon/core/finding_record.hpp"
#include "daemon/core/text.hpp"

namespace dupwatch::cli {
namespace {

using process::ExitCode;

constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20U;

/// Who sits at the keyboard, as far as the environment says.
std::string own_name() {
  for (const auto* name : {"SUDO_USER", "USER", "LOGNAME"}) {
    const auto* user = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no other thread
    if (user != nullptr && *user != '\0') return user;
  }
  return {};
}

struct Done {
  core::Finding finding;
  bool durable = false;
};

std::optional<Done> read_done(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  Done done;
  if (parser.parse(body).get(answer) != simdjson::SUCCESS ||
      answer["durable"].get(done.durable) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  auto finding = core::read_finding(simdjson::minify(answer["finding"].value()));
  if (!finding) return std::nullopt;
  done.finding = *std::move(finding);
  return done;
}

/// {"error":"..."} without its wrapping; empty = it is none.
std::string error_in(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  std::string_view error;
  if (parser.parse(body).get(answer) != simdjson::SUCCESS || answer["error"].get(error) != simdjson::SUCCESS)
    return {};
  return std::string(error);
}

ExitCode code_of(long status) noexcept {
  if (status == 401 || status == 403) return ExitCode::kOperator;
  return status >= 400 && status < 500 ? ExitCode::kUsage : ExitCode::kTemporary;
}

std::variant<Done, SourceFailure> change(const DaemonClient& client, const AcknowledgeWish& wish,
                                         const std::string& id) {
  const auto& path = wish.take_back ? "unacknowledge" : "acknowledge";
  const auto by = wish.by.empty() ? own_name() : wish.by;
  const auto body =
      wish.take_back ? std::string{"{}"}
                     : fmt::format(R"({{"comment":{},"until":{},"by":{}}})", core::json_string(wish.comment),
                                   core::json_string(wish.until), core::json_string(by));
  const auto asked = client.post(fmt::format("/api/findings/{}/{}", id, path), body, kAnswerBytesMax);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&asked)) return SourceFailure{failure->what};
  const auto& answer = std::get<DaemonClient::Answer>(asked);
  if (answer.status == 200) {
    if (auto done = read_done(answer.body)) return *std::move(done);
    return SourceFailure{fmt::format("{} gives no finding: is it dupwatch?", client.base())};
  }
  if (answer.status == 401) return refusal(client, answer);
  auto why = error_in(answer.body);
  if (why.empty()) return refusal(client, answer);
  return SourceFailure{std::move(why), code_of(answer.status)};
}

std::string line_of(const core::Finding& finding, bool take_back) {
  const auto which =
      fmt::format("{} ({} {} in run {})", core::finding_id_text(finding.id), to_string(finding.severity),
                  to_string(finding.rule), core::visible(finding.run_id));
  if (take_back || !finding.acknowledgement) return fmt::format("{}: {}\n", which, to_string(finding.state));
  return fmt::format("{}: acknowledged {}\n", which, acknowledgement_text(*finding.acknowledgement));
}

}  // namespace

ExitCode acknowledge_findings(const core::Config& config, const AcknowledgeWish& wish) {
  const auto made = DaemonClient::of(config, wish.url);
  if (const auto* failure = std::get_if<DaemonClient::Failure>(&made)) {
    fmt::print(stderr, "error: {}\n", failure->what);
    return ExitCode::kUsage;
  }
  const auto& client = std::get<DaemonClient>(made);
  auto code = ExitCode::kClean;
  bool durable = true;
  std::string list;
  for (const auto& id : wish.ids) {
    // It becomes part of a path.
    const auto finding_id = core::parse_finding_id(id);
    const auto asked = finding_id ? change(client, wish, core::finding_id_text(*finding_id))
                                  : SourceFailure{
                                        "a finding id has 16 hexadecimal digits; take it from FINDING "
                                        "of dupwatch findings",
                                        ExitCode::kUsage};
    if (const auto* failure = std::get_if<SourceFailure>(&asked)) {
      fmt::print(stderr, "error: {}: {}\n", core::visible(id), failure->what);
      code = failure->code;
      continue;
    }
    const auto& done = std::get<Done>(asked);
    durable = durable && done.durable;
    list += (list.empty() ? "\n" : ",\n") + core::to_json(done.finding);
    if (!wish.json) print(line_of(done.finding, wish.take_back));
  }
  if (wish.json) print(fmt::format("{{\"durable\":{},\"findings\":[{}]}}\n", durable, list));
  if (!durable) {
    fmt::print(stderr,
               "not durable yet: a restart of the daemon forgets it; remedy: set findings.file or "
               "findings.table, and look at dupwatch_findings_durable\n");
  }
  return code;
}

}  // namespace dupwatch::cli
