#include "daemon/run/server_watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dupwatch::run {
namespace {

constexpr std::chrono::seconds kLagMax{30};

}  // namespace

ServerWatch::ServerWatch(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                         process::Log& log, std::uint64_t seed)
    : config_(config),
      watch_(watch),
      sql_(sql),
      heartbeat_(config, watch, sql, log, seed),
      witness_(config, watch, sql),
      slot_holes_(config, watch, sql) {}

void ServerWatch::streaming(const Attachment& attachment, const Source& source, core::Instant now) {
  lag_.reset();
  slot_holes_.configure(source);
  witness_.started(attachment.table, attachment.extras.xmin, now);
  heartbeat_.started(now);
  admission_.started(source.connection, now);
}

void ServerWatch::leave_server(const core::ConnectionConfig& connection, core::Instant now) {
  sql_.renew(connection.server, now);
  heartbeat_.rest(now);
  admission_.rest();
}

void ServerWatch::turn(bool others, core::Instant now) {
  heartbeat_.tick(now);
  witness_.tick(now);
  slot_holes_.tick(now);
  admission_.tick(now, others);
}

core::Instant ServerWatch::deadline() const noexcept {
  return std::min(
      {witness_.deadline(), slot_holes_.deadline(), heartbeat_.deadline(), admission_.deadline()});
}

void ServerWatch::note_farewell(const postgres::Error& error) {
  if (postgres::says_goodbye(error)) farewell_ = error;
}

std::optional<postgres::Error> ServerWatch::take_farewell() {
  auto said = sql_.take_farewell();
  if (!said) said = heartbeat_.take_farewell();
  if (!said) said = admission_.take_farewell();
  if (!said) said = std::exchange(farewell_, std::nullopt);
  return said;
}

std::string ServerWatch::disagreement() const {
  const auto& standing = watch_.witness().standing();
  if (!standing) return {};
  const auto& table = config_.profile.qualified_name();
  return *standing == core::Disagreement::kDeaf
             ? fmt::format(
                   "deaf: {} has rows, committed since streaming began, that the stream did not bring", table)
             : fmt::format("blind: the stream brought rows of {} that a query does not show", table);
}

void ServerWatch::describe(core::StatusSnapshot& out, core::Instant now) const {
  out.stream.server_end = std::max(lag_.tip(), watch_.received());
  out.stream.lag_seconds = lag_.lag(now).count();
  out.heartbeat = heartbeat_.status(now);
  out.witness = watch_.witness().stats();
}

std::string ServerWatch::trouble(core::Instant now) const {
  if (lag_.lag(now) > kLagMax) return fmt::format("behind the server for {:.0f} s", lag_.lag(now).count());
  if (auto trouble = heartbeat_.trouble(now); !trouble.empty()) return trouble;
  if (auto trouble = disagreement(); !trouble.empty()) return trouble;
  return witness_.trouble(now);
}

}  // namespace dupwatch::run
