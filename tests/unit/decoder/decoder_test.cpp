#include "decoder/decoder.hpp"

#include <gtest/gtest.h>

#include <set>

namespace dupwatch::decoder::decoder_test {
namespace {

TEST(Labels, EveryKindHasItsOwn) {
  std::set<std::string_view> labels;
  for (std::size_t kind = 0; kind < kDecodeErrorKinds; ++kind) {
    labels.insert(label(static_cast<DecodeErrorKind>(kind)));
  }
  EXPECT_EQ(labels.size(), kDecodeErrorKinds);
  EXPECT_EQ(label(DecodeErrorKind::kMissingColumn), "missing_column");
}

TEST(Labels, PluginsAreCalledAsInCreateReplicationSlot) {
  EXPECT_EQ(to_string(Plugin::kWal2json), "wal2json");
  EXPECT_EQ(to_string(Plugin::kPgoutput), "pgoutput");
}

TEST(LabelsDeathTest, AValueOutsideTheEnumAborts) {
  EXPECT_DEATH((void)label(static_cast<DecodeErrorKind>(99)), "");
  EXPECT_DEATH((void)to_string(static_cast<Plugin>(99)), "");
}

}  // namespace
}  // namespace dupwatch::decoder::decoder_test
