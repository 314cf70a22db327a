#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "daemon/core/config.hpp"
#include "program.hpp"
#include "tests/unit/table/served_table.hpp"

/// Commands over a server that has the engine's log.
namespace dupwatch::cli::over_a_log {

using answering::Server;
using answering::Statement;
using table::served::id_of;
using table::served::late_copy;
using Words = std::vector<std::string>;

/// Command, exit code, and how stdout and stderr begin.
struct Case {
  Words words;
  int code;
  std::string out;
  std::string err = {};
};

inline void expect(Program& program, const Case& each) {
  const auto ran = program.with_config(each.words);
  EXPECT_EQ(ran.code, each.code) << each.words[0] << " " << ran.err;
  EXPECT_EQ(ran.out.substr(0, each.out.size()), each.out);
  EXPECT_EQ(ran.out.empty(), each.out.empty()) << ran.out;
  EXPECT_EQ(ran.err.substr(0, each.err.size()), each.err);
  EXPECT_EQ(ran.err.empty(), each.err.empty()) << ran.err;
}

inline constexpr auto kReadsRun = "ORDER BY e.\"id\"::text COLLATE";

/// A server with the engine's table in which one run has a step that is created again.
class OverALog : public ::testing::Test {
 protected:
  OverALog() {
    table::served::serve_table(server_, config_.profile);
    serve(late_copy());
  }
  void serve(const table::served::Log& log) {
    server_.answers(kReadsRun, answering::rows(table::served::run_rows("wrun_a", log)));
  }

  core::Config config_;
  Server server_;
  Program program_;
};

}  // namespace dupwatch::cli::over_a_log
