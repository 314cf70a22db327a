#include "daemon/core/run_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::run_index_test {
namespace {

using namespace std::chrono_literals;
using oracle::Event;

constexpr std::uint64_t kRoomy = std::uint64_t{1} << 30U;
/// Of the table before any run is in it.
constexpr std::uint64_t kEmptyTableBytes = (1024 + 96) * 8;
Instant at(std::chrono::milliseconds time) {
  return Instant{} + std::chrono::hours{1} + time;
}

class RunIndexTest : public ::testing::Test {
 protected:
  RunIndex::Handle add_complete(const std::string& run_id) {
    const auto handle = index.insert_pending(run_id);
    add_row(handle, run_id, ulid("wevt_", 1));
    index.complete(handle);
    return handle;
  }
  void add_row(RunIndex::Handle handle, const std::string& run_id, const std::string& id) {
    const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
    (void)index.add_row(handle, EventRow{.run_id = run_id, .id = id, .identity = identity});
  }
  RunIndex index{kRoomy, 10s, 42};
};

TEST_F(RunIndexTest, FindsRunsWhoseIdsCanAndCannotBePacked) {
  const std::vector<std::string> ids = {
      ulid("wrun_", 1), ulid("wrun_", 2), "", "short", ulid("xrun_", 1), "wrun_01jz00000000000000000000aa"};
  std::vector<RunIndex::Handle> handles;
  for (const auto& id : ids) {
    EXPECT_EQ(index.find(id), RunIndex::kNone);
    handles.push_back(index.insert_pending(id));
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(index.find(ids[i]), handles[i]);
    EXPECT_EQ(index.run_id(handles[i]), ids[i]);
  }
  EXPECT_EQ(index.size(), ids.size());
}

TEST_F(RunIndexTest, AnEndedRunLeavesAfterItsGraceAndNotBefore) {
  const auto handle = add_complete("r");
  EXPECT_EQ(index.next_expiry(), Instant::max());
  index.end_run(handle, at(0s));
  index.end_run(handle, at(5s));  // a second terminal event does not prolong it
  EXPECT_EQ(index.next_expiry(), at(10s));
  index.evict(at(9999ms));
  EXPECT_EQ(index.find("r"), handle);
  index.evict(at(10s));
  EXPECT_EQ(index.find("r"), RunIndex::kNone);
  EXPECT_EQ(index.next_expiry(), Instant::max());
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kRunEnded)], 1U);
  EXPECT_EQ(index.rows(), 0U);
}

TEST_F(RunIndexTest, AnEndedRunThatIsPendingStaysAndGetsANewGrace) {
  const auto handle = index.insert_pending("r");
  index.end_run(handle, at(0s));
  index.evict(at(10s));
  EXPECT_EQ(index.find("r"), handle);
  EXPECT_EQ(index.next_expiry(), at(20s));
  index.complete(handle);
  index.evict(at(20s));
  EXPECT_EQ(index.find("r"), RunIndex::kNone);
}

TEST_F(RunIndexTest, TheEndOfARunThatLeftDoesNotEndTheRunThatTookItsPlace) {
  const auto ended = add_complete("ended");
  index.end_run(ended, at(0s));
  index.clear_complete();
  const auto next = add_complete("next");
  EXPECT_EQ(next, ended) << "the place is used again";
  index.evict(at(10s));
  EXPECT_EQ(index.find("next"), next);
  EXPECT_FALSE(index.ended(next));
  EXPECT_EQ(index.log(next).rows(), 1U);
}

TEST_F(RunIndexTest, ClearForgetsCompleteRunsAndKeepsPendingOnes) {
  (void)add_complete("a");
  (void)add_complete("b");
  const auto pending = index.insert_pending("c");
  index.clear_complete();
  EXPECT_EQ(index.find("a"), RunIndex::kNone);
  EXPECT_EQ(index.find("b"), RunIndex::kNone);
  EXPECT_EQ(index.find("c"), pending);
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kInvalidated)], 2U);
}

TEST_F(RunIndexTest, ForgetTakesOneCompleteRunAndNoPendingOne) {
  (void)add_complete("a");
  const auto b = add_complete("b");
  const auto pending = index.insert_pending("c");
  for (const auto* run : {"a", "c", "unknown", "a"}) index.forget(run);
  EXPECT_EQ(index.find("a"), RunIndex::kNone);
  EXPECT_EQ(index.find("b"), b);
  EXPECT_EQ(index.find("c"), pending) << "its read-back is under way";
  EXPECT_EQ(index.rows(), 1U);
  EXPECT_EQ(index.evictions()[static_cast<std::size_t>(Eviction::kInvalidated)], 1U);
}

TEST_F(RunIndexTest, AnEndedRunThatWasForgottenIsNotEndedWhenItComesBack) {
  index.end_run(add_complete("a"), at(0s));
  index.forget("a");
  const auto again = add_complete("a");
  index.evict(at(10s));
  EXPECT_EQ(index.find("a"), again);
}

TEST(RunIndexBound, TheLeastRecentlyUsedRunsGoFirstAndPendingOnesNever) {
  RunIndex index(kEmptyTableBytes + 20'000, 10s, 1);
  const std::vector<decoder::Value> identity = {decoder::Value::of("c")};
  const auto pending = index.insert_pending("pending");
  std::vector<std::string> names;
  while (!index.over_bound()) {
    names.push_back(ulid("wrun_", names.size()));
    const auto handle = index.insert_pending(names.back());
    (void)index.add_row(handle, EventRow{.run_id = names.back(), .id = "e", .identity = identity});
    index.complete(handle);
  }
  ASSERT_GE(names.size(), 20U);
  index.touch(index.find(names[0]));
  index.evict(at(0s));
  EXPECT_FALSE(index.over_bound());
  EXPECT_EQ(index.find("pending"), pending);
  EXPECT_NE(index.find(names[0]), RunIndex::kNone);
  EXPECT_EQ(index.find(names[1]), RunIndex::kNone);
  std::size_t gone = 1;
  while (index.find(names[gone]) == RunIndex::kNone) ++gone;
  EXPECT_LT(gone, 8U) << "a few make room for one";
  for (auto n = gone; n < names.size(); ++n) EXPECT_NE(index.find(names[n]), RunIndex::kNone) << n;
}

TEST(RunIndexBound, PlacesOfRunsThatLeftStillCount) {
  RunIndex index(kRoomy, 10s, 1);
  for (std::uint64_t n = 0; n < 500; ++n) index.complete(index.insert_pending(ulid("wrun_", n)));
  const auto full = index.bytes();
  index.clear_complete();
  EXPECT_EQ(index.bytes(), full) << "no row was in them; the places are kept for runs to come";
  for (std::uint64_t n = 500; n < 1000; ++n) index.complete(index.insert_pending(ulid("wrun_", n)));
  EXPECT_EQ(index.bytes(), full);
}

/// The same in maps of strings. What fits into the bound is the index's to say.
class Model {
 public:
  explicit Model(std::chrono::milliseconds grace) : grace_(grace) {}

  struct Run {
    std::uint64_t serial = 0;
    std::uint64_t last_use = 0;
    bool pending = true;
    bool ended = false;
    std::set<std::string> ids;
  };
  std::map<std::string, Run> runs;

  void insert(const std::string& run_id) { runs[run_id].serial = ++serials_; }
  bool add(const std::string& run_id, const Event& event) {
    return runs.at(run_id).ids.insert(event.id).second;
  }
  void complete(const std::string& run_id) {
    runs.at(run_id).pending = false;
    use(run_id);
  }
  void touch(const std::string& run_id) {
    if (!runs.at(run_id).pending) use(run_id);
  }
  void end(const std::string& run_id, Instant now) {
    auto& run = runs.at(run_id);
    if (!run.ended) ended_.push_back({now + grace_, run_id, run.serial});
    run.ended = true;
  }
  void evict(Instant now) {
    while (!ended_.empty() && ended_.front().expires <= now) {
      const auto entry = ended_.front();
      ended_.pop_front();
      const auto found = runs.find(entry.run_id);
      if (found == runs.end() || found->second.serial != entry.serial) continue;
      if (found->second.pending) {
        ended_.push_back({now + grace_, entry.run_id, entry.serial});
      } else {
        remove(entry.run_id);
      }
    }
  }
  /// For memory: the least recently used run.
  void evict_oldest() {
    const auto oldest = used_.begin()->second;
    remove(oldest);
  }
  [[nodiscard]] std::uint64_t rows() const {
    std::uint64_t rows = 0;
    for (const auto& [run_id, run] : runs) rows += run.ids.size();
    return rows;
  }
  [[nodiscard]] Instant next_expiry() const {
    return ended_.empty() ? Instant::max() : ended_.front().expires;
  }
  /// Complete runs, the least recently used first.
  [[nodiscard]] const std::map<std::uint64_t, std::string>& used() const { return used_; }

 private:
  struct Ended {
    Instant expires;
    std::string run_id;
    std::uint64_t serial;
  };
  void use(const std::string& run_id) {
    auto& run = runs.at(run_id);
    used_.erase(run.last_use);
    run.last_use = ++uses_;
    used_[run.last_use] = run_id;
  }
  void remove(const std::string& run_id) {
    used_.erase(runs.at(run_id).last_use);
    runs.erase(run_id);
  }

  std::chrono::milliseconds grace_;
  std::uint64_t serials_ = 0;
  std::uint64_t uses_ = 0;
  std::map<std::uint64_t, std::string> used_;
  std::deque<Ended> ended_;
};

/// Random operations on a few thousand run ids, so that the table is as full as it gets, its chains wrap
/// around its end, and every removal has entries to move back.
class RandomOperations {
 public:
  RandomOperations(std::uint64_t seed, std::uint64_t bytes_max, std::size_t names)
      : random_(seed), index_(bytes_max, 500ms, seed), model_(500ms) {
    for (std::size_t n = 0; n < names; ++n) {
      names_.push_back(n % 5 == 4 ? "odd run " + std::to_string(n) : ulid("wrun_", n));
    }
  }

  /// Rows that were put behind packed logs, and rows that those had already.
  std::uint64_t appended = 0;
  std::uint64_t redelivered = 0;
  void step() {
    const auto& run_id = names_[random_.below(names_.size())];
    const auto handle = index_.find(run_id);
    const auto found = model_.runs.find(run_id);
    ASSERT_EQ(handle == RunIndex::kNone, found == model_.runs.end()) << run_id;
    now_ += std::chrono::milliseconds{random_.below(3)};
    if (handle == RunIndex::kNone) {
      const auto inserted = index_.insert_pending(run_id);
      model_.insert(run_id);
      ASSERT_EQ(index_.run_id(inserted), run_id);
      return;
    }
    ASSERT_EQ(index_.pending(handle), found->second.pending);
    const auto choice = random_.below(100);
    if (choice < 40) {
      add_row(handle, run_id);
      model_.touch(run_id);
    } else if (choice < 70 && found->second.pending) {
      index_.complete(handle);
      model_.complete(run_id);
    } else if (choice < 85) {
      index_.touch(handle);
      model_.touch(run_id);
    } else if (choice < 90) {
      index_.end_run(handle, now_);
      model_.end(run_id, now_);
    } else {
      evict();
    }
  }
  /// Ended runs leave on time, then the oldest ones until the rest fits; what stays above the bound is
  /// pending.
  void evict() {
    const auto for_memory = evicted_for_memory();
    index_.evict(now_);
    model_.evict(now_);
    for (auto left = evicted_for_memory() - for_memory; left != 0; --left) model_.evict_oldest();
    ASSERT_EQ(index_.size(), model_.runs.size());
    ASSERT_TRUE(!index_.over_bound() || model_.used().empty());
  }

  void expect_equal() {
    ASSERT_EQ(index_.size(), model_.runs.size());
    ASSERT_EQ(index_.rows(), model_.rows());
    ASSERT_EQ(index_.next_expiry(), model_.next_expiry());
    for (const auto& run_id : names_) {
      const auto handle = index_.find(run_id);
      const auto found = model_.runs.find(run_id);
      ASSERT_EQ(handle == RunIndex::kNone, found == model_.runs.end()) << run_id;
      if (handle == RunIndex::kNone) continue;
      ASSERT_EQ(index_.run_id(handle), run_id);
      ASSERT_EQ(index_.ended(handle), found->second.ended);
      index_.touch(handle);
      model_.touch(run_id);
      expect_same_rows(handle, run_id);
    }
  }

  /// Evicts one run after the other: the order must be the model's.
  void expect_same_order_of_use() {
    while (!model_.used().empty()) {
      const std::string oldest = model_.used().begin()->second;
      const auto handle = index_.find(oldest);
      ASSERT_NE(handle, RunIndex::kNone);
      ASSERT_EQ(index_.oldest(), handle) << oldest << " is not the oldest";
      index_.end_run(handle, now_);
      model_.end(oldest, now_);
      now_ += 501ms;
      evict();
    }
  }

 private:
  [[nodiscard]] std::uint64_t evicted_for_memory() const {
    return index_.evictions()[static_cast<std::size_t>(Eviction::kMemory)];
  }
  void expect_same_rows(RunIndex::Handle handle, const std::string& run_id) {
    std::set<std::string> ids;
    const auto& log = index_.log(handle);
    for (std::uint32_t i = 0; i < log.rows(); ++i) ids.insert(log.text(log.row(i).id, index_.codec()));
    ASSERT_EQ(ids, model_.runs.at(run_id).ids) << run_id;
  }
  void add_row(RunIndex::Handle handle, const std::string& run_id) {
    // One id is one row of a run: its identity follows. Half of them are behind all others.
    const auto n = random_.below(2) == 0 ? random_.below(20) : 20 + ++rows_;
    Event row{run_id, ulid("wevt_", n), {std::nullopt}, "step_created"};
    if (row.id.back() < '5' && run_id[0] == 'o') row.identity = {"a spilled text"};
    const auto identity = values_of(row.identity);
    auto event = make_event_row(profile_, profile_.find_type(row.type), row.type);
    event.run_id = run_id;
    event.id = row.id;
    event.identity = identity;
    const auto view = index_.peek(handle, event);
    if (view && view->known) {
      ++redelivered;
      index_.redelivered(handle);
      ASSERT_FALSE(model_.add(run_id, row));
      return;
    }
    if (view) {
      ++appended;
      index_.append(handle, *view);
      ASSERT_TRUE(model_.add(run_id, row));
      return;
    }
    index_.touch(handle);
    const auto added = index_.add_row(handle, event);
    ASSERT_EQ(!added.known, model_.add(run_id, row));
  }

  const Profile profile_ = workflow_devkit_profile();
  Prng random_;
  RunIndex index_;
  Model model_;
  std::vector<std::string> names_;
  Instant now_ = at(0s);
  std::uint64_t rows_ = 0;
};

struct LeftPacked {
  std::uint64_t appended = 0;
  std::uint64_t redelivered = 0;
};

LeftPacked expect_like_the_model(std::uint64_t bytes_max, std::size_t names) {
  LeftPacked sum;
  for (std::uint64_t seed = 1; seed <= 4 && !::testing::Test::HasFatalFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomOperations operations(seed, bytes_max, names);
    // The look at all runs uses them in turn, so the order of use is asked for some time after it.
    for (int i = 1; i <= 10'400 && !::testing::Test::HasFatalFailure(); ++i) {
      operations.step();
      if (i % 1000 == 0) operations.expect_equal();
    }
    if (!::testing::Test::HasFatalFailure()) operations.expect_same_order_of_use();
    sum.appended += operations.appended;
    sum.redelivered += operations.redelivered;
  }
  return sum;
}

TEST(RunIndexModel, BehavesLikeTheMapsWithRoomForAll) {
  (void)expect_like_the_model(kRoomy, 760);
}

TEST(RunIndexModel, BehavesLikeTheMapsUnderMemoryPressure) {
  (void)expect_like_the_model(kEmptyTableBytes + 150'000, 1500);
  (void)expect_like_the_model(kEmptyTableBytes + 60'000, 300);
}

TEST(RunIndexModel, BehavesLikeTheMapsWhenMostRunsArePacked) {
  const auto left_packed = expect_like_the_model(kEmptyTableBytes + 300'000, 300);
  EXPECT_GT(left_packed.appended, 1000U);
  EXPECT_GT(left_packed.redelivered, 400U);
}

TEST(RunIndexModel, BehavesLikeTheMapsWithNoRoomAtAll) {
  (void)expect_like_the_model(0, 300);
}

}  // namespace
}  // namespace dupwatch::core::run_index_test
