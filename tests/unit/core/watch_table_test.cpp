#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/core/watch.hpp"
#include "tests/unit/core/event_rows.hpp"
#include "tests/walsender/frames.hpp"

namespace dupwatch::core::watch_table_test {
namespace {

namespace wire = decoder::wire;
using decoder::Lsn;
using decoder::Plugin;
using oracle::Event;
using walsender::Frames;

constexpr std::uint32_t kOid = 4711;

/// A watch of the shop's table, whose run, type and identity columns are another profile's.
class ShopTable : public ::testing::Test {
 protected:
  static Config config_of(Profile profile) {
    Config config;
    config.profile = std::move(profile);
    return config;
  }
  void send(const std::string& payload) {
    const auto data = Frames::data(0x100, payload);
    watch.receive(walsender::bytes_of(data), Instant{});
  }
  void describe(const std::vector<wire::Column>& columns) {
    watch.stream_started(Plugin::kPgoutput, Lsn{1});
    send(wire::begin());
    send(wire::relation(kOid, "shop", "order_events", columns));
  }
  void read_nothing_back() {
    ASSERT_TRUE(watch.next_read_back());
    watch.read_back_done();
  }

  Config config = config_of(orders_profile());
  Watch watch{config, 1};
};

const std::vector<wire::Column> kColumns = {{"id"}, {"tenant"}, {"kind"}, {"line"}, {"order_id"}};

TEST_F(ShopTable, IdentityIsEveryIdentityColumnTogether) {
  describe(kColumns);
  EXPECT_EQ(watch.relation_oid(), kOid);
  using wire::t;
  send(wire::insert(kOid, {t("1"), t("acme"), t("shipped"), t("a"), t("o1")}));
  read_nothing_back();
  send(wire::insert(kOid, {t("2"), t("acme"), t("shipped"), t("b"), t("o1")}));
  send(wire::insert(kOid, {t("3"), t("acme"), t("shipped"), wire::kNull, t("o1")}));
  send(wire::insert(kOid, {t("4"), t("acme"), t("shipped"), t("o1"), t("a")}));
  send(wire::insert(kOid, {t("5"), t("acme"), t("note"), t("a"), t("o1")}));
  EXPECT_FALSE(watch.has_findings());
  send(wire::insert(kOid, {t("6"), t("acme"), t("shipped"), wire::kNull, t("o1")}));
  const auto found = watch.take_findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].table, "shop.order_events");
  EXPECT_EQ(found[0].run_id, "acme");
  EXPECT_EQ(found[0].identity, (std::vector<std::optional<std::string>>{"o1", std::nullopt}));
  EXPECT_EQ(found[0].canonical.id, "3");
  EXPECT_EQ(found[0].duplicate.id, "6");
}

TEST_F(ShopTable, ARowWithoutRunOrIdIsNoticedAndNotJudged) {
  describe(kColumns);
  using wire::t;
  send(wire::insert(kOid, {t("1"), wire::kNull, t("shipped"), t("a"), t("o1")}));
  send(wire::insert(kOid, {wire::kNull, t("acme"), t("shipped"), t("a"), t("o1")}));
  send(wire::insert(kOid, {wire::kNull, wire::kNull, t("note"), t("a"), t("o1")}));
  const auto notices = watch.take_notices();
  ASSERT_EQ(notices.size(), 2U) << "a row of no interest needs neither";
  EXPECT_EQ(notices[0].kind, Notice::Kind::kUnidentifiable);
  EXPECT_EQ(notices[0].detail, "a row without tenant");
  EXPECT_EQ(notices[1].detail, "a row without id");
  EXPECT_EQ(watch.pending_runs(), 0U);
}

TEST_F(ShopTable, AnEmptyTextNamesNoRunAndNoRow) {
  describe(kColumns);
  using wire::t;
  send(wire::insert(kOid, {t("1"), t(""), t("shipped"), t("a"), t("o1")}));
  send(wire::insert(kOid, {t(""), t("acme"), t("shipped"), t("a"), t("o1")}));
  EXPECT_EQ(watch.take_notices().size(), 2U);
  EXPECT_EQ(watch.pending_runs(), 0U);
}

TEST_F(ShopTable, ARowWithoutIdIsNotJudgedWhereTheTableShowsItEither) {
  describe(kColumns);
  using wire::t;
  send(wire::insert(kOid, {t("1"), t("acme"), t("shipped"), t("a"), t("o1")}));
  ASSERT_TRUE(watch.next_read_back());
  const std::vector<decoder::Value> identity = {decoder::Value::of("o1"), decoder::Value::of("a")};
  for (const auto* id : {"", "1"}) watch.read_back_row("acme", id, "shipped", identity, {}, Instant{}, 0);
  watch.read_back_done();
  EXPECT_FALSE(watch.has_findings());
}

/// A row that lacks something, as a look at the table finds it.
Finding lacking() {
  Finding finding;
  finding.id = 7;
  finding.rule = Rule::kProfileRule;
  finding.shape = Shape::kHole;
  finding.run_id = "acme";
  return finding;
}

TEST_F(ShopTable, WhatAScanFindsMissingHasToLastSinceTheScanBegan) {
  const Instant began{std::chrono::hours(1)};
  watch.baseline_finding(lacking(), began);
  EXPECT_FALSE(watch.has_findings());
  EXPECT_EQ(watch.doubts().next_due(), began + RuleDoubts::kLasts);
}

TEST_F(ShopTable, WhatTheTableShowsBeforeTheStreamHasToLastToo) {
  const Instant now{std::chrono::hours(1)};
  watch.doubts_looked_at("acme", {lacking()}, now);
  EXPECT_FALSE(watch.has_findings());
  ASSERT_EQ(watch.doubts().due(now + RuleDoubts::kLasts, 1).size(), 1U);
  watch.doubts_looked_at("acme", {lacking()}, now + RuleDoubts::kLasts);
  EXPECT_EQ(watch.take_findings().size(), 1U);
  EXPECT_EQ(watch.doubts().size(), 0U);
}

TEST(TableWithScope, RunsOfOneNameUnderTwoScopesAreTwo) {
  Config config;
  config.profile = orders_profile();
  config.profile.scope_columns = {"region"};
  Watch watch(config, 1);
  EXPECT_EQ(Watch::watched_tables(config.profile)[0].columns.back(), "region");
  watch.stream_started(Plugin::kPgoutput, Lsn{1});
  const auto send = [&](const std::string& payload) {
    const auto data = Frames::data(0x100, payload);
    watch.receive(walsender::bytes_of(data), Instant{});
  };
  send(wire::begin());
  send(wire::relation(kOid, "shop", "order_events",
                      {{"id"}, {"tenant"}, {"kind"}, {"line"}, {"order_id"}, {"region"}}));
  using wire::t;
  send(wire::insert(kOid, {t("1"), t("acme"), t("shipped"), t("a"), t("o1"), t("e/u")}));
  send(wire::insert(kOid, {t("2"), t("acme"), t("shipped"), t("a"), t("o1"), t("us")}));
  send(wire::insert(kOid, {t("3"), t("acme"), t("shipped"), t("a"), t("o1"), wire::kNull}));
  send(wire::insert(kOid, {t("3"), t(""), t("shipped"), t("a"), t("o1"), t("us")}));
  const auto batch = watch.next_read_back();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->run_ids, (std::vector<std::string>{"e%2Fu/acme", "us/acme"}));
  watch.read_back_done();
  EXPECT_FALSE(watch.has_findings());
  const auto notices = watch.take_notices();
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_EQ(notices[0].detail, "a row without region");
  EXPECT_EQ(notices[1].detail, "a row without tenant");
  send(wire::insert(kOid, {t("4"), t("acme"), t("shipped"), t("a"), t("o1"), t("us")}));
  const auto found = watch.take_findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].run_id, "us/acme");
  EXPECT_EQ(found[0].canonical.id, "2");
}

TEST_F(ShopTable, ATableThatLostAColumnIsNoticedAndItsRowsAreCounted) {
  describe({{"id"}, {"tenant"}, {"kind"}, {"order_id"}});
  const auto notices = watch.take_notices();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, Notice::Kind::kColumnsMissing);
  EXPECT_EQ(notices[0].detail, "line");
  send(wire::insert(kOid, {wire::t("1"), wire::t("acme"), wire::t("shipped"), wire::t("o1")}));
  EXPECT_EQ(
      watch.counters().decode_errors[static_cast<std::size_t>(decoder::DecodeErrorKind::kMissingColumn)], 1U);
}

TEST_F(ShopTable, UpdatesDeletesAndMessagesOfAForeignPublicationChangeNothing) {
  describe(kColumns);
  using wire::t;
  const std::vector<wire::Cell> row = {t("1"), t("acme"), t("shipped"), t("a"), t("o1")};
  send(wire::update(kOid, row));
  send(wire::remove(kOid, 'O', row));
  send(wire::message(true, decoder::kMessagePrefix, "beat"));
  EXPECT_EQ(watch.pending_runs(), 0U);
  EXPECT_TRUE(watch.take_notices().empty());
}

TEST(TableWithoutTypes, EveryRowOfAnIdentityIsOfOneType) {
  Config config;
  config.profile = orders_profile();
  config.profile.type_column.clear();
  config.profile.types.clear();
  Watch watch(config, 1);
  EXPECT_EQ(Watch::watched_tables(config.profile)[0].columns,
            (std::vector<std::string>{"tenant", "id", "order_id", "line"}));
  watch.stream_started(Plugin::kPgoutput, Lsn{1});
  const auto send = [&](const std::string& payload) {
    const auto data = Frames::data(0x100, payload);
    watch.receive(walsender::bytes_of(data), Instant{});
  };
  send(wire::begin());
  send(wire::relation(kOid, "shop", "order_events", {{"tenant"}, {"id"}, {"order_id"}, {"line"}}));
  using wire::t;
  send(wire::insert(kOid, {t("acme"), t("2"), t("o1"), t("a")}));
  ASSERT_TRUE(watch.next_read_back());
  watch.read_back_row("acme", "1", "", values_of({"o1", "a"}), {}, Instant{});
  watch.read_back_done();
  const auto found = watch.take_findings();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].type, "");
  EXPECT_EQ(found[0].canonical.id, "1");
  EXPECT_EQ(found[0].identity, (std::vector<std::optional<std::string>>{"o1", "a"}));
}

}  // namespace
}  // namespace dupwatch::core::watch_table_test
