#include <fmt/format.h>

#include <cstdio>
#include <optional>
#include <string>
#include <variant>

#include "daemon/cli/command.hpp"
#include "daemon/core/finding.hpp"
#include "daemon/postgres/catalog.hpp"
#include "daemon/process/loop_waiter.hpp"

namespace dupwatch::cli {
namespace {

using postgres::Connection;
using postgres::Error;

struct Dropped {
  bool existed = false;
  std::int64_t freed_bytes = 0;
};

std::variant<Dropped, Error> drop(const core::Config& config, postgres::Waiter& waiter) {
  auto opened = Connection::open(config.connection, Connection::Kind::kSql, waiter);
  if (auto* error = std::get_if<Error>(&opened)) return *error;
  auto& sql = std::get<Connection>(opened);
  const auto found = postgres::find_slot(sql, config.slot.name, waiter);
  if (const auto* error = std::get_if<Error>(&found)) return *error;
  const auto& slot = std::get<std::optional<postgres::SlotRow>>(found);
  if (!slot) return Dropped{};
  if (auto error = postgres::drop_slot(sql, config.slot.name, waiter)) return *error;
  return Dropped{.existed = true, .freed_bytes = slot->retained_bytes};
}

process::ExitCode drop_command(const core::Config& config, bool json) {
  const process::StopSignals stop;
  process::LoopWaiter waiter(stop.fd(), [] {});
  const auto outcome = drop(config, waiter);
  if (const auto* error = std::get_if<Error>(&outcome)) {
    const bool in_use = error->cause == postgres::Cause::kSlotInUse;
    fmt::print(stderr, "error: {}; remedy: {}\n", error->message,
               in_use ? "stop the dupwatch that streams from it, then run this again" : error->remedy);
    // A slot in use is for a person: dropping it under a running daemon would blind that daemon.
    return error->fault == postgres::Fault::kTransient && !in_use ? process::ExitCode::kTemporary
                                                                  : process::ExitCode::kOperator;
  }
  const auto& dropped = std::get<Dropped>(outcome);
  if (json) {
    std::string name;
    core::append_json_string(name, config.slot.name);
    fmt::print("{{\"slot\":{},\"existed\":{},\"released_wal_bytes\":{}}}\n", name, dropped.existed,
               dropped.freed_bytes);
  } else if (dropped.existed) {
    fmt::print("replication slot {} is dropped; it held back {} bytes of WAL\n", config.slot.name,
               dropped.freed_bytes);
  } else {
    fmt::print("there is no replication slot {}\n", config.slot.name);
  }
  return process::ExitCode::kClean;
}

class DropCommand final : public Command {
 public:
  void add_options(CLI::App& app) override { app.add_flag("--json", json_, "One JSON document on stdout"); }
  [[nodiscard]] process::ExitCode run(const Invocation& invocation) override {
    return drop_command(invocation.config, json_);
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_drop() {
  return std::make_unique<DropCommand>();
}

}  // namespace dupwatch::cli
