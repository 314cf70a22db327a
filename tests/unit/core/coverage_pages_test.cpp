#include "daemon/core/coverage_pages.hpp"

#include <gtest/gtest.h>

namespace dupwatch::core::coverage_pages_test {
namespace {

using namespace std::chrono_literals;
using decoder::Lsn;

struct CoveragePagesTest : ::testing::Test {
  CoveragePagesTest() {
    pages.keep();
    pages.begin({}, Lsn{100}, {});
  }
  /// What the disk takes.
  CoveragePages::Page write() {
    auto page = pages.take_page();
    EXPECT_TRUE(page);
    if (page) pages.written(page->number, page->confirmed);
    return page.value_or(CoveragePages::Page{});
  }

  CoveragePages pages;
  Instant now = Instant{} + 1h;
};

TEST_F(CoveragePagesTest, APositionIsWrittenBeforeItIsConfirmed) {
  EXPECT_EQ(pages.confirmable(Lsn{200}, now), Lsn{100});
  EXPECT_EQ(write().confirmed, Lsn{200});
  EXPECT_TRUE(pages.take_written());
  EXPECT_FALSE(pages.take_written()) << "once";
  EXPECT_EQ(pages.confirmable(Lsn{300}, now), Lsn{200}) << "pages are spaced";
  EXPECT_FALSE(pages.take_page());
  now += CoveragePages::kSpacing;
  EXPECT_EQ(pages.confirmable(Lsn{300}, now), Lsn{200});
  (void)write();
  EXPECT_EQ(pages.confirmable(Lsn{300}, now), Lsn{300});
}

TEST_F(CoveragePagesTest, ADiskThatDoesNotAnswerIsNotWaitedForAndNothingIsTakenBack) {
  EXPECT_EQ(pages.confirmable(Lsn{200}, now), Lsn{100});
  now += CoveragePages::kGrace + 1ms;
  EXPECT_TRUE(pages.waits_too_long(now));
  EXPECT_EQ(pages.confirmable(Lsn{250}, now), Lsn{250});
  const auto late = pages.take_page();
  ASSERT_TRUE(late);
  pages.written(1, Lsn{100});
  EXPECT_EQ(pages.confirmable(Lsn{260}, now), Lsn{250});
}

TEST_F(CoveragePagesTest, APageOfAnEarlierStreamSaysNothingOfThisOnesPositions) {
  (void)pages.confirmable(Lsn{500}, now);
  const auto before = pages.take_page();
  ASSERT_TRUE(before);
  pages.begin({}, Lsn{50}, {});
  pages.written(before->number, before->confirmed);
  EXPECT_EQ(pages.confirmable(Lsn{80}, now), Lsn{50});
  now += CoveragePages::kSpacing;
  (void)pages.confirmable(Lsn{80}, now);
  EXPECT_EQ(write().confirmed, Lsn{80});
  EXPECT_EQ(pages.confirmable(Lsn{80}, now), Lsn{80});
}

TEST_F(CoveragePagesTest, OpenGapsAreInThePage) {
  pages.note_gaps({{.reason = GapReason::kDeaf, .from = Lsn{7}, .to = {}, .opened = {}, .closed = {}}});
  const auto record = read_coverage_record(write().text);
  ASSERT_TRUE(record);
  ASSERT_EQ(record->open_gaps.size(), 1U);
  EXPECT_EQ(record->open_gaps[0].reason, GapReason::kDeaf);
}

TEST_F(CoveragePagesTest, TheLastPositionIsNotSpaced) {
  (void)pages.confirmable(Lsn{200}, now);
  pages.settle(Lsn{300});
  EXPECT_EQ(write().confirmed, Lsn{300});
  EXPECT_TRUE(pages.settled());
  EXPECT_EQ(pages.confirmable(Lsn{300}, now), Lsn{300});
}

TEST(CoveragePages, WithoutAFilePositionsAreConfirmedAsTheyCome) {
  CoveragePages pages;
  EXPECT_EQ(pages.confirmable(Lsn{7}, Instant{}), Lsn{7}) << "nothing is known yet";
  pages.begin({}, Lsn{100}, {});
  EXPECT_EQ(pages.confirmable(Lsn{200}, Instant{}), Lsn{200});
  ASSERT_TRUE(pages.known());
  EXPECT_EQ(pages.known()->confirmed, Lsn{200});
  EXPECT_FALSE(pages.take_page());
}

}  // namespace
}  // namespace dupwatch::core::coverage_pages_test
