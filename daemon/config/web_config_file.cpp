#include "daemon/config/web_config_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "daemon/config/document.hpp"
#include "daemon/config/text_file.hpp"
#include "daemon/config/values.hpp"
#include "daemon/config/web_config_value.hpp"

namespace dupwatch::config {
namespace {

using Value = WebConfigValue;
using Kind = ConfigNode::Kind;

// bcrypt takes twice as long for each more: 16 is some seconds, and nothing ends it before.
constexpr int kCostMin = 4;
constexpr int kCostMax = 16;

/// What is read, and what is needed for that.
struct WebDraft {
  core::WebConfig config;
  std::string folder;
  Place tls_place;
  Place auth_place;
  Place sans_place;
  Place max_version_place;
};

void read_bool(const Value& value, bool& into) {
  const auto text = value.text();
  if (!text) return;
  const auto given = value.node().quoted ? std::nullopt : parse_go_bool(*text);
  if (given) {
    into = *given;
  } else {
    value.refuse("true or false, without quotes");
  }
}

void read_file_name(const Value& value, core::PemSource& into, const WebDraft& draft) {
  const auto text = value.text();
  if (!text || text->empty()) return;
  into.file = (std::filesystem::path{draft.folder} / *text).lexically_normal().string();
}

void read_pem(const Value& value, core::PemSource& into) {
  if (auto text = value.text()) into.text = *std::move(text);
}

void read_interval(const Value& value, WebDraft& draft) {
  const auto text = value.text();
  if (!text) return;
  if (const auto interval = parse_go_duration(*text)) {
    draft.config.rate_interval = *interval;
  } else {
    value.refuse("a time with its unit, such as 1s or 100ms, or 0 for no limit");
  }
}

void read_burst(const Value& value, WebDraft& draft) {
  const auto text = value.text();
  if (!text) return;
  const auto burst = parse_number(*text, {0, 1'000'000});
  if (const auto* number = std::get_if<std::uint64_t>(&burst)) {
    draft.config.rate_burst = static_cast<std::uint32_t>(*number);
  } else {
    value.refuse("a whole number up to 1000000");
  }
}

constexpr auto kAuthTypes = std::to_array<std::pair<std::string_view, core::ClientAuth>>({
    {"NoClientCert", core::ClientAuth::kNone},
    {"RequestClientCert", core::ClientAuth::kRequest},
    {"RequireAnyClientCert", core::ClientAuth::kRequireAny},
    {"RequireClientCert", core::ClientAuth::kRequireAny},
    {"VerifyClientCertIfGiven", core::ClientAuth::kVerifyIfGiven},
    {"RequireAndVerifyClientCert", core::ClientAuth::kRequireAndVerify},
});

constexpr auto kVersions = std::to_array<std::pair<std::string_view, core::TlsVersion>>({
    {"TLS10", core::TlsVersion::k10},
    {"TLS11", core::TlsVersion::k11},
    {"TLS12", core::TlsVersion::k12},
    {"TLS13", core::TlsVersion::k13},
});

constexpr auto kCurves = std::to_array<std::pair<std::string_view, std::string_view>>(
    {{"CurveP256", "P-256"}, {"CurveP384", "P-384"}, {"CurveP521", "P-521"}, {"X25519", "X25519"}});

[[nodiscard]] std::vector<std::pair<std::string_view, core::CipherSuite>> suites() {
  std::vector<std::pair<std::string_view, core::CipherSuite>> out;
  for (const auto& suite : core::kCipherSuites) out.emplace_back(suite.name, suite);
  return out;
}

/// A header of each answer; `allowed` empty = any text.
void read_header(const Value& value, WebDraft& draft, std::string_view name,
                 std::span<const std::string_view> allowed = {}) {
  auto text = value.text();
  // Blank leaves it as it is.
  if (!text || text->empty()) return;
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(*text, control)) {
    value.refuse("one line");
  } else if (!allowed.empty() && std::ranges::find(allowed, *text) == allowed.end()) {
    value.refuse(fmt::format("{}", fmt::join(allowed, " or ")));
  } else {
    draft.config.headers.emplace_back(name, *std::move(text));
  }
}

struct KeySpec {
  std::string_view path;
  /// nullptr for a section.
  void (*read)(const Value& value, WebDraft& draft) = nullptr;
  bool secret = false;
};

using V = const Value&;
constexpr auto kNosniff = std::to_array<std::string_view>({"nosniff"});
constexpr auto kFrameOptions = std::to_array<std::string_view>({"deny", "sameorigin"});

constexpr auto kWebConfigKeys = std::to_array<KeySpec>({
    {"tls_server_config"},
    {"tls_server_config.cert", [](V v, WebDraft& d) { read_pem(v, d.config.tls.cert); }, true},
    {"tls_server_config.key", [](V v, WebDraft& d) { read_pem(v, d.config.tls.key); }, true},
    {"tls_server_config.client_ca", [](V v, WebDraft& d) { read_pem(v, d.config.tls.client_ca); }, true},
    {"tls_server_config.cert_file", [](V v, WebDraft& d) { read_file_name(v, d.config.tls.cert, d); }},
    {"tls_server_config.key_file", [](V v, WebDraft& d) { read_file_name(v, d.config.tls.key, d); }},
    {"tls_server_config.client_ca_file",
     [](V v, WebDraft& d) { read_file_name(v, d.config.tls.client_ca, d); }},
    {"tls_server_config.client_auth_type",
     [](V v, WebDraft& d) {
       // Blank is as good as absent here, and nowhere else.
       if (v.node().kind == Kind::kScalar && v.node().text.empty()) return;
       v.choice<core::ClientAuth>(d.config.tls.client_auth, kAuthTypes);
       d.auth_place = v.place();
       if (v.node().kind == Kind::kScalar) d.config.tls.enabled = true;
     }},
    {"tls_server_config.client_allowed_sans",
     [](V v, WebDraft& d) {
       d.config.tls.client_allowed_sans = v.list();
       d.sans_place = v.place();
     }},
    {"tls_server_config.min_version",
     [](V v, WebDraft& d) { v.choice<core::TlsVersion>(d.config.tls.min_version, kVersions); }},
    {"tls_server_config.max_version",
     [](V v, WebDraft& d) {
       v.choice<core::TlsVersion>(d.config.tls.max_version, kVersions);
       d.max_version_place = v.place();
     }},
    {"tls_server_config.cipher_suites",
     [](V v, WebDraft& d) { v.choices<core::CipherSuite>(d.config.tls.cipher_suites, suites()); }},
    {"tls_server_config.prefer_server_cipher_suites",
     [](V v, WebDraft& d) { read_bool(v, d.config.tls.prefer_server_cipher_suites); }},
    {"tls_server_config.curve_preferences",
     [](V v, WebDraft& d) { v.choices<std::string_view>(d.config.tls.curves, kCurves); }},
    {"http_server_config"},
    {"http_server_config.http2", [](V v, WebDraft& d) { read_bool(v, d.config.http2_asked); }},
    {"http_server_config.headers"},
    {"http_server_config.headers.Content-Security-Policy",
     [](V v, WebDraft& d) { read_header(v, d, "Content-Security-Policy"); }},
    {"http_server_config.headers.X-Frame-Options",
     [](V v, WebDraft& d) { read_header(v, d, "X-Frame-Options", kFrameOptions); }},
    {"http_server_config.headers.X-Content-Type-Options",
     [](V v, WebDraft& d) { read_header(v, d, "X-Content-Type-Options", kNosniff); }},
    {"http_server_config.headers.X-XSS-Protection",
     [](V v, WebDraft& d) { read_header(v, d, "X-XSS-Protection"); }},
    {"http_server_config.headers.Strict-Transport-Security",
     [](V v, WebDraft& d) { read_header(v, d, "Strict-Transport-Security"); }},
    {"rate_limit"},
    {"rate_limit.interval", read_interval},
    {"rate_limit.burst", read_burst},
});

/// Whether `text` is a bcrypt that one may wait for; reports otherwise.
[[nodiscard]] bool is_bcrypt(const Value& value, std::string_view text) {
  constexpr std::size_t kBytes = 60;
  const auto base64 = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '/';
  };
  int cost = 0;
  const bool shaped = text.size() == kBytes &&
                      (text.starts_with("$2a$") || text.starts_with("$2b$") || text.starts_with("$2y$")) &&
                      text[6] == '$' &&
                      std::from_chars(text.data() + 4, text.data() + 6, cost).ptr == text.data() + 6 &&
                      std::ranges::all_of(text.substr(7), base64);
  if (!shaped || cost < kCostMin) {
    value.refuse("a password's bcrypt: 60 characters that begin with $2y$, $2b$ or $2a$",
                 "htpasswd -nBC 10 \"\" | tr -d ':\\n' asks for the password and prints it");
    return false;
  }
  if (cost > kCostMax) {
    value.refuse(fmt::format("a cost of at most {}", kCostMax),
                 "it would take longer than a scrape waits; hash the password again with a cost of 10 to 12");
    return false;
  }
  return true;
}

void read_users(const ConfigNode& map, WebDraft& draft, Problems& problems) {
  for (const auto& entry : map.items) {
    // The name is no secret, and says which of them is meant.
    const Value value{entry, "basic_auth_users." + entry.key, true, problems};
    if (std::holds_alternative<Refusal>(parse_user(entry.key))) {
      problems.add(entry.key_place, "basic_auth_users", in_quotes(entry.key),
                   "a name of at most 255 bytes without colon or control characters");
      continue;
    }
    if (entry.kind != Kind::kScalar) {
      value.refuse("a password's bcrypt");
    } else if (is_bcrypt(value, entry.text)) {
      draft.config.users.push_back({.name = entry.key, .hash = entry.text});
    }
  }
}

void read_map(const ConfigNode& map, const std::string& section, WebDraft& draft, Problems& problems);

void read_entry(const ConfigNode& entry, const std::string& section, WebDraft& draft, Problems& problems) {
  const auto path = section.empty() ? entry.key : section + "." + entry.key;
  const bool users = path == "basic_auth_users";
  const auto* key = std::ranges::find(kWebConfigKeys, path, &KeySpec::path);
  const bool known = key != kWebConfigKeys.end() &&
                     path.substr(section.empty() ? 0 : section.size() + 1) == entry.key &&
                     entry.key.find('.') == std::string::npos;
  if (!known && !users) {
    std::vector<std::string_view> names;
    for (const auto& one : kWebConfigKeys) {
      if (!one.path.starts_with(section)) continue;
      auto name = one.path.substr(section.empty() ? 0 : std::min(section.size() + 1, one.path.size()));
      if (!name.empty() && name.find('.') == std::string_view::npos) names.push_back(name);
    }
    if (section.empty()) names.emplace_back("basic_auth_users");
    problems.add(entry.key_place, section, "the unknown key " + in_quotes(entry.key),
                 fmt::format("one of {}", fmt::join(names, ", ")), did_you_mean(entry.key, names));
    return;
  }
  if (!users && key->read != nullptr) {
    key->read(Value{entry, path, key->secret, problems}, draft);
    return;
  }
  if (entry.kind == Kind::kNull) return;
  if (entry.kind != Kind::kMap) {
    problems.add(entry.place, path, entry.kind == Kind::kList ? "a list" : "a single value", "a map of keys",
                 "indent its keys below it");
    return;
  }
  if (users) {
    read_users(entry, draft, problems);
  } else {
    if (path == "tls_server_config") draft.tls_place = entry.key_place;
    read_map(entry, path, draft, problems);
  }
}

void read_map(const ConfigNode& map, const std::string& section, WebDraft& draft, Problems& problems) {
  for (const auto& entry : map.items) read_entry(entry, section, draft, problems);
}

/// What no key says alone.
void check_tls(WebDraft& draft, Problems& problems) {
  using core::ClientAuth;
  auto& tls = draft.config.tls;
  const auto problem = [&](Place place, std::string_view key, std::string found, std::string expected,
                           std::string remedy = {}) {
    problems.add(place, fmt::format("tls_server_config{}", key), std::move(found), std::move(expected),
                 std::move(remedy));
  };
  tls.enabled = tls.enabled || tls.cert.given() || tls.key.given() || tls.client_ca.given();
  if (!tls.enabled) return;
  const auto one_of = [&](const core::PemSource& source, std::string_view name) {
    if (!source.file.empty() && !source.text.empty()) {
      problem(draft.tls_place, "", fmt::format("both {0} and {0}_file", name), "one of the two");
    }
  };
  one_of(tls.cert, "cert");
  one_of(tls.key, "key");
  one_of(tls.client_ca, "client_ca");
  if (!tls.cert.given()) problem(draft.tls_place, "", "no certificate", "cert_file or cert");
  if (!tls.key.given()) problem(draft.tls_place, "", "no private key", "key_file or key");
  if (tls.client_ca.given() && tls.client_auth == ClientAuth::kNone) {
    problem(draft.tls_place, ".client_auth_type", "authorities of clients without a policy for them",
            "RequireAndVerifyClientCert, or no client_ca_file");
  }
  const bool certain =
      tls.client_auth == ClientAuth::kRequireAny || tls.client_auth == ClientAuth::kRequireAndVerify;
  if (!tls.client_allowed_sans.empty() && !certain) {
    problem(draft.sans_place, ".client_allowed_sans", "names without a certificate that must hold one",
            "client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert");
  }
  if (tls.max_version < tls.min_version) {
    problem(draft.max_version_place, ".max_version", "less than min_version", "at least min_version");
  }
}

}  // namespace

WebConfigResult parse_web_config(std::string_view text, std::string_view file_name) {
  Problems problems{file_name};
  const auto root = read_document(text, problems);
  WebDraft draft;
  draft.folder = std::filesystem::path{file_name}.parent_path().string();
  if (root.kind == Kind::kMap) {
    read_map(root, "", draft, problems);
    check_tls(draft, problems);
  } else if (root.kind != Kind::kNull) {
    problems.add(root.place, "", "no map", "a map of keys", "write key: value");
  }
  if (!problems.empty()) return std::move(problems).take();
  return std::move(draft.config);
}

WebConfigResult load_web_config_file(const std::string& path) {
  const auto text = read_regular_file(path);
  if (const auto* error = std::get_if<int>(&text)) {
    Problems problems{path};
    problems.add({}, "", std::generic_category().message(*error), "a readable web configuration file",
                 "check http.web_config_file or --web.config.file, and the permissions");
    return std::move(problems).take();
  }
  return parse_web_config(std::get<std::string>(text), path);
}

std::variant<core::WebConfig, std::vector<std::string>> load_web_config(const std::string& path) {
  auto loaded = load_web_config_file(path);
  if (auto* config = std::get_if<core::WebConfig>(&loaded)) return std::move(*config);
  std::vector<std::string> lines;
  for (const auto& problem : std::get<std::vector<ConfigProblem>>(loaded))
    lines.push_back(format_problem(problem));
  return lines;
}

}  // namespace dupwatch::config
