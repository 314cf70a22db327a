#include "daemon/cli/progress_bar.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::cli::progress_bar_test {
namespace {

TEST(ProgressText, HasABarWhereTheTotalIsKnown) {
  EXPECT_EQ(progress_text(50, 200, "rows", 10),
            "[######..................]  25 %  50 of about 200 rows, 5 a second, 30 s left");
  EXPECT_EQ(progress_text(0, 200, "rows", 0),
            "[........................]   0 %  0 of about 200 rows, 0 a second, 0 s left");
  EXPECT_EQ(progress_text(200, 200, "rows", 4),
            "[########################] 100 %  200 of about 200 rows, 50 a second, 0 s left");
  EXPECT_EQ(progress_text(50, 0, "entries", 10), "50 entries, 5 a second");
}

TEST(ProgressText, MoreThanTheEstimateIsNoMoreThanAll) {
  EXPECT_EQ(progress_text(300, 200, "rows", 10),
            "[########################] 100 %  300 of about 200 rows, 30 a second, 0 s left");
}

TEST(ProgressBar, IsSilentWhereNobodySeesIt) {
  testing::internal::CaptureStderr();
  {
    ProgressBar bar("rows", 200);
    bar.show(50);
    bar.clear();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace dupwatch::cli::progress_bar_test
