#include <algorithm>
#include <cstdlib>

#include "daemon/process/clock.hpp"
#include "streamed/scene.hpp"

namespace dupwatch::run::streamed {
namespace {

using answering::Answer;
using process::ExitCode;

// Without DUPWATCH_FULL each statement fails in one of the five ways.
const std::size_t kStride = std::getenv("DUPWATCH_FULL") != nullptr ? 1 : 5;  // NOLINT(concurrency-mt-unsafe)

struct Fault {
  const char* name;
  Answer answer;
  /// Before the first stream it may end the daemon: only a person can help.
  bool final_at_first = false;
};

std::vector<Fault> faults() {
  return {{"refused", answering::failure("XX000", "unexpected chunk number"), false},
          {"ended", answering::ended("57P01", "terminating connection due to administrator command"), false},
          {"broken", answering::ended("", "server closed the connection unexpectedly"), false},
          {"cancelled", answering::failure("57014", "canceling statement due to statement timeout"), false},
          {"no right", answering::failure("42501", "permission denied"), true}};
}

/// From a start to a finding that is told. True: it went well, or it ended where it may.
testing::AssertionResult survives(decoder::Plugin plugin, const Fault& fault, std::size_t number,
                                  std::size_t* asked) {
  Scene scene(plugin);
  scene.config_.recheck.interval = core::Milliseconds{5'000};
  if (fault.name != std::string_view("none")) scene.database_.server.fails_at(number, fault.answer);
  scene.start();
  const auto up = [&] { return scene.has_ended() || scene.ready(); };
  if (!scene.comes_in_time(up, 300ms)) return testing::AssertionFailure() << "not ready: " << scene.trouble();
  if (scene.has_ended()) {
    const auto code = scene.wait_for_end();
    if (fault.final_at_first && code == ExitCode::kOperator) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "ended with " << process::value(code) << scene.log();
  }
  const auto end = scene.commit_duplicate();
  // The slowest of the rounds has been gone through as well.
  const auto told = [&] {
    return scene.database_.confirmed() >= end && scene.ready() &&
           !scene.database_.server.asked("t.tgenabled IN").empty();
  };
  if (!scene.comes_in_time(told, 500ms))
    return testing::AssertionFailure() << "not told: " << scene.trouble();
  const auto findings = scene.told(R"("severity":"fatal")");
  if (scene.stop() != ExitCode::kClean) return testing::AssertionFailure() << "no clean end";
  if (asked != nullptr) *asked = scene.database_.server.asked().size();
  if (findings != 1) return testing::AssertionFailure() << findings << " records of the finding";
  return testing::AssertionSuccess();
}

class DaemonFaults : public testing::TestWithParam<std::size_t> {};
std::string name_of(const testing::TestParamInfo<std::size_t>& one) {
  std::string name = faults().at(one.param).name;
  std::ranges::replace(name, ' ', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(, DaemonFaults, testing::Range(std::size_t{0}, faults().size()), name_of);

TEST_P(DaemonFaults, OfAnyOneStatementAreOutlived) {
  const auto fault = faults().at(GetParam());
  const auto plugin = GetParam() % 2 == 0 ? decoder::Plugin::kWal2json : decoder::Plugin::kPgoutput;
  std::size_t all = 0;
  ASSERT_TRUE(survives(plugin, {.name = "none", .answer = {}}, 0, &all));
  for (auto number = GetParam() % kStride; number < all && !HasFailure(); number += kStride) {
    EXPECT_TRUE(survives(plugin, fault, number, nullptr)) << fault.name << " at statement " << number;
  }
}

/// Of a healthy start: what it asks, each once.
std::vector<std::string> statements(decoder::Plugin plugin) {
  Scene scene(plugin);
  scene.start_and_stream();
  scene.commit_duplicate();
  EXPECT_TRUE(
      scene.comes_in_time([&] { return !scene.database_.server.asked("t.tgenabled IN").empty(); }, 5s));
  std::vector<std::string> texts;
  for (const auto& statement : scene.database_.server.asked()) {
    if (std::ranges::find(texts, statement.text) == texts.end()) texts.push_back(statement.text);
  }
  return texts;
}

/// Ten minutes of a server that answers one statement with an error, always.
testing::AssertionResult bears(decoder::Plugin plugin, const Fault& fault, const std::string& statement) {
  constexpr std::size_t kSessionsMax = 150;
  constexpr auto kStep = 5s;
  Scene scene(plugin);
  scene.config_.connection.backoff_min = core::ConnectionConfig{}.backoff_min;
  scene.config_.connection.backoff_max = core::ConnectionConfig{}.backoff_max;
  scene.database_.server.answers(statement, fault.answer);
  scene.start();
  const auto begun = process::steady_now();
  const bool over =
      scene.comes_in_time([&] { return scene.has_ended() || process::steady_now() - begun > 10min; }, kStep);
  if (!over) return testing::AssertionFailure() << "its time stands still";
  if (scene.has_ended()) {
    const auto code = scene.wait_for_end();
    if (code == ExitCode::kOperator || code == ExitCode::kTemporary) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "ended with " << process::value(code);
  }
  const auto sessions = scene.database_.server.sessions();
  if (sessions > kSessionsMax) return testing::AssertionFailure() << sessions << " sessions in ten minutes";
  // It does its work, or says that it can't.
  scene.commit_duplicate();
  const auto honest = [&] { return scene.told(kFatal) == 1 || !scene.ready(); };
  if (!scene.comes_in_time(honest, kStep)) return testing::AssertionFailure() << "ready, and does nothing";
  if (scene.stop() != ExitCode::kClean) return testing::AssertionFailure() << "no clean end";
  return testing::AssertionSuccess();
}

TEST_P(DaemonFaults, OfOneStatementAlwaysAreBorne) {
  const auto fault = faults().at(GetParam());
  const auto plugin = GetParam() % 2 == 0 ? decoder::Plugin::kPgoutput : decoder::Plugin::kWal2json;
  const auto texts = statements(plugin);
  for (auto number = GetParam() % kStride; number < texts.size() && !HasFailure(); number += kStride)
    EXPECT_TRUE(bears(plugin, fault, texts[number])) << fault.name << ": " << texts[number];
}

}  // namespace
}  // namespace dupwatch::run::streamed
