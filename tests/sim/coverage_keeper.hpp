#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/coverage.hpp"
#include "daemon/core/coverage_pages.hpp"
#include "daemon/core/watch.hpp"
#include "tests/sim/world.hpp"

namespace dupwatch::sim {

/// What the daemon does about commits that it may not have seen, in the order of its shell: the comparison at
/// a start, the coverage file, scans, and the witness's rounds. What is decided is the core's.
class CoverageKeeper {
 public:
  CoverageKeeper(World world, const core::Config& config) : world_(world), config_(config) {}

  /// A process begins: it reads the file.
  void process_started(core::Watch& watch);
  /// The server is looked over, and a slot made where there is none; false: it can't be streamed from.
  [[nodiscard]] bool attach(core::Instant now);
  void stream_started(std::uint64_t from);
  void stream_ended();

  /// Takes the next page for the file, or has it written.
  void turn_file(bool fails, const core::BasicDurability<PlantedBug>& durability);
  [[nodiscard]] std::uint64_t confirmable(std::uint64_t wanted, core::Instant now);

  /// Begins a scan, or goes on with the one under way.
  void turn_scan(core::Instant now);
  void fail_scan();
  /// Sends the questions of a round, or has them answered.
  void turn_witness(core::Instant now);

  [[nodiscard]] std::optional<core::Disagreement> standing() const { return watch_->witness().standing(); }
  /// No gap, no scan, no page to write, no disagreement.
  [[nodiscard]] bool idle() const;

 private:
  /// What a statement sees.
  struct Round {
    decoder::Lsn asked;
  };
  struct Scan {
    core::Instant began{};
    std::optional<std::vector<std::string>> runs;
    std::vector<core::Finding> findings;
    std::size_t delivered = 0;
  };
  void open(core::GapReason reason, decoder::Lsn from, decoder::Lsn to);
  void begin_scan(core::Instant now);
  void judge(const std::vector<oracle::Event>& rows);
  void judge_witness(core::Instant now);

  World world_;
  const core::Config& config_;
  core::Watch* watch_ = nullptr;
  core::CoveragePages pages_;
  core::Coverage coverage_;
  core::CoverageOrigin origin_;
  std::optional<core::CoveragePages::Page> page_;  ///< being written
  std::optional<Scan> scan_;
  std::optional<Round> round_;
  std::optional<std::vector<core::Witness::Row>> pairs_;
  std::uint64_t noted_revision_ = 0;
  std::uint64_t postmaster_ = 0;
  bool streaming_ = false;
  bool ever_streamed_ = false;
};

}  // namespace dupwatch::sim
