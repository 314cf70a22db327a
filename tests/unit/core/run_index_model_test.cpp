#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/core/backoff.hpp"
#include "daemon/core/run_index.hpp"
#include "tests/unit/core/event_rows.hpp"

namespace dupwatch::core::run_index_model_test {
namespace {

using namespace std::chrono_literals;
using oracle::Event;

/// Before any run is in it.
const std::uint64_t kEmptyBytes = RunIndex(0, 0ms, 1).bytes();

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
  Instant now_ = Instant{} + 1h;
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
  (void)expect_like_the_model(std::uint64_t{1} << 30U, 760);
}

TEST(RunIndexModel, BehavesLikeTheMapsUnderMemoryPressure) {
  (void)expect_like_the_model(kEmptyBytes + 150'000, 1500);
  (void)expect_like_the_model(kEmptyBytes + 60'000, 300);
}

TEST(RunIndexModel, BehavesLikeTheMapsWhenMostRunsArePacked) {
  const auto left_packed = expect_like_the_model(kEmptyBytes + 300'000, 300);
  EXPECT_GT(left_packed.appended, 1000U);
  EXPECT_GT(left_packed.redelivered, 400U);
}

TEST(RunIndexModel, BehavesLikeTheMapsWithNoRoomAtAll) {
  (void)expect_like_the_model(0, 300);
}

}  // namespace
}  // namespace dupwatch::core::run_index_model_test
