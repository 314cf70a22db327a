#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What a web configuration file of Prometheus' exporter-toolkit says.
namespace dupwatch::core {

/// What a client has to show in the TLS handshake; the names are Go's.
enum class ClientAuth : std::uint8_t {
  kNone,              ///< nothing is asked for
  kRequest,           ///< asked for, not looked at
  kRequireAny,        ///< any certificate, whoever signed it
  kVerifyIfGiven,     ///< none, or one that the authorities signed
  kRequireAndVerify,  ///< one that the authorities signed
};

enum class TlsVersion : std::uint8_t { k10, k11, k12, k13 };

struct CipherSuite {
  std::string_view name;
  /// As OpenSSL names it; empty = of TLS 1.3, where all are always on.
  std::string_view openssl;
};

/// Every suite that `cipher_suites` takes.
inline constexpr auto kCipherSuites = std::to_array<CipherSuite>({
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
    {"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"},
    {"TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"},
    {"TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"},
    {"TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"},
    {"TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"},
});

/// PEM, in a file or in the configuration itself.
struct PemSource {
  /// Empty = `text`.
  std::string file;
  std::string text;
  [[nodiscard]] bool given() const noexcept { return !file.empty() || !text.empty(); }
  friend bool operator==(const PemSource&, const PemSource&) = default;
};

struct WebTls {
  /// false = plain HTTP.
  bool enabled = false;
  PemSource cert;
  /// Never logged.
  PemSource key;
  /// Not given = the system's authorities, where a certificate is verified.
  PemSource client_ca;
  ClientAuth client_auth = ClientAuth::kNone;
  /// Not empty = the client's certificate must name one of them.
  std::vector<std::string> client_allowed_sans;
  TlsVersion min_version = TlsVersion::k12;
  TlsVersion max_version = TlsVersion::k13;
  /// In order of preference; empty = OpenSSL's. Of kCipherSuites.
  std::vector<CipherSuite> cipher_suites;
  bool prefer_server_cipher_suites = true;
  /// As OpenSSL names them, in order of preference; empty = OpenSSL's.
  std::vector<std::string_view> curves;
};

struct WebUser {
  std::string name;
  /// bcrypt. Never logged.
  std::string hash;
  friend bool operator==(const WebUser&, const WebUser&) = default;
};

struct WebConfig {
  WebTls tls;
  /// http2: true stands there; HTTP/1.1 is what is spoken all the same.
  bool http2_asked = false;
  /// Header and value that each answer carries, in the place of one of the same name.
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<WebUser> users;
  /// Between two requests on average; 0 = no limit.
  std::chrono::nanoseconds rate_interval{0};
  /// So many may come at once.
  std::uint32_t rate_burst = 0;
};

}  // namespace dupwatch::core
