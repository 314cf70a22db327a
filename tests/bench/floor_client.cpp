// The floor: reads the stream, looks at each message's type, says how far it has come, and throws the rest
// away.
//   bench_floor DSN START_REPLICATION_COMMAND END_LSN
// Ends behind the first commit beyond END_LSN. Prints one JSON line with the time from the start of the
// stream, and waits for the end of its standard input, so that whoever measures can still look at this
// process and at its walsender.
#include <sys/resource.h>

#include <cstdio>
#include <exception>

#include "tests/bench/clients/replication_stream.hpp"

namespace {

constexpr int kPatienceMs = 1000;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

int drain(const std::string& dsn, const std::string& command, std::uint64_t end) {
  using dupwatch::bench::Message;
  dupwatch::bench::ReplicationStream stream{dsn, command};
  const auto began = dupwatch::bench::monotonic_ns();
  std::uint64_t messages = 0;
  std::uint64_t inserts = 0;
  while (stream.turn(kPatienceMs, [&](const Message& message) {
    if (message.kind == Message::Kind::kKeepalive) return true;
    ++messages;
    if (dupwatch::bench::is_insert(message.body)) ++inserts;
    return !(message.lsn > end && dupwatch::bench::is_commit(message.body));
  })) {
  }
  const auto elapsed = static_cast<double>(dupwatch::bench::monotonic_ns() - began) / 1e9;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      R"({"seconds":%.6f,"messages":%llu,"inserts":%llu,"bytes":%llu,"user":%.6f,"system":%.6f,"rss_kib":%ld})"
      "\n",
      elapsed, static_cast<unsigned long long>(messages), static_cast<unsigned long long>(inserts),
      static_cast<unsigned long long>(stream.bytes()), seconds(usage.ru_utime), seconds(usage.ru_stime),
      usage.ru_maxrss);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: bench_floor DSN START_REPLICATION_COMMAND END_LSN\n", stderr);
    return 2;
  }
  try {
    return drain(argv[1], argv[2], dupwatch::bench::parse_lsn(argv[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_floor: %s\n", error.what());
    return 1;
  }
}
