// Fills the event log with generated events.
//   bench_load DSN --events N [--payload BYTES] [--per-transaction N] [--live-runs N] [--run-events MIN-MAX]
//              [--duplicate-every N] [--first-events N] [--seed N] [--copy]
// --first-events: before all else every live run gets so many events, and a line on standard input is waited
// for. --copy: by COPY in place of INSERTs, which is faster, but its WAL is another. Prints one JSON line
// when it is done, and one before it waits.
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <stdexcept>

#include "tests/bench/clients/generator.hpp"
#include "tests/bench/clients/replication_stream.hpp"

namespace {

using dupwatch::bench::Event;

constexpr std::size_t kPool = std::size_t{4} << 20U;
// Statements on their way before their answers are read.
constexpr std::uint64_t kWindow = 2000;
constexpr std::uint64_t kTransaction = 10;
constexpr std::uint64_t kCopyTransaction = 100'000;
constexpr int kColumns = 6;
constexpr const char* kInsert =
    "INSERT INTO workflow.workflow_events (id, run_id, type, correlation_id, payload_cbor, spec_version) "
    "VALUES ($1, $2, $3, $4, $5, $6)";
constexpr const char* kCopy =
    "COPY workflow.workflow_events (id, run_id, type, correlation_id, payload_cbor, spec_version) FROM STDIN "
    "(FORMAT binary)";
constexpr std::string_view kCopyHeader{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
constexpr std::string_view kSpecVersion{"\0\0\0\3", 4};

struct Options {
  std::string dsn;
  std::map<std::string, std::string> values;
  bool copy = false;

  [[nodiscard]] std::uint64_t number(const std::string& name, std::uint64_t otherwise) const {
    const auto found = values.find(name);
    return found == values.end() ? otherwise : std::stoull(found->second);
  }
};

/// Random bytes that do not compress, cut anew for each event from one pool.
class Payloads {
 public:
  Payloads(std::uint64_t seed, std::size_t size)
      : size_(size), random_(seed ^ 0x9e3779b97f4a7c15U), pool_(kPool + size, '\0') {
    for (std::size_t i = 0; i + sizeof(std::uint64_t) <= pool_.size(); i += sizeof(std::uint64_t)) {
      const auto value = random_();
      std::memcpy(pool_.data() + i, &value, sizeof value);
    }
  }
  std::string_view next() { return std::string_view{pool_}.substr(random_() % kPool, size_); }

 private:
  std::size_t size_;
  std::mt19937_64 random_;
  std::string pool_;
};

class Writer {
 public:
  Writer(const std::string& dsn, std::uint64_t per_transaction, bool copy)
      : conn_(dupwatch::bench::connect(dsn)), per_transaction_(per_transaction), copy_(copy) {
    // Only the backlog's making is sped up by this; what is in it is flushed before it is measured.
    (void)dupwatch::bench::execute(conn_.get(), "SET synchronous_commit = off");
    if (copy_) return;
    const dupwatch::bench::ResultPtr prepared{PQprepare(conn_.get(), "insert", kInsert, 0, nullptr)};
    if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK || PQenterPipelineMode(conn_.get()) != 1) fail();
  }

  void write(const Event& event, std::string_view payload) {
    const std::string_view correlation =
        event.has_correlation ? event.correlation.view() : std::string_view{};
    const std::array<std::string_view, kColumns> cells{event.id.view(), event.run.view(), event.type,
                                                       correlation,     payload,          kSpecVersion};
    copy_ ? put_row(cells) : send(cells);
    if (++in_transaction_ == per_transaction_) commit();
  }

  void commit() {
    if (in_transaction_ == 0) return;
    in_transaction_ = 0;
    if (copy_) return end_copy();
    if (PQpipelineSync(conn_.get()) != 1) fail();
    ++answers_;
    if (answers_ >= kWindow) read_answers();
  }

  void finish() {
    commit();
    if (!copy_) read_answers();
  }

 private:
  void send(const std::array<std::string_view, kColumns>& cells) {
    std::array<const char*, kColumns> values{};
    std::array<int, kColumns> lengths{};
    static constexpr std::array<int, kColumns> kBinary{1, 1, 1, 1, 1, 1};
    for (std::size_t i = 0; i < cells.size(); ++i) {
      values[i] = cells[i].data();
      lengths[i] = static_cast<int>(cells[i].size());
    }
    if (PQsendQueryPrepared(conn_.get(), "insert", kColumns, values.data(), lengths.data(), kBinary.data(),
                            1) != 1)
      fail();
    ++answers_;
  }

  void read_answers() {
    while (answers_ > 0) {
      const dupwatch::bench::ResultPtr result{PQgetResult(conn_.get())};
      if (!result) continue;  // Between two statements.
      const auto status = PQresultStatus(result.get());
      if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) fail();
      --answers_;
    }
  }

  void put_row(const std::array<std::string_view, kColumns>& cells) {
    if (in_transaction_ == 0) {
      (void)dupwatch::bench::execute(conn_.get(), kCopy);
      row_.assign(kCopyHeader);
    }
    row_.append({'\0', static_cast<char>(kColumns)});
    for (const auto cell : cells) {
      const auto length = cell.data() == nullptr ? 0xffffffffU : static_cast<std::uint32_t>(cell.size());
      for (const unsigned shift : {24U, 16U, 8U, 0U})
        row_.push_back(static_cast<char>(length >> shift & 0xffU));
      row_.append(cell);
    }
    if (row_.size() >= std::size_t{1} << 16U) flush_rows();
  }

  void flush_rows() {
    if (PQputCopyData(conn_.get(), row_.data(), static_cast<int>(row_.size())) != 1) fail();
    row_.clear();
  }

  void end_copy() {
    row_.append("\377\377", 2);
    flush_rows();
    if (PQputCopyEnd(conn_.get(), nullptr) != 1) fail();
    while (const dupwatch::bench::ResultPtr result{PQgetResult(conn_.get())}) {
      if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) fail();
    }
  }

  [[noreturn]] void fail() const { throw std::runtime_error(PQerrorMessage(conn_.get())); }

  dupwatch::bench::ConnectionPtr conn_;
  std::uint64_t per_transaction_;
  bool copy_;
  std::uint64_t in_transaction_ = 0;
  std::uint64_t answers_ = 0;
  std::string row_;
};

Options parse(int argc, char** argv) {
  if (argc < 2) throw std::invalid_argument("the connection string is missing");
  Options options{.dsn = argv[1], .values = {}};
  for (int i = 2; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--copy") {
      options.copy = true;
    } else if (i + 1 < argc) {
      options.values[name] = argv[++i];
    } else {
      throw std::invalid_argument(name + " needs a value");
    }
  }
  return options;
}

dupwatch::bench::LoadShape shape(const Options& options) {
  dupwatch::bench::LoadShape shape;
  shape.seed = options.number("--seed", shape.seed);
  shape.live_runs = options.number("--live-runs", shape.live_runs);
  shape.duplicate_every =
      static_cast<std::uint32_t>(options.number("--duplicate-every", shape.duplicate_every));
  if (const auto found = options.values.find("--run-events"); found != options.values.end()) {
    const auto dash = found->second.find('-');
    shape.run_events_min = static_cast<std::uint32_t>(std::stoul(found->second));
    shape.run_events_max = dash == std::string::npos
                               ? shape.run_events_min
                               : static_cast<std::uint32_t>(std::stoul(found->second.substr(dash + 1)));
  }
  return shape;
}

void tell(const char* what, std::uint64_t events, std::uint64_t duplicates) {
  std::printf(R"({"event":"%s","events":%llu,"duplicates":%llu})"
              "\n",
              what, static_cast<unsigned long long>(events), static_cast<unsigned long long>(duplicates));
  std::fflush(stdout);
}

void fill(const Options& options) {
  const auto load = shape(options);
  dupwatch::bench::Generator generator{load};
  Payloads payloads{load.seed, options.number("--payload", 200)};
  const auto first = options.number("--first-events", 0);
  if (first > 0) {
    Writer writer{options.dsn, options.copy ? kCopyTransaction : kTransaction, options.copy};
    for (std::size_t run = 0; run < load.live_runs; ++run)
      for (std::uint64_t i = 0; i < first; ++i) writer.write(generator.next_of(run), payloads.next());
    writer.finish();
    tell("paused", first * load.live_runs, generator.duplicates());
    (void)std::getchar();
  }
  const auto before = generator.duplicates();
  const auto events = options.number("--events", 0);
  const bool copy = options.copy && first == 0;
  Writer writer{options.dsn, copy ? kCopyTransaction : options.number("--per-transaction", kTransaction),
                copy};
  for (std::uint64_t i = 0; i < events; ++i) writer.write(generator.next(), payloads.next());
  writer.finish();
  tell("done", events, generator.duplicates() - before);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    fill(parse(argc, argv));
    return 0;
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "bench_load: %s (the head of load.cpp lists the options)\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_load: %s\n", error.what());
    return 1;
  }
}
