#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/watch.hpp"
#include "tests/oracle/event.hpp"
#include "tests/unit/core/event_rows.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::core {

using namespace std::chrono_literals;
using decoder::Lsn;
using oracle::Event;

/// A watch between a walsender and a table that the test plays.
class WatchTest : public ::testing::TestWithParam<decoder::Plugin> {
 protected:
  WatchTest() : WatchTest(Config{}.index.memory_max_bytes) {}
  explicit WatchTest(std::uint64_t memory_max) : config(with_memory(memory_max)) { start(0x1000); }

  static Event event(std::uint64_t id, const std::string& type = "step_created",
                     std::optional<std::string> correlation = "step_1",
                     const std::string& run = ulid("wrun_", 1)) {
    return Event{run, ulid("wevt_", id), {std::move(correlation)}, type};
  }

  void start(std::uint64_t from) {
    watch.stream_started(frames.plugin(), Lsn{from});
    relation_sent = false;
    lsn = from;
  }
  void receive(const std::string& copy_data) { watch.receive(walsender::bytes_of(copy_data), now); }
  void begin() {
    ++xid;
    lsn += 0x100;
    receive(frames.begin(lsn, xid));
  }
  /// A row of the transaction that began.
  void send(const Event& row) {
    if (!relation_sent) {
      for (const auto& relation : frames.relation()) receive(relation);
    }
    relation_sent = true;
    receive(frames.insert(lsn, xid, row));
  }
  /// The same, and it is in the table: a transaction is streamed only once it has committed.
  void insert(const Event& row) {
    send(row);
    if (std::find(table.begin(), table.end(), row) == table.end()) table.push_back(row);
  }
  /// End of the transaction: what is confirmed once it is judged and durable.
  Lsn commit() {
    receive(frames.commit(lsn, lsn + 0x30, xid));
    return Lsn{lsn + 0x30};
  }
  Lsn transaction(const std::vector<Event>& rows) {
    begin();
    for (const auto& row : rows) insert(row);
    return commit();
  }

  /// Delivers the rows of the batch in flight as the table is now.
  void deliver(const ReadBack& batch) {
    const std::set<std::string> wanted(batch.run_ids.begin(), batch.run_ids.end());
    for (const auto& row : table) {
      if (!wanted.contains(row.run_id)) continue;
      const auto spec = specs.find(row.run_id);
      watch.read_back_row(row.run_id, row.id, row.type, values_of(row.identity), {}, now,
                          spec == specs.end() ? 0 : spec->second);
    }
  }
  /// One read-back from beginning to end; the runs it asked for, sorted.
  std::vector<std::string> read_back() {
    auto batch = watch.next_read_back();
    if (!batch) return {};
    deliver(*batch);
    watch.read_back_done();
    while (watch.judge_on(now)) continue;
    std::sort(batch->run_ids.begin(), batch->run_ids.end());
    return batch->run_ids;
  }
  std::vector<Finding> findings() { return watch.take_findings(); }
  /// What would be confirmed now, with all findings durable.
  Lsn confirmed() {
    for (auto& finding : watch.take_findings()) kept.push_back(std::move(finding));
    watch.findings_durable();
    return watch.confirmed();
  }
  void evict_all() {
    watch.doubt_runs();
    ASSERT_EQ(watch.index().size(), 0U);
  }
  [[nodiscard]] std::uint64_t open(Rule rule, Severity severity) const {
    return watch.reported().open().at(static_cast<std::size_t>(rule)).at(static_cast<std::size_t>(severity));
  }
  /// New findings so far.
  [[nodiscard]] std::uint64_t told(Rule rule, Severity severity, Origin origin) const {
    return watch.counters()
        .findings.at(static_cast<std::size_t>(rule))
        .at(static_cast<std::size_t>(severity))
        .at(static_cast<std::size_t>(origin));
  }
  [[nodiscard]] std::uint64_t errors(decoder::DecodeErrorKind kind) const {
    return watch.counters().decode_errors.at(static_cast<std::size_t>(kind));
  }

  static Config with_memory(std::uint64_t bytes_max) {
    Config config;
    config.index.memory_max_bytes = bytes_max;
    return config;
  }

  Config config;
  Watch watch{config, 7};
  walsender::Frames frames{GetParam()};
  std::vector<Event> table;
  /// Of the rows of a run.
  std::map<std::string, int> specs;
  std::vector<Finding> kept;
  std::uint64_t lsn = 0;
  std::uint32_t xid = 100;
  bool relation_sent = false;
  Instant now = Instant{} + 1h;
};

inline std::string plugin_name(const ::testing::TestParamInfo<decoder::Plugin>& info) {
  return std::string(decoder::to_string(info.param));
}

}  // namespace dupwatch::core
