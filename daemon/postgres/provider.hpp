#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Managed services: where a remedy of `check` is not SQL, because the provider keeps ALTER SYSTEM to itself.
/// config/providers/ has a page on each.
namespace dupwatch::postgres {

enum class Provider : std::uint8_t {
  kPlain,
  kRds,
  kAurora,
  kCloudSql,
  kAzure,
  kNeon,
  kSupabase,
  kCloudNativePg
};

/// One row: the roles that only one provider has, comma separated, and whether the server is Aurora.
[[nodiscard]] std::string provider_query();
/// `roles` as provider_query() gives them. A server with none of them is plain.
[[nodiscard]] Provider recognise_provider(std::string_view roles, bool aurora) noexcept;

/// "Amazon RDS"; "none recognised" for a plain server.
[[nodiscard]] std::string_view provider_name(Provider provider) noexcept;
/// The page of config/providers/.
[[nodiscard]] std::string_view provider_page(Provider provider) noexcept;
/// What surprises on it, in a sentence; empty for a plain server.
[[nodiscard]] std::string_view provider_trap(Provider provider) noexcept;

/// A setting of the server that a check wants changed.
struct ServerSetting {
  std::string_view name;
  /// With its unit, e.g. "10GB", as Postgres reads it.
  std::string value;
  /// The same as a number in the setting's own unit, which is what the forms of most providers take.
  std::string number;
  bool restart = false;
};
[[nodiscard]] std::string setting_remedy(Provider provider, const ServerSetting& setting);
/// How wal_level becomes logical.
[[nodiscard]] std::string logical_remedy(Provider provider);
/// How a role gets the right to replicate; `role` is quoted.
[[nodiscard]] std::string replication_remedy(Provider provider, const std::string& role);

}  // namespace dupwatch::postgres
