#include "daemon/run/slot_creation.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dupwatch::run {
namespace {

using postgres::Connection;
using postgres::Error;

// Of the wait for other transactions, which takes as long as they do.
constexpr std::chrono::seconds kBlockersEvery{5};
// Of the wait for the primary's sign: what is asked for comes at once.
constexpr std::chrono::seconds kPrimaryEvery{1};

/// Creating a slot waits for every transaction that has written; the operator is told whose.
void name_blockers(Connection& sql, postgres::Waiter& waiter, process::Log& log) {
  const auto open = postgres::open_transactions(sql, 0, waiter);
  const auto* transactions = std::get_if<std::vector<postgres::OpenTransaction>>(&open);
  if (transactions == nullptr || transactions->empty()) return;
  log.warn(
      "creating the slot waits for open transactions",
      {{"oldest", transactions->front().description}, {"open", std::to_string(transactions->size()), true}});
}

/// A standby learns of the primary's open transactions from a record that an idle primary does not write.
class Primary {
 public:
  Primary(const core::Config& config, postgres::Waiter& waiter, process::Log& log)
      : connection_(config.connection), waiter_(waiter), log_(log) {
    connection_.dsn = config.heartbeat.dsn;
  }

  void ask() {
    if (connection_.dsn.empty()) {
      tell("creating the slot on a standby waits for the primary to log its open transactions",
           "on the primary: SELECT pg_log_standby_snapshot(); or set heartbeat.dsn to it");
      return;
    }
    if (!sql_) {
      auto opened = Connection::open(connection_, Connection::Kind::kSql, waiter_);
      if (const auto* error = std::get_if<Error>(&opened)) {
        tell("heartbeat.dsn does not lead to the primary that the new slot waits for: " + error->message,
             error->remedy);
        return;
      }
      sql_ = std::get<Connection>(std::move(opened));
    }
    if (const auto error = postgres::log_open_transactions(*sql_, waiter_)) {
      tell("the primary does not log its open transactions, which the new slot waits for: " + error->message,
           error->remedy);
      sql_.reset();
    }
  }

 private:
  void tell(const std::string& what, const std::string& remedy) {
    if (!std::exchange(told_, true)) log_.warn(what, {{"remedy", remedy}});
  }

  core::ConnectionConfig connection_;
  postgres::Waiter& waiter_;
  process::Log& log_;
  std::optional<Connection> sql_;
  bool told_ = false;
};

}  // namespace

postgres::Expected<postgres::CreatedSlot> make_slot(const core::Config& config, decoder::Plugin plugin,
                                                    Connection& replication, Connection& sql,
                                                    postgres::Waiter& waiter, process::Log& log) {
  log.info("creating the replication slot",
           {{"slot", config.slot.name}, {"plugin", std::string(to_string(plugin))}});
  if (!postgres::in_recovery(replication)) {
    return postgres::create_slot(replication, config.slot, plugin, waiter, kBlockersEvery,
                                 [&] { name_blockers(sql, waiter, log); });
  }
  Primary primary(config, waiter, log);
  return postgres::create_slot(replication, config.slot, plugin, waiter, kPrimaryEvery,
                               [&] { primary.ask(); });
}

}  // namespace dupwatch::run
