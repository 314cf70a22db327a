// Frames of a walsender through decoder and core, in bytes and in events.
#include <benchmark/benchmark.h>

#include "daemon/core/watch.hpp"
#include "decoder/frame.hpp"
#include "tests/bench/micro/load.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::bench {
namespace {

using decoder::Plugin;

constexpr std::size_t kEventsPerTransaction = 10;
/// The stream fits into a processor's second cache: in the daemon libpq has copied the bytes just before.
constexpr std::size_t kStreamBytes = 1'000'000;

struct Stream {
  std::vector<std::string> frames;
  std::size_t events = 0;
};

/// Bytes as a bytea column's text shows them.
std::string hex(std::size_t bytes) {
  Random random(7);
  std::string out(bytes * 2, '0');
  for (auto& c : out) c = "0123456789abcdef"[random() % 16];
  return out;
}

/// wal2json's row of workflow.workflow_events, the columns in the table's order.
std::string wal2json_insert(const EventText& event, std::string_view type, std::string_view payload) {
  return fmt::format(
      R"({{"action":"I","xid":739,"timestamp":"2026-11-24 05:52:19.910244+00","lsn":"0/19401C8",)"
      R"("nextlsn":"0/194024F","schema":"workflow","table":"workflow_events","columns":[)"
      R"({{"name":"id","value":"{}"}},{{"name":"type","value":"{}"}},{{"name":"correlation_id","value":"{}"}},)"
      R"({{"name":"created_at","value":"2026-11-24 05:52:19.910244"}},{{"name":"run_id","value":"{}"}},)"
      R"({{"name":"payload","value":null}},{{"name":"payload_cbor","value":"{}"}}]}})",
      view(event.id), type, view(event.correlation), view(event.run), payload);
}

/// The frames of runs of ten events in transactions of ten.
Stream frames(Plugin plugin, std::size_t payload_bytes) {
  const auto profile = core::workflow_devkit_profile();
  const auto runs =
      std::max<std::size_t>(2, kStreamBytes / (Load::kEventsPerRun * (700 + 2 * payload_bytes)));
  std::vector<EventText> events;
  for (std::size_t run = 0; run < runs; ++run) {
    Load(profile).append_run(run, Load::kEventsPerRun, events);
  }
  const walsender::Frames wire(plugin);
  auto out = wire.relation();
  const auto payload = hex(payload_bytes);
  std::uint64_t lsn = 0x19401C8;
  std::uint32_t xid = 739;
  for (std::size_t i = 0; i < events.size(); ++i, lsn += 700) {
    if (i % kEventsPerTransaction == 0) out.push_back(wire.begin(lsn + 7000, ++xid));
    const auto& event = events[i];
    const auto& type = profile.types[event.type].name;
    if (plugin == Plugin::kWal2json) {
      out.push_back(walsender::Frames::data(lsn, wal2json_insert(event, type, payload)));
    } else {
      out.push_back(wire.insert(lsn, xid,
                                {.run_id = std::string(view(event.run)),
                                 .id = std::string(view(event.id)),
                                 .identity = {std::string(view(event.correlation))},
                                 .type = type}));
    }
    if (i % kEventsPerTransaction == kEventsPerTransaction - 1) {
      lsn += 7000;
      out.push_back(wire.commit(lsn, lsn + 48, xid));
    }
  }
  return {.frames = std::move(out), .events = events.size()};
}

void report(benchmark::State& state, const Stream& stream) {
  std::size_t bytes = 0;
  for (const auto& frame : stream.frames) bytes += frame.size();
  const auto events = state.iterations() * static_cast<std::int64_t>(stream.events);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
  state.SetItemsProcessed(events);
  state.counters["ns_per_event"] = benchmark::Counter(
      static_cast<double>(events) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

/// The 25 bytes of header alone.
void frame(benchmark::State& state) {
  const auto stream = frames(Plugin::kPgoutput, 0);
  for (auto _ : state) {
    for (const auto& frame : stream.frames)
      benchmark::DoNotOptimize(decoder::decode_frame(walsender::bytes_of(frame)));
  }
  report(state, stream);
}

class CountingSink final : public decoder::ChangeSink {
 public:
  void on_insert(const decoder::Row& row) override { rows += row.values.size(); }
  void on_begin(const decoder::Begin& /*begin*/) override {}
  void on_commit(const decoder::Commit& /*commit*/) override {}
  void on_update(const decoder::Row& /*row*/) override {}
  void on_delete(const decoder::Row& /*row*/) override {}
  void on_truncate(std::size_t /*table*/) override {}
  void on_message(const decoder::Message& /*message*/) override {}
  void on_relation(std::size_t /*table*/, std::uint32_t /*oid*/, std::string_view /*missing*/) override {}
  std::size_t rows = 0;
};

/// Frame and payload, rows thrown away. Argument: bytes of an event's payload column.
void decode(benchmark::State& state, Plugin plugin) {
  const auto stream = frames(plugin, static_cast<std::size_t>(state.range(0)));
  const auto decoder =
      decoder::make_decoder(plugin, core::Watch::watched_tables(core::workflow_devkit_profile()));
  CountingSink sink;
  for (auto _ : state) {
    for (const auto& frame : stream.frames) {
      const auto decoded = decoder::decode_frame(walsender::bytes_of(frame));
      const auto& data = std::get<decoder::XLogData>(decoded);
      if (decoder->decode(data.payload, data.wal_start, sink)) state.SkipWithError("a frame is refused");
    }
  }
  if (sink.rows == 0) state.SkipWithError("no row came through");
  report(state, stream);
}

/// All of the core: decode, index, rules, confirm rule. The runs are in memory and their rows known.
void watch(benchmark::State& state, Plugin plugin) {
  const auto stream = frames(plugin, static_cast<std::size_t>(state.range(0)));
  core::Config config;
  config.profile = core::workflow_devkit_profile();
  core::Watch watch(config, 1);
  watch.stream_started(plugin, decoder::Lsn{1});
  const core::Instant now{std::chrono::hours{1}};
  const auto receive_all = [&] {
    for (const auto& frame : stream.frames) watch.receive(walsender::bytes_of(frame), now);
    if (watch.next_read_back()) watch.read_back_done();
    watch.findings_durable();
  };
  receive_all();
  for (auto _ : state) receive_all();
  if (watch.counters().redeliveries == 0) state.SkipWithError("no row came through");
  report(state, stream);
}

BENCHMARK(frame);
BENCHMARK_CAPTURE(decode, wal2json, Plugin::kWal2json)->Arg(200)->Arg(2000)->Arg(20'000);
BENCHMARK_CAPTURE(decode, pgoutput, Plugin::kPgoutput)->Arg(0);
BENCHMARK_CAPTURE(watch, wal2json, Plugin::kWal2json)->Arg(200)->Arg(2000)->Arg(20'000);
BENCHMARK_CAPTURE(watch, pgoutput, Plugin::kPgoutput)->Arg(0);

}  // namespace
}  // namespace dupwatch::bench
