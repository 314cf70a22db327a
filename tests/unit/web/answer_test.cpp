#include "daemon/web/answer.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <chrono>

#include "daemon/web/access.hpp"

namespace dupwatch::web::answer_test {
namespace {

std::string unpacked(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, '\0');
  std::string in{text};
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

Response response_of(std::string body, bool compressible) {
  Response response;
  response.body = std::move(body);
  response.compressible = compressible;
  return response;
}

TEST(Answer, IsCompressedWhereThatIsWorthIt) {
  std::string body;
  for (int i = 0; i < 1000; ++i) body += "dupwatch_findings_total " + std::to_string(i) + "\n";
  const auto packed = answer_bytes(response_of(body, true), {.gzip = true});
  EXPECT_NE(packed.find("\r\nContent-Encoding: gzip\r\n"), std::string::npos);
  EXPECT_LT(packed.size(), body.size() / 4);
  EXPECT_EQ(unpacked(packed.substr(packed.find("\r\n\r\n") + 4)), body);
  for (const auto& plain :
       {answer_bytes(response_of(body, true), {}), answer_bytes(response_of(body, false), {.gzip = true}),
        answer_bytes(response_of("short", true), {.gzip = true})}) {
    EXPECT_EQ(plain.find("Content-Encoding"), std::string::npos);
  }
}

TEST(Answer, HeadHasTheLengthAndNoBody) {
  const auto head = answer_bytes(response_of("twelve bytes", false), {.head_only = true});
  EXPECT_NE(head.find("\r\nContent-Length: 12\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(Answer, AConfiguredHeaderStandsInThePlaceOfOurs) {
  const Headers headers = {{"Content-Security-Policy", "default-src 'self'"}, {"X-Frame-Options", "deny"}};
  for (const auto& text :
       {answer_bytes(response_of("x", false), {.headers = &headers}), stream_head(headers)}) {
    EXPECT_NE(text.find("\r\nContent-Security-Policy: default-src 'self'\r\n"), std::string::npos);
    EXPECT_NE(text.find("\r\nX-Frame-Options: deny\r\n"), std::string::npos);
    EXPECT_NE(text.find("\r\nX-Content-Type-Options: nosniff\r\n"), std::string::npos);
    EXPECT_EQ(text.find("default-src 'none'"), std::string::npos);
  }
}

TEST(RateLimit, IsATokenBucket) {
  using std::chrono::milliseconds;
  const RateLimit::Clock::time_point start{std::chrono::hours{1}};
  RateLimit limit{milliseconds{100}, 3};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.take(start));
  EXPECT_FALSE(limit.take(start));
  EXPECT_FALSE(limit.take(start + milliseconds{90}));
  EXPECT_TRUE(limit.take(start + milliseconds{101}));
  EXPECT_FALSE(limit.take(start + milliseconds{102}));
  RateLimit none{milliseconds{0}, 0};
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(none.take(start));
  RateLimit nobody{milliseconds{1}, 0};
  EXPECT_FALSE(nobody.take(start));
}

}  // namespace
}  // namespace dupwatch::web::answer_test
