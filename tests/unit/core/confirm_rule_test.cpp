#include "daemon/core/confirm_rule.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace dupwatch::core::confirm_rule_test {
namespace {

using decoder::Lsn;

TEST(ConfirmRule, NothingIsConfirmedBeforeItsFindingsAreDurable) {
  ConfirmRule rule;
  rule.stream_started(Lsn{100});
  EXPECT_EQ(rule.confirmed(), Lsn{100});
  rule.begin();
  rule.commit(Lsn{200}, 0);
  EXPECT_EQ(rule.judged(), Lsn{200});
  EXPECT_EQ(rule.confirmed(), Lsn{100});
  rule.findings_taken();
  EXPECT_EQ(rule.confirmed(), Lsn{100});
  rule.begin();
  rule.commit(Lsn{300}, 0);
  rule.findings_durable();
  EXPECT_EQ(rule.confirmed(), Lsn{200}) << "what was judged after the taking is not in what was written";
}

TEST(ConfirmRule, AReadBackHoldsItsTransactionAndAllLaterOnes) {
  ConfirmRule rule;
  rule.stream_started(Lsn{100});
  rule.begin();
  rule.commit(Lsn{200}, 1);
  rule.begin();
  rule.commit(Lsn{300}, 0);
  rule.begin();
  rule.commit(Lsn{400}, 2);
  EXPECT_EQ(rule.judged(), Lsn{100});
  rule.read_back_done(1);
  EXPECT_EQ(rule.judged(), Lsn{300});
  rule.read_back_done(2);
  EXPECT_EQ(rule.judged(), Lsn{400});
}

TEST(ConfirmRule, AKeepaliveMovesAnIdleStreamOnly) {
  ConfirmRule rule;
  rule.stream_started(Lsn{100});
  rule.keepalive(Lsn{150});
  EXPECT_EQ(rule.judged(), Lsn{150});
  rule.begin();
  rule.keepalive(Lsn{160});
  EXPECT_EQ(rule.judged(), Lsn{150});
  rule.commit(Lsn{200}, 1);
  rule.keepalive(Lsn{260});
  EXPECT_EQ(rule.judged(), Lsn{150});
  rule.read_back_done(1);
  EXPECT_EQ(rule.judged(), Lsn{200});
  rule.keepalive(Lsn{270});
  EXPECT_EQ(rule.judged(), Lsn{270});
  rule.keepalive(Lsn{50});
  EXPECT_EQ(rule.judged(), Lsn{270});
}

TEST(ConfirmRule, ANewStreamForgetsTheOldOnesTransactionsAndItsPosition) {
  ConfirmRule rule;
  rule.stream_started(Lsn{100});
  rule.commit(Lsn{200}, 0);
  rule.findings_taken();
  rule.findings_durable();
  rule.commit(Lsn{300}, 1);
  rule.begin();
  rule.stream_started(Lsn{150});
  EXPECT_TRUE(rule.idle());
  EXPECT_EQ(rule.judged(), Lsn{150});
  EXPECT_EQ(rule.confirmed(), Lsn{150});
  rule.read_back_done(1);
  EXPECT_EQ(rule.judged(), Lsn{150}) << "the transaction comes again and is judged again";
}

TEST(ConfirmRule, WhatTheLastStreamTookConfirmsNothingOfThisOne) {
  ConfirmRule rule;
  rule.stream_started(Lsn{100});
  rule.commit(Lsn{500}, 0);
  rule.findings_taken();
  rule.stream_started(Lsn{150});
  rule.findings_durable();
  EXPECT_EQ(rule.confirmed(), Lsn{150});
}

/// The rule by definition, from the whole history of one stream.
class Model {
 public:
  struct Step {
    Lsn end;
    std::uint64_t read_back = 0;
  };
  void start(Lsn from) {
    steps_ = {Step{.end = from}};
    open_ = false;
    judged_ = taken_ = durable_ = from;
  }
  void begin() { open_ = true; }
  void commit(Lsn end, std::uint64_t read_back) {
    open_ = false;
    steps_.push_back({end, read_back});
  }
  void keepalive(Lsn wal_end) {
    if (!open_ && outstanding() == 0) steps_.push_back({wal_end, 0});
  }
  void done(std::uint64_t read_back) { done_ = std::max(done_, read_back); }
  [[nodiscard]] Lsn judged() {
    for (const auto& step : steps_) {
      if (step.read_back > done_) break;
      judged_ = std::max(judged_, step.end);
    }
    return judged_;
  }
  void take() { taken_ = judged(); }
  void durable() { durable_ = std::max(durable_, taken_); }
  [[nodiscard]] Lsn confirmed() const { return durable_; }
  [[nodiscard]] std::size_t outstanding() const {
    return static_cast<std::size_t>(
        std::count_if(steps_.begin(), steps_.end(), [&](const Step& s) { return s.read_back > done_; }));
  }
  [[nodiscard]] bool open() const { return open_; }

 private:
  std::vector<Step> steps_;
  bool open_ = false;
  std::uint64_t done_ = 0;
  Lsn judged_;
  Lsn taken_;
  Lsn durable_;
};

RC_GTEST_PROP(ConfirmRule, ConfirmsTheLongestJudgedAndDurablePrefix, ()) {
  ConfirmRule rule;
  Model model;
  rule.stream_started(Lsn{1000});
  model.start(Lsn{1000});
  Lsn wal{1000};
  std::uint64_t asked = 0;
  std::uint64_t done = 0;
  const auto count = *rc::gen::inRange(0, 200);
  for (int i = 0; i < count; ++i) {
    const auto before = rule.confirmed();
    bool restarted = false;
    wal.value += *rc::gen::inRange<std::uint64_t>(1, 50);
    switch (*rc::gen::weightedElement<int>({{6, 0}, {3, 1}, {4, 2}, {3, 3}, {3, 4}, {1, 5}})) {
      case 0:
        if (model.open()) {
          if (*rc::gen::arbitrary<bool>()) ++asked;
          const auto read_back = asked == done ? 0 : *rc::gen::inRange<std::uint64_t>(0, asked + 1);
          rule.commit(wal, read_back);
          model.commit(wal, read_back);
        } else {
          rule.begin();
          model.begin();
        }
        break;
      case 1:
        rule.keepalive(wal);
        model.keepalive(wal);
        break;
      case 2:
        if (done < asked) ++done;
        rule.read_back_done(done);
        model.done(done);
        break;
      case 3:
        rule.findings_taken();
        model.take();
        break;
      case 4:
        rule.findings_durable();
        model.durable();
        break;
      default:
        restarted = true;
        wal.value -= *rc::gen::inRange<std::uint64_t>(0, 400);
        rule.stream_started(wal);
        model.start(wal);
    }
    RC_ASSERT(rule.judged() == model.judged());
    RC_ASSERT(rule.confirmed() == model.confirmed());
    RC_ASSERT(rule.confirmed() <= rule.judged());
    RC_ASSERT(rule.idle() == (!model.open() && model.outstanding() == 0));
    RC_ASSERT(restarted || before <= rule.confirmed());
  }
}

TEST(ConfirmRule, APartOfWhatWasTakenCanBeDurable) {
  ConfirmRule rule;
  rule.stream_started(decoder::Lsn{100});
  rule.begin();
  rule.commit(decoder::Lsn{200}, 0);
  rule.findings_taken();
  const auto first = rule.taken();
  rule.begin();
  rule.commit(decoder::Lsn{300}, 0);
  rule.findings_taken();
  rule.findings_durable(first);
  EXPECT_EQ(rule.confirmed(), decoder::Lsn{200});
  rule.findings_durable(decoder::Lsn{900});
  EXPECT_EQ(rule.confirmed(), decoder::Lsn{300}) << "never beyond what was taken";
  rule.findings_durable(first);
  EXPECT_EQ(rule.confirmed(), decoder::Lsn{300});
}

}  // namespace
}  // namespace dupwatch::core::confirm_rule_test
