// From the answer to COMMIT to the flag: writes events at a steady rate, each a transaction of its own, every
// so many-th a duplicate, and notes for each duplicate when its COMMIT was answered, when the floor client
// had its row, and when dupwatch flagged it, by one clock (CLOCK_REALTIME, which is the one that dupwatch
// stamps `flagged_at` with).
//   bench_latency DSN START_REPLICATION_COMMAND FINDINGS_FILE RATE SECONDS DUPLICATE_EVERY PAYLOAD on|off
// The last is synchronous_commit. dupwatch must be streaming, with FINDINGS_FILE as its findings.file. Prints
// one line of JSON.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>

#include "tests/bench/clients/generator.hpp"
#include "tests/bench/clients/replication_stream.hpp"

namespace {

using dupwatch::bench::Message;

constexpr std::string_view kIdPrefix = "wevt_";
constexpr std::size_t kIdLength = 31;
constexpr auto kGrace = std::chrono::seconds{1};

std::int64_t realtime_us() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
}

/// Microseconds since 1970, by the id of the row.
using Times = std::map<std::string, std::int64_t, std::less<>>;

/// The floor client on its own slot; notes when each row's message was there.
class Floor {
 public:
  Floor(const std::string& dsn, const std::string& command)
      : stream_(dsn, command), thread_([this] { read(); }) {}
  ~Floor() { stop(); }
  Floor(const Floor&) = delete;
  Floor& operator=(const Floor&) = delete;

  const Times& stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return received_;
  }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  void read() {
    constexpr int kSliceMs = 100;
    try {
      while (!stopping_) {
        (void)stream_.turn(kSliceMs, [&](const Message& message) {
          const auto now = realtime_us();
          if (message.kind != Message::Kind::kData || !dupwatch::bench::is_insert(message.body)) return true;
          const auto at = message.body.find(kIdPrefix);
          if (at != std::string_view::npos) received_.emplace(message.body.substr(at, kIdLength), now);
          return true;
        });
      }
    } catch (const std::exception& error) {
      trouble_ = error.what();
    }
  }

  dupwatch::bench::ReplicationStream stream_;
  Times received_;
  std::string trouble_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

struct Plan {
  double rate = 100;
  double seconds = 10;
  std::uint32_t duplicate_every = 10;
  std::size_t payload = 200;
  std::string synchronous_commit;
};

/// Returns when the COMMIT of each duplicate was answered.
Times write_events(const std::string& dsn, const Plan& plan) {
  const auto conn = dupwatch::bench::connect(dsn);
  (void)dupwatch::bench::execute(conn.get(), "SET synchronous_commit = " + plan.synchronous_commit);
  const dupwatch::bench::ResultPtr prepared{PQprepare(
      conn.get(), "insert",
      "INSERT INTO workflow.workflow_events (id, run_id, type, correlation_id, payload_cbor, spec_version) "
      "VALUES ($1, $2, $3, $4, $5, 3)",
      0, nullptr)};
  dupwatch::bench::Generator generator{
      {.seed = static_cast<std::uint64_t>(realtime_us()), .duplicate_every = plan.duplicate_every}};
  std::mt19937_64 random{1};
  std::string payload(plan.payload, '\0');
  for (auto& byte : payload) byte = static_cast<char>(random());
  Times acknowledged;
  const auto pause = std::chrono::nanoseconds{std::llround(1e9 / plan.rate)};
  auto next = std::chrono::steady_clock::now();
  const auto end = next + std::chrono::duration<double>(plan.seconds);
  for (std::uint64_t known = 0; next < end; next += pause) {
    std::this_thread::sleep_until(next);
    const auto event = generator.next();
    const std::string id{event.id.view()};
    const std::string run{event.run.view()};
    const std::string type{event.type};
    const std::string correlation =
        event.has_correlation ? std::string{event.correlation.view()} : std::string{};
    const std::array<const char*, 5> values{id.c_str(), run.c_str(), type.c_str(),
                                            event.has_correlation ? correlation.c_str() : nullptr,
                                            payload.data()};
    const std::array<int, 5> lengths{0, 0, 0, 0, static_cast<int>(payload.size())};
    static constexpr std::array<int, 5> kBinary{0, 0, 0, 0, 1};
    const dupwatch::bench::ResultPtr result{
        PQexecPrepared(conn.get(), "insert", 5, values.data(), lengths.data(), kBinary.data(), 0)};
    const auto now = realtime_us();
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK)
      throw std::runtime_error(PQerrorMessage(conn.get()));
    if (generator.duplicates() != known) acknowledged.emplace(id, now);
    known = generator.duplicates();
  }
  return acknowledged;
}

std::optional<std::string> text_of(const std::string& line, const std::string& key, std::size_t from = 0) {
  const auto quoted = "\"" + key + "\":\"";
  const auto at = line.find(quoted, from);
  if (at == std::string::npos) return std::nullopt;
  const auto begin = at + quoted.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

/// 2026-11-25T18:56:26.123456Z
std::int64_t parse_time(const std::string& text) {
  std::tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) throw std::runtime_error("flagged_at is not a time: " + text);
  return timegm(&parts) * 1'000'000 + std::llround(std::strtod(rest, nullptr) * 1e6);
}

/// When each row at fault was first flagged.
Times read_findings(const std::string& file) {
  Times flagged;
  std::ifstream lines{file};
  for (std::string line; std::getline(lines, line);) {
    const auto row = line.find("\"duplicate\":{");
    const auto id = row == std::string::npos ? std::nullopt : text_of(line, "id", row);
    const auto at = text_of(line, "flagged_at");
    if (id && at) flagged.emplace(*id, parse_time(*at));
  }
  return flagged;
}

void print(const char* name, std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(milliseconds.size())));
    return milliseconds[std::clamp<std::size_t>(rank, 1, milliseconds.size()) - 1];
  };
  std::printf(R"("%s":{"p50":%.4f,"p99":%.4f,"p999":%.4f,"max":%.4f})", name, at(0.5), at(0.99), at(0.999),
              at(1));
}

int compare(const Times& acknowledged, const Times& received, const Times& flagged) {
  std::vector<double> receipts;
  std::vector<double> flags;
  std::vector<double> between;
  for (const auto& [id, commit] : acknowledged) {
    const auto receipt = received.find(id);
    const auto flag = flagged.find(id);
    if (receipt == received.end() || flag == flagged.end()) continue;
    receipts.push_back(static_cast<double>(receipt->second - commit) / 1000);
    flags.push_back(static_cast<double>(flag->second - commit) / 1000);
    between.push_back(flags.back() - receipts.back());
  }
  if (receipts.empty())
    throw std::runtime_error("no duplicate was seen by both: is dupwatch streaming into this findings file?");
  std::printf(R"({"duplicates":%zu,"seen_by_both":%zu,)", acknowledged.size(), receipts.size());
  print("received", std::move(receipts));
  std::printf(",");
  print("flagged", std::move(flags));
  std::printf(",");
  print("between", std::move(between));
  std::printf("}\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) {
    std::fputs("usage: bench_latency DSN COMMAND FINDINGS_FILE RATE SECONDS DUPLICATE_EVERY PAYLOAD on|off\n",
               stderr);
    return 2;
  }
  try {
    const Plan plan{.rate = std::stod(argv[4]),
                    .seconds = std::stod(argv[5]),
                    .duplicate_every = static_cast<std::uint32_t>(std::stoul(argv[6])),
                    .payload = std::stoul(argv[7]),
                    .synchronous_commit = argv[8]};
    Floor floor{argv[1], argv[2]};
    std::puts(R"({"event":"ready"})");
    std::fflush(stdout);
    (void)std::getchar();
    const auto acknowledged = write_events(argv[1], plan);
    std::this_thread::sleep_for(kGrace);
    const auto& received = floor.stop();
    if (!floor.trouble().empty()) throw std::runtime_error(floor.trouble());
    return compare(acknowledged, received, read_findings(argv[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_latency: %s\n", error.what());
    return 1;
  }
}
