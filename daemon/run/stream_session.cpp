#include "daemon/run/stream_session.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace dupwatch::run {
namespace {

// A server that has sent nothing for so long may be gone; the stream is not cut for it, since a walsender
// that decodes a large transaction is silent too, but it is not called ready.
constexpr std::chrono::seconds kSilenceMax{30};

}  // namespace

StreamSession::StreamSession(const core::Config& config, core::Watch& watch, postgres::SqlClient& sql,
                             process::Log& log, std::uint64_t seed)
    : watch_(watch), sql_(sql), read_backs_(config, watch, sql, log, seed) {
  if (const auto limit = memory_.group_limit()) {
    log.info("the control group limits memory",
             {{"event", "memory_limit"}, {"bytes", std::to_string(*limit), true}});
  }
}

void StreamSession::started(const Attachment& attachment, core::Instant now) {
  memory_.renew();
  watch_.stream_started(attachment.plugin, attachment.from, attachment.table.columns_of_type("bytea"));
  watch_.server_wal(attachment.system.wal_position, now);
  catch_up_target_ = attachment.system.wal_position;
}

StreamSession::End StreamSession::run(const StreamLoop::Parts& parts, Attachment& attachment) {
  loop_.emplace(parts, attachment.replication, attachment.wal_sender_timeout);
  auto error = loop_->run();
  const auto lasted = process::steady_now() - loop_->facts().started;
  loop_.reset();
  return {.error = std::move(error), .lasted = lasted};
}

void StreamSession::describe(core::StatusSnapshot& out, core::Instant now) const {
  const auto& index = watch_.index();
  out.counters = watch_.counters();
  out.counters.evictions = index.evictions();
  out.stream.received = watch_.received();
  out.stream.confirmed = watch_.confirmed();
  if (loop_ && loop_->facts().received_any) {
    const std::chrono::duration<double> age = now - loop_->facts().last_received;
    out.stream.last_message_unix_seconds =
        static_cast<double>(process::wall_now().micros) / 1e6 - age.count();
  }
  out.index.runs = index.size();
  out.index.rows = index.rows();
  out.index.bytes = index.bytes();
  out.index.bytes_max = index.bytes_max();
  out.order_watch = watch_.order_watch();
  out.index.read_back_pending = watch_.pending_runs();
}

std::string StreamSession::trouble(core::Instant now) const {
  if (!loop_) return {};
  if (now - loop_->facts().last_received > kSilenceMax) return "the server has sent nothing for 30 s";
  if (watch_.judged() < catch_up_target_) {
    return fmt::format("catching up: {} bytes of WAL to judge",
                       decoder::bytes_between(watch_.judged(), catch_up_target_));
  }
  if (read_backs_.trouble()) return "runs can't be read back: " + read_backs_.trouble()->message;
  if (sql_.trouble()) return "no SQL connection: " + sql_.trouble()->message;
  return {};
}

}  // namespace dupwatch::run
