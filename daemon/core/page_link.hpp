#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Links into the daemon's page for whoever reads of a finding elsewhere. What the page shows stands behind
/// the '#', see web/state.js.
namespace dupwatch::core {

/// `external_url` is http.external_url; without it both are empty.
[[nodiscard]] std::string finding_link(std::string_view external_url, std::uint64_t finding_id);
/// Bytes of the id that mean something in a URL are percent-encoded.
[[nodiscard]] std::string run_link(std::string_view external_url, std::string_view run_id);

/// "example.org" of "https://example.org:8443/path"; an address of IPv6 with its brackets; empty for anything
/// else.
[[nodiscard]] std::string_view url_host(std::string_view url) noexcept;

}  // namespace dupwatch::core
