#include "decoder/cursor.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/decoder/driver.hpp"
#include "tests/unit/decoder/pgoutput_wire.hpp"

namespace dupwatch::decoder::cursor_test {
namespace {

TEST(Cursor, ReadsFieldsInOrderAndKnowsWhereItIs) {
  const auto bytes = wire::Writer().be(std::uint16_t{0x0102}).cstring("name").raw("tail").str();
  Cursor in(bytes_of(bytes));
  EXPECT_EQ(in.read_be<std::uint16_t>(), 0x0102);
  EXPECT_EQ(in.offset(), 2U);
  EXPECT_EQ(in.read_cstring(), "name");
  EXPECT_EQ(in.read_bytes(2), "ta");
  EXPECT_EQ(in.remaining(), 2U);
  EXPECT_EQ(in.read_rest().size(), 2U);
  EXPECT_TRUE(in.empty());
}

TEST(Cursor, AReadThatFailsConsumesNothing) {
  Cursor in(bytes_of("abc"));
  EXPECT_FALSE(in.read_be<std::uint32_t>());
  EXPECT_FALSE(in.read_cstring());
  EXPECT_FALSE(in.read_bytes(4));
  EXPECT_FALSE(in.read_bytes(~std::size_t{0}));
  EXPECT_EQ(in.offset(), 0U);
  EXPECT_EQ(in.read_bytes(3), "abc");
  EXPECT_EQ(in.read_bytes(0), "");
  EXPECT_FALSE(in.read_be<std::uint8_t>());
}

TEST(Cursor, NegativeNumbersKeepTheirSign) {
  Cursor in(bytes_of("\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_EQ(in.read_be<std::int16_t>(), -2);
  EXPECT_EQ(in.read_be<std::int64_t>(), -1);
}

template <class T>
void round_trip(T value) {
  const auto bytes = wire::Writer().be(value).str();
  Cursor in(bytes_of(bytes));
  RC_ASSERT(in.read_be<T>() == value);
  RC_ASSERT(in.empty());
}

RC_GTEST_PROP(Cursor, IntegersRoundTrip, (std::uint8_t a, std::uint16_t b, std::int32_t c, std::int64_t d)) {
  round_trip(a);
  round_trip(b);
  round_trip(c);
  round_trip(d);
}

RC_GTEST_PROP(Cursor, AnyReadsStayInside,
              (const std::string& bytes, const std::vector<std::uint8_t>& reads)) {
  Cursor in(bytes_of(bytes));
  for (const auto read : reads) {
    const auto before = in.offset();
    bool ok = false;
    switch (read % 4U) {
      case 0:
        ok = in.read_be<std::uint32_t>().has_value();
        break;
      case 1:
        ok = in.read_cstring().has_value();
        break;
      case 2:
        ok = in.read_bytes(read).has_value();
        break;
      default:
        ok = in.read_be<std::uint8_t>().has_value();
        break;
    }
    RC_ASSERT(in.offset() <= bytes.size());
    RC_ASSERT(in.offset() + in.remaining() == bytes.size());
    if (!ok) RC_ASSERT(in.offset() == before);
  }
}

}  // namespace
}  // namespace dupwatch::decoder::cursor_test
