#include "decoder/frame.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/decoder/driver.hpp"
#include "tests/unit/decoder/pgoutput_wire.hpp"

namespace dupwatch::decoder::frame_test {
namespace {

constexpr Timestamp kTime{1'795'497'698'123'456};

std::string xlog_data(std::string_view payload) {
  return wire::Writer()
      .byte('w')
      .be(std::uint64_t{0x16'B374'D848})
      .be(std::uint64_t{0x17'0000'0001})
      .be(wire::kTimeWire)
      .raw(payload)
      .str();
}

std::string keepalive(std::uint8_t reply) {
  return wire::Writer().byte('k').be(std::uint64_t{0x16'B374'D848}).be(wire::kTimeWire).be(reply).str();
}

DecodeErrorKind kind_of(const Frame& frame) {
  const auto* error = std::get_if<DecodeError>(&frame);
  EXPECT_NE(error, nullptr);
  return error != nullptr ? error->kind : DecodeErrorKind::kMalformed;
}

TEST(DecodeFrame, XLogDataCarriesPositionsTimeAndPayload) {
  const auto bytes = xlog_data("payload");
  const auto frame = decode_frame(bytes_of(bytes));
  const auto& data = std::get<XLogData>(frame);
  EXPECT_EQ(data.wal_start, Lsn{0x16'B374'D848});
  EXPECT_EQ(data.wal_end, Lsn{0x17'0000'0001});
  EXPECT_EQ(data.sent, kTime);
  ASSERT_EQ(data.payload.size(), 7U);
  EXPECT_EQ(std::to_integer<char>(data.payload[0]), 'p');
}

TEST(DecodeFrame, XLogDataMayBeEmpty) {
  const auto bytes = xlog_data("");
  EXPECT_TRUE(std::get<XLogData>(decode_frame(bytes_of(bytes))).payload.empty());
}

TEST(DecodeFrame, KeepaliveSaysWhetherAReplyIsWanted) {
  for (const bool wanted : {false, true}) {
    const auto bytes = keepalive(wanted ? 1 : 0);
    const auto frame = decode_frame(bytes_of(bytes));
    const auto& alive = std::get<Keepalive>(frame);
    EXPECT_EQ(alive.wal_end, Lsn{0x16'B374'D848});
    EXPECT_EQ(alive.sent, kTime);
    EXPECT_EQ(alive.reply_requested, wanted);
  }
}

TEST(DecodeFrame, EveryPrefixOfAKeepaliveIsTruncated) {
  const auto full = keepalive(1);
  for (std::size_t size = 0; size < full.size(); ++size) {
    EXPECT_EQ(kind_of(decode_frame(bytes_of(std::string_view(full).substr(0, size)))),
              DecodeErrorKind::kTruncated);
  }
}

TEST(DecodeFrame, EveryPrefixOfAnXLogDataHeaderIsTruncated) {
  const auto full = xlog_data("");
  for (std::size_t size = 0; size < full.size(); ++size) {
    EXPECT_EQ(kind_of(decode_frame(bytes_of(std::string_view(full).substr(0, size)))),
              DecodeErrorKind::kTruncated);
  }
}

TEST(DecodeFrame, BytesAfterAKeepaliveAreTrailing) {
  EXPECT_EQ(kind_of(decode_frame(bytes_of(keepalive(0) + "x"))), DecodeErrorKind::kTrailing);
}

TEST(DecodeFrame, EveryOtherTypeIsUnknown) {
  for (unsigned type = 0; type < 256; ++type) {
    if (type == 'w' || type == 'k') continue;
    const std::string bytes(40, static_cast<char>(type));
    EXPECT_EQ(kind_of(decode_frame(bytes_of(bytes))), DecodeErrorKind::kUnknown);
  }
}

TEST(DecodeFrame, TimesBeyondTheRangeAreMalformed) {
  auto data = wire::Writer().byte('w').be(std::uint64_t{1}).be(std::uint64_t{1});
  EXPECT_EQ(kind_of(decode_frame(bytes_of(data.be(std::numeric_limits<std::int64_t>::max()).str()))),
            DecodeErrorKind::kMalformed);
  auto alive = wire::Writer().byte('k').be(std::uint64_t{1});
  EXPECT_EQ(kind_of(decode_frame(bytes_of(alive.be(std::numeric_limits<std::int64_t>::max()).byte(0).str()))),
            DecodeErrorKind::kMalformed);
}

TEST(StatusUpdate, SaysTheSamePositionThreeTimes) {
  const auto message = encode_status_update(Lsn{0x16'B374'D848}, kTime, true);
  const auto expected = wire::Writer()
                            .byte('r')
                            .be(std::uint64_t{0x16'B374'D848})
                            .be(std::uint64_t{0x16'B374'D848})
                            .be(std::uint64_t{0x16'B374'D848})
                            .be(wire::kTimeWire)
                            .byte(1)
                            .str();
  EXPECT_EQ(std::string(message.begin(), message.end()), expected);
  EXPECT_EQ(encode_status_update(Lsn{}, kTime, false).back(), 0);
}

TEST(StatusUpdate, ATimeBeforeTheWireFormatsRangeIsItsStart) {
  const auto message =
      encode_status_update(Lsn{}, Timestamp{std::numeric_limits<std::int64_t>::min()}, false);
  EXPECT_EQ(static_cast<unsigned char>(message[25]), 0x80U);
}

}  // namespace
}  // namespace dupwatch::decoder::frame_test
