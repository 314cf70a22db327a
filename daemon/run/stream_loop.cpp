#include "daemon/run/stream_loop.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/process/loop_waiter.hpp"
#include "decoder/frame.hpp"

namespace dupwatch::run {
namespace {

using postgres::Connection;
using postgres::Error;
using postgres::Fault;

// Frequent enough that a crash repeats little work and an idle slot stays at the tip; 34 bytes each.
constexpr std::chrono::milliseconds kStatusIntervalMax{1'000};
constexpr std::chrono::milliseconds kStatusIntervalMin{100};
// Between two looks at the clock, whichever comes first: at most some 2 ms of work at the measured rates.
constexpr int kMessagesPerTurn = 512;
constexpr std::size_t kBytesPerTurn = std::size_t{2} << 20U;
// A silent server is asked for a sign of life this often; the answer carries its end of WAL.
constexpr std::chrono::seconds kProbeInterval{5};
constexpr std::chrono::milliseconds kSleepMax{250};
constexpr std::chrono::seconds kFinishTimeout{2};
// A broken table makes a notice per row; the metrics count them, the log shows the first ones.
constexpr std::chrono::minutes kNoticeWindow{1};
constexpr std::uint64_t kNoticesPerWindow = 20;
// libpq's buffer grows with the largest message and shrinks with the connection alone. Rows of a kind come
// together: only when none has come for a while is the memory given back.
constexpr std::size_t kLargeMessage = std::size_t{32} << 20U;
constexpr std::chrono::seconds kLargeMessageRest{5};

Error server_closed() {
  return Error{.fault = Fault::kTransient,
               .cause = postgres::Cause::kServerClosed,
               .sqlstate = {},
               .message = "the server ended the stream (shutdown)",
               .remedy = {}};
}

Error server_waits() {
  return Error{.fault = Fault::kTransient,
               .cause = postgres::Cause::kServerWaits,
               .sqlstate = {},
               .message =
                   "the server does nothing but ask for a position that is not durable yet, as it does "
                   "when it shuts down",
               .remedy = "Nothing to do: dupwatch connects again, and the slot stays where it is."};
}

Error memory_kept(std::size_t bytes) {
  return Error{.fault = Fault::kTransient,
               .cause = postgres::Cause::kMemoryKept,
               .sqlstate = {},
               .message = fmt::format("a message of {} MiB has gone through; dupwatch connects again to give "
                                      "back the memory that it took",
                                      bytes >> 20U),
               .remedy =
                   "Nothing to do. Where such rows are common, use pgoutput with a publication whose "
                   "column list leaves the payload out (dupwatch setup --print-sql)."};
}

}  // namespace

std::chrono::milliseconds StreamLoop::status_interval(std::chrono::milliseconds wal_sender_timeout) {
  // A third: one lost or late update still leaves the server two before it gives up.
  if (wal_sender_timeout.count() == 0) return kStatusIntervalMax;
  return std::clamp(wal_sender_timeout / 3, kStatusIntervalMin, kStatusIntervalMax);
}

StreamLoop::StreamLoop(const Parts& parts, Connection& replication,
                       std::chrono::milliseconds wal_sender_timeout)
    : parts_(parts),
      replication_(replication),
      status_interval_(status_interval(wal_sender_timeout)),
      pace_(replication.socket()) {}

std::optional<Error> StreamLoop::run() {
  facts_.started = process::steady_now();
  facts_.last_received = facts_.started;
  facts_.heard = facts_.started;
  parts_.sink.stream_started();
  next_probe_ = facts_.started + kProbeInterval;
  for (auto now = facts_.started;;) {
    const auto turned = process::steady_now();
    parts_.watch.counters().loop_turn.observe(std::chrono::duration<double>(turned - now).count());
    if (wait(turned) == Wake::kStop) {
      finish();
      return std::nullopt;
    }
    now = process::steady_now();
    if (now >= pace_.deadline()) buffered_ = true;
    if (may_read()) {
      if (auto error = read_stream(now)) {
        report(process::steady_now());
        return error;
      }
      report(now);
      pace_.look(now);
    } else {
      facts_.heard = now;
    }
    parts_.sql.turn(now, sql_readable_);
    parts_.host.turn(now);
    if (parts_.sink.accepts()) (void)parts_.watch.judge_on(now);
    report(now);
    if (auto error = parts_.host.judge(facts_, now)) return error;
    if (auto error = stands_in_the_way()) return error;
    if (auto error = keeps_memory(now)) return error;
    parts_.read_backs.pump(now, pace_.backlog());
    parts_.watch.evict(now);
    // A sync that is over may move the position, but asks for no further one: a storm would have the disk
    // sync all the time. So may a page of the coverage file.
    const bool synced = parts_.sink.take_progress();
    const bool written = parts_.book.take_written();
    const bool asked = parts_.watch.reply_requests().take();
    const bool due = asked || now >= next_status_;
    if (due) {
      report(now);
      parts_.sink.sync(now);
    }
    if (due || synced || written) {
      const bool probe = now >= next_probe_;
      if (probe) next_probe_ = now + kProbeInterval;
      if (!send_status(now, probe)) return replication_.error(postgres::Stage::kStream);
    }
    if (unflushed_) unflushed_ = !replication_.flush();
  }
}

bool StreamLoop::may_read() const {
  return parts_.watch.may_read() && parts_.sink.accepts();
}

/// Not before its transaction is confirmed: it would be sent again.
std::optional<Error> StreamLoop::keeps_memory(core::Instant now) const {
  if (large_.bytes == 0 || now - large_.last < kLargeMessageRest) return std::nullopt;
  if (parts_.watch.confirmed() <= large_.position) return std::nullopt;
  return memory_kept(large_.bytes);
}

/// A server that shuts down ends its sessions with queries first and its walsenders when their clients have
/// confirmed all that was sent. Where that session can't be had, its end is not seen.
std::optional<Error> StreamLoop::stands_in_the_way() const {
  if (parts_.watch.reply_requests().insistent()) return server_waits();
  if (!parts_.sql.trouble() || may_read()) return std::nullopt;
  // What is not read can't show it either. The error is no word of the stream, so its SQLSTATE says nothing
  // of what is in the WAL.
  auto error = *parts_.sql.trouble();
  error.fault = Fault::kTransient;
  if (!postgres::says_goodbye(error)) error.sqlstate.clear();
  return error;
}

StreamLoop::Wake StreamLoop::wait(core::Instant now) {
  const bool reading = may_read();
  auto deadline = std::min({next_status_, parts_.sql.deadline(), parts_.read_backs.deadline(),
                            parts_.host.turn_deadline(), parts_.watch.next_expiry()});
  if (parts_.sink.accepts()) deadline = std::min(deadline, parts_.watch.next_judging(now));
  if (reading && buffered_) deadline = now;
  if (reading) deadline = std::min(deadline, pace_.deadline());
  // Rows of read-backs come in pieces of 8 KiB, and waking for each costs both sides more than they do. The
  // pace wakes this loop every millisecond.
  const bool leaves_sql = reading && pace_.backlog() && parts_.sql.events() == POLLIN;
  const auto stream_events = static_cast<short>((reading ? POLLIN : 0) | (unflushed_ ? POLLOUT : 0));
  std::array<pollfd, 5> fds{
      {{.fd = parts_.stop_fd, .events = POLLIN, .revents = 0},
       {.fd = replication_.socket(), .events = stream_events, .revents = 0},
       {.fd = leaves_sql ? -1 : parts_.sql.socket(), .events = parts_.sql.events(), .revents = 0},
       {.fd = parts_.wake.fd(), .events = POLLIN, .revents = 0},
       {.fd = parts_.heartbeat != nullptr ? parts_.heartbeat->socket() : -1,
        .events = parts_.heartbeat != nullptr ? parts_.heartbeat->events() : short{0},
        .revents = 0}}};
  (void)poll(fds.data(), fds.size(), process::poll_timeout(now, deadline, kSleepMax));
  // Other sockets wake as well; for them the stream is left to gather.
  if (fds[1].revents != 0) buffered_ = true;
  sql_readable_ = leaves_sql || fds[2].revents != 0;
  if (fds[3].revents != 0) parts_.wake.clear();
  return fds[0].revents != 0 ? Wake::kStop : Wake::kGoOn;
}

std::optional<Error> StreamLoop::read_stream(core::Instant now) {
  if (!buffered_) return std::nullopt;
  pace_.reads(now);
  // libpq takes more from the socket only when it has no whole message left: it would move what it holds each
  // time, and hold the backlog for a loop that waits for read-backs.
  bool looked = false;
  std::size_t bytes = 0;
  for (int i = 0; i < kMessagesPerTurn && bytes < kBytesPerTurn && may_read(); ++i) {
    auto read = replication_.read_copy();
    if (const auto* data = std::get_if<Connection::CopyData>(&read)) {
      facts_.last_received = now;
      facts_.heard = now;
      facts_.received_any = true;
      next_probe_ = now + kProbeInterval;
      pace_.received(data->bytes.size());
      parts_.watch.receive(data->bytes, now);
      bytes += data->bytes.size();
      if (data->bytes.size() >= kLargeMessage) {
        large_ = {std::max(large_.bytes, data->bytes.size()), parts_.watch.received(), now};
      }
      if (pace_.empties()) looked = false;
    } else if (std::holds_alternative<Connection::WouldBlock>(read)) {
      if (std::exchange(looked, true)) {
        buffered_ = false;
        return std::nullopt;
      }
      // What a broken connection delivered before it broke is still read; the error comes from read_copy().
      (void)replication_.consume_input();
    } else if (std::holds_alternative<Connection::EndOfCopy>(read)) {
      return server_closed();
    } else {
      return std::get<Error>(std::move(read));
    }
  }
  return std::nullopt;  // more is buffered: the next turn goes on at once
}

void StreamLoop::report(core::Instant now) {
  leave_notices(now);
  if (parts_.watch.has_findings()) parts_.sink.report(parts_.watch.take_findings(), now);
}

/// Everything judged up to here is in what was taken; the position moves only if all of it is on disk.
void StreamLoop::note_durable(core::Instant now) {
  parts_.sink.report(parts_.watch.take_findings(), now);
  if (const auto position = parts_.sink.durable(parts_.watch.taken())) {
    parts_.watch.findings_durable(*position);
  }
}

bool StreamLoop::send_status(core::Instant now, bool reply_requested) {
  note_durable(now);
  next_status_ = now + status_interval_;
  const auto position = parts_.book.confirmable(parts_.watch.confirmed(), now);
  const auto update = decoder::encode_status_update(position, process::wall_now(), reply_requested);
  if (!replication_.write_copy(update)) return false;
  unflushed_ = !replication_.flush();
  ++parts_.watch.counters().status_updates;
  return true;
}

void StreamLoop::leave_notices(core::Instant now) {
  const auto notices = parts_.watch.take_notices();
  if (now - notices_since_ >= kNoticeWindow) {
    if (notices_ > kNoticesPerWindow) {
      parts_.log.warn("notices suppressed in the log; dupwatch_decode_errors_total counts them all",
                      {{"suppressed", std::to_string(notices_ - kNoticesPerWindow), true}});
    }
    notices_since_ = now;
    notices_ = 0;
  }
  for (const auto& notice : notices) {
    if (++notices_ <= kNoticesPerWindow) log_notice(notice);
  }
}

void StreamLoop::log_notice(const core::Notice& notice) {
  const process::Log::Fields fields{{"lsn", decoder::to_string(notice.lsn)}, {"detail", notice.detail}};
  switch (notice.kind) {
    case core::Notice::Kind::kDecodeError:
      parts_.log.error("cannot decode a message of the stream: its event was not checked", fields);
      break;
    case core::Notice::Kind::kUnidentifiable:
      parts_.log.error("a row of the watched table has no run or no id: it was not checked", fields);
      break;
    case core::Notice::Kind::kTruncated:
      parts_.log.warn("the watched table was truncated", fields);
      break;
    case core::Notice::Kind::kColumnsMissing:
      parts_.log.error("the watched table lost a column: its events can't be checked", fields);
      break;
  }
}

/// What is not durable by then comes again at the next start.
void StreamLoop::settle(core::Instant deadline) {
  for (auto now = process::steady_now(); now < deadline && parts_.sink.may_settle(now);
       now = process::steady_now()) {
    parts_.sink.sync(now);
    parts_.sink.table().pump(now);
    parts_.sql.turn(now);
    std::array<pollfd, 2> fds{{{.fd = parts_.sql.socket(), .events = parts_.sql.events(), .revents = 0},
                               {.fd = parts_.wake.fd(), .events = POLLIN, .revents = 0}}};
    const auto until = std::min(deadline, parts_.sql.deadline());
    (void)poll(fds.data(), fds.size(), process::poll_timeout(now, until, kSleepMax));
    if (fds[1].revents != 0) parts_.wake.clear();
    parts_.sql.turn(process::steady_now());
  }
}

void StreamLoop::finish() {
  pace_.rest();
  const auto deadline = process::steady_now() + kFinishTimeout;
  report(process::steady_now());
  settle(deadline);
  note_durable(process::steady_now());
  parts_.book.settle(parts_.watch.confirmed(), deadline);
  if (!send_status(process::steady_now(), false) || !replication_.end_copy()) return;
  // The server answers CopyDone with its own once it has read our last position; then nothing was lost on the
  // way.
  while (process::steady_now() < deadline) {
    const bool flushed = replication_.flush();
    pollfd fd{.fd = replication_.socket(),
              .events = static_cast<short>(flushed ? POLLIN : POLLIN | POLLOUT),
              .revents = 0};
    (void)poll(&fd, 1, process::poll_timeout(process::steady_now(), deadline, kSleepMax));
    if (!replication_.consume_input()) return;
    for (;;) {
      const auto read = replication_.read_copy();
      if (std::holds_alternative<Connection::WouldBlock>(read)) break;
      if (!std::holds_alternative<Connection::CopyData>(read)) return;
    }
  }
}

}  // namespace dupwatch::run
