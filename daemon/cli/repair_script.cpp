#include "daemon/cli/repair_script.hpp"
#include "daemon/table/repair_plan.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/cli/finding_writer.hpp"
#include "daemon/core/text.hpp"
#include "daemon/web/build_info.hpp"

namespace dupwatch::cli {
namespace {

/// A dollar quote that the text does not hold: ids in it are whatever somebody has written to the log.
std::string dollar_quoted(const std::string& body) {
  std::string tag = "$plan$";
  while (body.find(tag) != std::string::npos) tag.insert(1, "x");
  return tag + body + tag;
}

std::string checked(const table::RepairStatement& statement) {
  if (statement.rows == 0) return statement.text + ";\n";
  const auto body = fmt::format(
      "\nDECLARE touched bigint;\nBEGIN\n  {};\n  GET DIAGNOSTICS touched = ROW_COUNT;\n"
      "  IF touched <> {} THEN\n"
      "    RAISE EXCEPTION 'the log is not what the plan was made for: % rows, not {}', touched;\n"
      "  END IF;\nEND ",
      statement.text, statement.rows, statement.rows);
  const auto note = statement.note.empty() ? std::string{} : fmt::format("-- by hand: {}\n", statement.note);
  return fmt::format("{}DO {};\n", note, dollar_quoted(body));
}

}  // namespace

std::string repair_block(const table::RepairPlan& plan, std::string_view margin) {
  std::string body = fmt::format("\n{0}DECLARE touched bigint;\n{0}BEGIN\n", margin);
  for (const auto& statement : plan.sql) {
    // The block is a transaction, or a part of one.
    if (statement.text == "BEGIN" || statement.text == "COMMIT") continue;
    body += fmt::format("{}  {};\n", margin, statement.text);
    if (statement.rows == 0) continue;
    body += fmt::format(
        "{0}  GET DIAGNOSTICS touched = ROW_COUNT;\n"
        "{0}  IF touched <> {1} THEN RAISE EXCEPTION 'nothing was changed: % rows, not {1}', touched; END "
        "IF;\n",
        margin, statement.rows);
  }
  body += fmt::format("{}END ", margin);
  return fmt::format("{}DO {};\n", margin, dollar_quoted(body));
}

std::string repair_script(std::string_view run_id, const table::RepairPlan& plan,
                          decoder::Timestamp made_at) {
  auto out = fmt::format(
      "-- What would repair run {},\n-- by the log as it was at {} (dupwatch {}). dupwatch has not run it: "
      "read "
      "it, then\n"
      "--   psql -X -f THIS_FILE, as owner of the table\n",
      core::visible(run_id), core::to_iso8601(made_at), web::build_info().version);
  for (const auto& sentence : plan.sentences) out += fmt::format("-- {}\n", core::visible(sentence));
  out += "\n\\set ON_ERROR_STOP on\n";
  for (const auto& statement : plan.sql) out += checked(statement);
  return out;
}

int write_new_file(const std::string& path, std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): its mode is one
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno;
  int failed = 0;
  while (failed == 0 && !text.empty()) {
    const auto written = write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      failed = errno;
    }
  }
  if (close(fd) != 0 && failed == 0) failed = errno;
  // Half a plan is none.
  if (failed != 0) (void)unlink(path.c_str());
  return failed;
}

}  // namespace dupwatch::cli
