#include "daemon/postgres/provider.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>

namespace dupwatch::postgres::provider_test {
namespace {

constexpr std::array kAll = {Provider::kPlain,    Provider::kRds,          Provider::kAurora,
                             Provider::kCloudSql, Provider::kAzure,        Provider::kNeon,
                             Provider::kSupabase, Provider::kCloudNativePg};

TEST(Providers, AreTakenFromTheirRoles) {
  EXPECT_EQ(recognise_provider("", false), Provider::kPlain);
  EXPECT_EQ(recognise_provider("rds_superuser", false), Provider::kRds);
  EXPECT_EQ(recognise_provider("rds_superuser", true), Provider::kAurora);
  EXPECT_EQ(recognise_provider("cloudsqlsuperuser", false), Provider::kCloudSql);
  EXPECT_EQ(recognise_provider("azure_pg_admin", false), Provider::kAzure);
  EXPECT_EQ(recognise_provider("neon_superuser", false), Provider::kNeon);
  EXPECT_EQ(recognise_provider("supabase_admin", false), Provider::kSupabase);
  EXPECT_EQ(recognise_provider("streaming_replica", false), Provider::kCloudNativePg);
}

TEST(Providers, ANameIsComparedWhole) {
  EXPECT_EQ(recognise_provider("rds_superuser_old,my_azure_pg_admin,rds_superuse", false), Provider::kPlain);
  EXPECT_EQ(recognise_provider("rds_superuser_old,rds_superuser", false), Provider::kRds);
}

TEST(Providers, AFunctionAloneMakesNoAurora) {
  EXPECT_EQ(recognise_provider("", true), Provider::kPlain);
  EXPECT_EQ(recognise_provider("azure_pg_admin", true), Provider::kAzure);
}

TEST(Providers, TheQueryAsksForEveryRoleOnce) {
  const auto query = provider_query();
  for (const std::string role : {"neon_superuser", "supabase_admin", "azure_pg_admin", "cloudsqlsuperuser",
                                 "rds_superuser", "streaming_replica"}) {
    const auto place = query.find("'" + role + "'");
    ASSERT_NE(place, std::string::npos) << role;
    EXPECT_EQ(query.find("'" + role + "'", place + 1), std::string::npos) << role;
  }
}

TEST(Providers, EachHasItsPage) {
  for (const auto provider : kAll) {
    const auto page =
        std::string{DUPWATCH_SOURCE_DIR} + "/config/providers/" + std::string{provider_page(provider)};
    EXPECT_TRUE(std::ifstream{page}.good()) << page;
  }
}

TEST(Providers, OnlyAPlainServerIsToldAlterSystem) {
  const ServerSetting setting{"max_slot_wal_keep_size", "10GB", "10240", false};
  EXPECT_EQ(setting_remedy(Provider::kPlain, setting),
            "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();");
  for (const auto provider : kAll) {
    if (provider == Provider::kPlain) continue;
    EXPECT_EQ(setting_remedy(provider, setting).find("ALTER SYSTEM"), std::string::npos);
    EXPECT_EQ(logical_remedy(provider).find("ALTER SYSTEM"), std::string::npos);
    EXPECT_FALSE(provider_trap(provider).empty());
  }
}

TEST(Providers, ASettingIsNamedAsTheProvidersFormTakesIt) {
  const ServerSetting senders{"max_wal_senders", "15", "15", true};
  const ServerSetting keep{"max_slot_wal_keep_size", "10GB", "10240", false};
  EXPECT_EQ(setting_remedy(Provider::kPlain, senders),
            "ALTER SYSTEM SET max_wal_senders = '15'; then restart the server.");
  EXPECT_EQ(setting_remedy(Provider::kRds, senders),
            "In a DB parameter group of your own: max_wal_senders = 15, then reboot the instance.");
  EXPECT_EQ(setting_remedy(Provider::kRds, keep),
            "In a DB parameter group of your own: max_slot_wal_keep_size = 10240.");
  EXPECT_EQ(setting_remedy(Provider::kCloudNativePg, keep),
            "In the Cluster, under spec.postgresql.parameters: max_slot_wal_keep_size: \"10GB\".");
  EXPECT_EQ(setting_remedy(Provider::kSupabase, keep),
            "With the Supabase CLI: supabase --experimental postgres-config update --config "
            "max_slot_wal_keep_size=10GB (the CLI restarts the database).");
}

TEST(Providers, WhatCantBeChangedIsSaid) {
  const ServerSetting keep{"max_slot_wal_keep_size", "10GB", "10240", false};
  EXPECT_NE(setting_remedy(Provider::kAzure, keep).find("slot.max_retained_wal"), std::string::npos);
  EXPECT_EQ(setting_remedy(Provider::kAzure, keep).find("10240"), std::string::npos);
  EXPECT_NE(setting_remedy(Provider::kNeon, keep).find("support"), std::string::npos);
}

TEST(Providers, LogicalDecodingHasASwitchOfItsOwn) {
  EXPECT_EQ(logical_remedy(Provider::kPlain),
            "ALTER SYSTEM SET wal_level = 'logical'; then restart the server.");
  EXPECT_NE(logical_remedy(Provider::kRds).find("rds.logical_replication = 1, then reboot"),
            std::string::npos);
  EXPECT_NE(logical_remedy(Provider::kAurora).find("DB cluster parameter group"), std::string::npos);
  EXPECT_NE(logical_remedy(Provider::kCloudSql).find("cloudsql.logical_decoding = on"), std::string::npos);
  EXPECT_NE(logical_remedy(Provider::kAzure).find("wal_level = logical"), std::string::npos);
}

TEST(Providers, TheRightToReplicateIsGivenTheirWay) {
  EXPECT_EQ(replication_remedy(Provider::kPlain, "\"w\""), "ALTER ROLE \"w\" REPLICATION;");
  EXPECT_EQ(replication_remedy(Provider::kAurora, "\"w\""), "GRANT rds_replication TO \"w\";");
  EXPECT_NE(replication_remedy(Provider::kNeon, "\"w\"").find("console"), std::string::npos);
  EXPECT_NE(replication_remedy(Provider::kCloudNativePg, "\"w\"").find("replication: true"),
            std::string::npos);
}

}  // namespace
}  // namespace dupwatch::postgres::provider_test
