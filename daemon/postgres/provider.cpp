#include "daemon/postgres/provider.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dupwatch::postgres {
namespace {

struct ProviderFacts {
  Provider provider;
  /// The role that tells it.
  std::string_view mark;
  std::string_view name;
  std::string_view page;
  /// Where its settings are changed.
  std::string_view where;
  std::string_view restart;
  std::string_view logical;
  std::string_view trap;
};

// The first row whose role the server has counts. A provider's role can have come along with a dump to
// another one; all that follows from a wrong guess is the wording of a remedy.
constexpr auto kProviders = std::to_array<ProviderFacts>({
    {Provider::kNeon,
     "neon_superuser",
     "Neon",
     "neon.md",
     {},
     {},
     "Enable logical replication in the settings of the Neon project; its computes are restarted.",
     "a compute that dupwatch reads from does not scale to zero, and a slot that is not read for some 40 "
     "hours is removed"},
    {Provider::kSupabase, "supabase_admin", "Supabase", "supabase.md",
     "With the Supabase CLI: supabase --experimental postgres-config update --config",
     "the CLI restarts the database",
     "Supabase runs with wal_level = logical; a project that does not needs its support.",
     "use the direct connection, not the pooler"},
    {Provider::kAzure, "azure_pg_admin", "Azure Database for PostgreSQL", "azure.md",
     "Among the server parameters (portal, or az postgres flexible-server parameter set):",
     "then restart the server",
     "Among the server parameters (portal, or az postgres flexible-server parameter set): wal_level = "
     "logical, "
     "then restart the server.",
     "the storage becomes read-only when a slot without a reader has filled it"},
    {Provider::kCloudSql, "cloudsqlsuperuser", "Google Cloud SQL", "cloud-sql.md",
     "Among the database flags of the instance (gcloud sql instances patch --database-flags sets all of them "
     "at once, "
     "so name the others too):",
     "the instance restarts",
     "Set the database flag cloudsql.logical_decoding = on (gcloud sql instances patch --database-flags sets "
     "all of "
     "them at once, so name the others too); the instance restarts.",
     "settings are database flags of the instance"},
    {Provider::kRds, "rds_superuser", "Amazon RDS", "rds.md",
     "In a DB parameter group of your own:", "then reboot the instance",
     "In a DB parameter group of your own: rds.logical_replication = 1, then reboot the instance; wal_level "
     "follows "
     "it.",
     "settings are those of the parameter group"},
    {Provider::kAurora, "rds_superuser", "Amazon Aurora", "rds.md",
     "In a DB cluster parameter group of your own:", "then reboot the writer",
     "In a DB cluster parameter group of your own: rds.logical_replication = 1, then reboot the writer; "
     "wal_level "
     "follows it.",
     "only the writer decodes: connect to the cluster's endpoint"},
    {Provider::kCloudNativePg, "streaming_replica", "CloudNativePG", "cloudnativepg.md",
     "In the Cluster, under spec.postgresql.parameters:", "the operator restarts the instances",
     "In the Cluster, under spec.postgresql.parameters: wal_level: logical (its default); the operator "
     "restarts the "
     "instances.",
     "what the Cluster manages is not changed by SQL"},
});

constexpr ProviderFacts kPlainFacts{Provider::kPlain, {}, "none recognised", "plain.md", {}, {}, {}, {}};

const ProviderFacts& facts_of(Provider provider) noexcept {
  const auto found = std::find_if(kProviders.begin(), kProviders.end(),
                                  [&](const ProviderFacts& row) { return row.provider == provider; });
  return found == kProviders.end() ? kPlainFacts : *found;
}

bool lists(std::string_view roles, std::string_view wanted) noexcept {
  while (!roles.empty()) {
    const auto end = std::min(roles.find(','), roles.size());
    if (roles.substr(0, end) == wanted) return true;
    roles.remove_prefix(std::min(end + 1, roles.size()));
  }
  return false;
}

/// Empty: it can be changed.
std::string fixed_remedy(Provider provider, std::string_view setting) {
  if (provider == Provider::kAzure && setting == "max_slot_wal_keep_size") {
    return "Azure does not let it be changed. While dupwatch runs, slot.max_retained_wal is the bound; for "
           "when it does not run, alert on the slot (alerts/slots.rules.yml), or set slot.temporary: true.";
  }
  if (provider == Provider::kNeon)
    return fmt::format("Neon sets {} itself; its support can change it.", setting);
  return {};
}

}  // namespace

std::string provider_query() {
  std::string names;
  for (const auto& row : kProviders) {
    if (row.provider == Provider::kAurora) continue;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", row.mark);
  }
  return "SELECT (SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_catalog.pg_roles WHERE rolname IN "
         "(" +
         names + ")), EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'aurora_version')";
}

Provider recognise_provider(std::string_view roles, bool aurora) noexcept {
  for (const auto& row : kProviders) {
    if (!lists(roles, row.mark)) continue;
    return row.provider == Provider::kRds && aurora ? Provider::kAurora : row.provider;
  }
  return Provider::kPlain;
}

std::string_view provider_name(Provider provider) noexcept {
  return facts_of(provider).name;
}

std::string_view provider_page(Provider provider) noexcept {
  return facts_of(provider).page;
}

std::string_view provider_trap(Provider provider) noexcept {
  return facts_of(provider).trap;
}

std::string setting_remedy(Provider provider, const ServerSetting& setting) {
  if (auto fixed = fixed_remedy(provider, setting.name); !fixed.empty()) return fixed;
  const auto& facts = facts_of(provider);
  switch (provider) {
    case Provider::kPlain:
      return fmt::format("ALTER SYSTEM SET {} = '{}'; {}", setting.name, setting.value,
                         setting.restart ? "then restart the server." : "SELECT pg_reload_conf();");
    case Provider::kSupabase:
      return fmt::format("{} {}={} ({}).", facts.where, setting.name, setting.value, facts.restart);
    case Provider::kCloudNativePg:
      return fmt::format("{} {}: \"{}\"{}{}.", facts.where, setting.name, setting.value,
                         setting.restart ? "; " : "", setting.restart ? facts.restart : "");
    case Provider::kRds:
    case Provider::kAurora:
    case Provider::kCloudSql:
    case Provider::kAzure:
    case Provider::kNeon:
      return fmt::format("{} {} = {}{}{}.", facts.where, setting.name, setting.number,
                         setting.restart ? ", " : "", setting.restart ? facts.restart : "");
  }
  return {};
}

std::string logical_remedy(Provider provider) {
  if (provider == Provider::kPlain)
    return setting_remedy(provider, {"wal_level", "logical", "logical", true});
  return std::string{facts_of(provider).logical};
}

std::string replication_remedy(Provider provider, const std::string& role) {
  switch (provider) {
    case Provider::kRds:
    case Provider::kAurora:
      return "GRANT rds_replication TO " + role + ";";
    case Provider::kNeon:
      return "ALTER ROLE " + role +
             " REPLICATION; where Neon refuses it, make the role in its console, CLI or API.";
    case Provider::kCloudNativePg:
      return "In the Cluster, under spec.managed.roles: {name: " + role +
             ", ensure: present, login: true, replication: true}; or as a superuser, for a role that the "
             "Cluster does not name: ALTER ROLE " +
             role + " REPLICATION;";
    case Provider::kPlain:
    case Provider::kCloudSql:
    case Provider::kAzure:
    case Provider::kSupabase:
      return "ALTER ROLE " + role + " REPLICATION;";
  }
  return {};
}

}  // namespace dupwatch::postgres
