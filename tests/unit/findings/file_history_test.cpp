#include "daemon/findings/file_history.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/process/scratch_folder.hpp"
#include "tests/unit/web/samples.hpp"

namespace dupwatch::findings::file_history_test {
namespace {

using core::FindingState;

std::string line(std::uint64_t id, FindingState state) {
  auto finding = web::finding(id);
  finding.state = state;
  return to_json(finding) + "\n";
}

std::string text(const std::vector<core::Finding>& findings) {
  std::string out;
  for (const auto& finding : findings)
    out += std::to_string(finding.id) + " " + std::string(to_string(finding.state)) + ";";
  return out;
}

class FileHistory : public testing::Test {
 protected:
  ScratchFolder folder;
  std::string path = folder / "findings.jsonl";
};

TEST_F(FileHistory, OfEachFindingTheLastRecordCountsAtItsPlace) {
  put(path, line(1, FindingState::kOpen) + line(2, FindingState::kOpen) + "torn\n" +
                line(1, FindingState::kRunEnded));
  EXPECT_EQ(text(read_last_records(path)), "2 open;1 run_ended;");
  EXPECT_EQ(text(read_history(path)), "2 open;1 run_ended;");
}

TEST_F(FileHistory, AFindingThatIsGoneIsShownAndNotKnownAgain) {
  put(path, line(1, FindingState::kOpen) + line(2, FindingState::kGone) + line(3, FindingState::kGone) +
                line(1, FindingState::kGone) + line(3, FindingState::kOpen));
  EXPECT_EQ(text(read_last_records(path)), "2 gone;1 gone;3 open;");
  EXPECT_EQ(text(read_history(path)), "3 open;") << "it came back";
}

TEST_F(FileHistory, WhereThereIsNoFileThereIsNoPast) {
  EXPECT_TRUE(read_history(path).empty());
  EXPECT_TRUE(read_history("/dev/null").empty());
}

}  // namespace
}  // namespace dupwatch::findings::file_history_test
