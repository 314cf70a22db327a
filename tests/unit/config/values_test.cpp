#include "daemon/config/values.hpp"

#include <gtest/gtest.h>

#include <array>

namespace dupwatch::config::values_test {
namespace {

using core::Milliseconds;
constexpr Range<Milliseconds> kAnyTime{Milliseconds{0}, Milliseconds{1'000'000'000}};
constexpr Range<std::uint64_t> kAnyNumber{0, UINT64_MAX};

TEST(ParseDuration, TakesWholeNumbersWithAUnit) {
  EXPECT_EQ(std::get<0>(parse_duration("500ms", kAnyTime)), Milliseconds{500});
  EXPECT_EQ(std::get<0>(parse_duration("10s", kAnyTime)), Milliseconds{10'000});
  EXPECT_EQ(std::get<0>(parse_duration("2m", kAnyTime)), Milliseconds{120'000});
  EXPECT_EQ(std::get<0>(parse_duration("1h", kAnyTime)), Milliseconds{3'600'000});
  EXPECT_EQ(std::get<0>(parse_duration("0s", kAnyTime)), Milliseconds{0});
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const auto* text : {"", "s", "10", "-1s", "+1s", "1.5s", "1 s", " 1s", "1s ", "1S", "1d", "1us",
                           "1m30s", "99999999999999999999s", "18446744073709551615h", "0x1s"}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse_duration(text, kAnyTime))) << text;
  }
}

TEST(ParseBytes, TakesBothFamiliesOfUnits) {
  EXPECT_EQ(std::get<0>(parse_bytes("1B", kAnyNumber)), 1U);
  EXPECT_EQ(std::get<0>(parse_bytes("2KiB", kAnyNumber)), 2048U);
  EXPECT_EQ(std::get<0>(parse_bytes("2kB", kAnyNumber)), 2000U);
  EXPECT_EQ(std::get<0>(parse_bytes("3MiB", kAnyNumber)), 3U << 20U);
  EXPECT_EQ(std::get<0>(parse_bytes("3MB", kAnyNumber)), 3'000'000U);
  EXPECT_EQ(std::get<0>(parse_bytes("1GiB", kAnyNumber)), 1U << 30U);
  EXPECT_EQ(std::get<0>(parse_bytes("1GB", kAnyNumber)), 1'000'000'000U);
  for (const auto* text : {"", "1", "1K", "1KB", "1kb", "1mib", "1 MiB", "1.5GiB", "-1B", "99999999999GiB"}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse_bytes(text, kAnyNumber))) << text;
  }
}

TEST(ParseNumber, CoversTheWholeRangeAndNothingMore) {
  EXPECT_EQ(std::get<0>(parse_number("18446744073709551615", kAnyNumber)), UINT64_MAX);
  EXPECT_TRUE(std::holds_alternative<Refusal>(parse_number("18446744073709551616", kAnyNumber)));
  EXPECT_EQ(std::get<0>(parse_number("5", {5, 6})), 5U);
  EXPECT_EQ(std::get<0>(parse_number("6", {5, 6})), 6U);
  EXPECT_TRUE(std::holds_alternative<Refusal>(parse_number("4", {5, 6})));
  EXPECT_TRUE(std::holds_alternative<Refusal>(parse_number("7", {5, 6})));
}

TEST(ParseSlotName, FollowsPostgres) {
  EXPECT_EQ(std::get<0>(parse_slot_name("a_9")), "a_9");
  EXPECT_EQ(std::get<0>(parse_slot_name(std::string(63, 'a'))), std::string(63, 'a'));
  for (const auto& text : {std::string{}, std::string(64, 'a'), std::string{"A"}, std::string{"a-b"},
                           std::string{"a b"}, std::string{"\xc3\xa4"}}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse_slot_name(text))) << text;
  }
}

TEST(ParseTableName, KeepsCatalogueSpelling) {
  const auto name = [](std::string_view text) {
    const auto parsed = parse_table_name(text);
    const auto* value = std::get_if<QualifiedName>(&parsed);
    return value == nullptr ? std::string{"refused"} : value->schema + "|" + value->name;
  };
  EXPECT_EQ(name("public.orders"), "public|orders");
  EXPECT_EQ(name("Public.Orders"), "Public|Orders");
  EXPECT_EQ(name("\"a.b\".\"c\"\"d\""), "a.b|c\"d");
  EXPECT_EQ(name("\"a\".b"), "a|b");
  EXPECT_EQ(name("mein schema.t\xc3\xa4g"), "mein schema|t\xc3\xa4g");
  for (const auto* text :
       {"", ".", "a", "a.", ".a", "a.b.c", "\"a.b", "\"a\"b.c", "a\"b.c", "a.b\"", "\"\".a"}) {
    EXPECT_EQ(name(text), "refused") << text;
  }
  EXPECT_EQ(name(std::string(64, 'a') + ".b"), "refused");
}

TEST(ParseIdentifier, TakesAnyNameUpTo63Bytes) {
  EXPECT_EQ(std::get<0>(parse_identifier("Run Id")), "Run Id");
  for (const auto& text : {std::string{}, std::string(64, 'a'), std::string{"a\nb"}, std::string{"\"a\""}}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse_identifier(text))) << text;
  }
}

TEST(ParseUrl, TakesHttpAndHttpsWithAHost) {
  for (const auto* text : {"", "http://127.0.0.1:1/", "https://example.org", "https://user:pw@[::1]/a?b=c"}) {
    EXPECT_TRUE(std::holds_alternative<std::string>(parse_url(text))) << text;
  }
  for (const auto* text : {"example.org", "ftp://example.org", "https://", "https:///path", "http://a b/",
                           "https://a\n/", "HTTPS//x"}) {
    EXPECT_TRUE(std::holds_alternative<Refusal>(parse_url(text))) << text;
  }
  EXPECT_TRUE(std::holds_alternative<Refusal>(parse_url("https://" + std::string(8192, 'a'))));
}

TEST(ParseExternalUrl, TakesWhatALinkCanBeMadeFrom) {
  const auto url = [](std::string_view text) {
    const auto parsed = parse_external_url(text);
    const auto* value = std::get_if<std::string>(&parsed);
    return value == nullptr ? std::string{"refused"} : *value;
  };
  EXPECT_EQ(url(""), "");
  EXPECT_EQ(url("https://dw.example.org"), "https://dw.example.org");
  EXPECT_EQ(url("http://dw.example.org:9788//"), "http://dw.example.org:9788");
  EXPECT_EQ(url("https://ops.example.org/dup/watch/"), "https://ops.example.org/dup/watch");
  EXPECT_EQ(url("http://[::1]:9788"), "http://[::1]:9788");
  for (const auto* text :
       {"dw.example.org", "https://", "https://user:secret@dw.example.org", "https://dw.example.org/?a=b",
        "https://dw.example.org/#run=x", "https://dw.example.org/a b", "https://dw.example.org/\"",
        "javascript://x", "https://dw.example.org/\n"}) {
    EXPECT_EQ(url(text), "refused") << text;
  }
  EXPECT_EQ(url("https://" + std::string(1024, 'a')), "refused");
}

TEST(ParseListen, SplitsAddressAndPort) {
  const auto listen = [](std::string_view text) {
    const auto parsed = parse_listen(text);
    const auto* value = std::get_if<core::HttpConfig>(&parsed);
    if (value == nullptr) return std::string{"refused"};
    return value->enabled() ? value->host + "|" + std::to_string(value->port) : std::string{"off"};
  };
  EXPECT_EQ(listen(""), "off");
  EXPECT_EQ(listen("127.0.0.1:9788"), "127.0.0.1|9788");
  EXPECT_EQ(listen("127.0.0.1:0"), "127.0.0.1|0");
  EXPECT_EQ(listen("[::1]:9788"), "::1|9788");
  EXPECT_EQ(listen("localhost:1"), "127.0.0.1|1");
  EXPECT_EQ(listen(":65535"), "0.0.0.0|65535");
  for (const auto* text :
       {"9788", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:9788", "[::1]",
        "[127.0.0.1]:1", "[]:1", "db.internal:1", "1.2.3:1", "127.0.0.1:9788s", "+:1"}) {
    EXPECT_EQ(listen(text), "refused") << text;
  }
}

TEST(Nearest, FindsTyposAndNothingFarther) {
  constexpr std::array<std::string_view, 3> kWords = {"wal2json", "pgoutput", "auto"};
  EXPECT_EQ(nearest("wal2jsn", kWords), "wal2json");
  EXPECT_EQ(nearest("wla2json", kWords), "wal2json");
  EXPECT_EQ(nearest("Auto", kWords), "auto");
  EXPECT_EQ(nearest("test_decoding", kWords), std::nullopt);
  EXPECT_EQ(nearest("", kWords), std::nullopt);
  EXPECT_EQ(nearest("a", kWords), std::nullopt);
}

TEST(InQuotes, CutsBetweenCharacters) {
  std::string text(59, 'a');
  text += "\xe2\x82\xac";
  EXPECT_EQ(in_quotes(text), "\"" + std::string(59, 'a') + "...\"");
  EXPECT_EQ(in_quotes("a\"b\\\n"), "\"a\\\"b\\\\\\x0a\"");
}

}  // namespace
}  // namespace dupwatch::config::values_test
