#include "daemon/core/restored_findings.hpp"

#include <gtest/gtest.h>

#include <string>

namespace dupwatch::core::restored_findings_test {
namespace {

Finding record(std::uint64_t id, std::int64_t flagged_at) {
  Finding finding;
  finding.id = id;
  finding.flagged_at.micros = flagged_at;
  return finding;
}

/// Ids in the order given, with the time of the record and what lacks it.
std::string text(const std::vector<RestoredFinding>& restored) {
  std::string out;
  for (const auto& [finding, file_lacks, table_lacks] : restored) {
    out += std::to_string(finding.id) + "@" + std::to_string(finding.flagged_at.micros);
    out += file_lacks ? " not in the file" : "";
    out += table_lacks ? " not in the table" : "";
    out += ";";
  }
  return out;
}

TEST(RestoredFindings, WhatBothHaveIsInBoth) {
  EXPECT_EQ(text(restored_findings({record(1, 10), record(2, 20)}, {record(1, 10), record(2, 20)})),
            "1@10;2@20;");
}

TEST(RestoredFindings, OneStoreAloneIsThePast) {
  EXPECT_EQ(text(restored_findings({record(1, 10)}, {})), "1@10 not in the table;");
  EXPECT_EQ(text(restored_findings({}, {record(1, 10)})), "1@10 not in the file;");
}

TEST(RestoredFindings, TheNewerRecordCountsAndTheOtherStoreLacksIt) {
  EXPECT_EQ(text(restored_findings({record(1, 10), record(2, 30)}, {record(1, 20), record(2, 25)})),
            "1@20 not in the file;2@30 not in the table;");
}

TEST(RestoredFindings, WhatIsOlderThanAllOfAStoreWasTakenOutOfIt) {
  EXPECT_EQ(text(restored_findings({record(3, 30)}, {record(1, 10), record(3, 30), record(4, 40)})),
            "1@10;3@30;4@40 not in the file;");
  EXPECT_EQ(text(restored_findings({record(1, 10), record(3, 30), record(4, 40)}, {record(3, 30)})),
            "1@10;3@30;4@40 not in the table;");
}

TEST(RestoredFindings, TheyComeInTheOrderOfTime) {
  EXPECT_EQ(text(restored_findings({record(7, 20), record(9, 40)}, {record(5, 30), record(6, 50)})),
            "7@20;5@30 not in the file;9@40 not in the table;6@50 not in the file;");
}

}  // namespace
}  // namespace dupwatch::core::restored_findings_test
