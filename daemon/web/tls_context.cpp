#include <utility>  // before Boost 1.74, which forgets it

#include "daemon/web/tls_context.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

namespace dupwatch::web {
namespace {

constexpr std::size_t kPemBytesMax = std::size_t{1} << 20U;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

/// What OpenSSL says last, and nothing of it stays.
[[nodiscard]] std::string openssl_reason() {
  const auto code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "not in the form that is expected" : text;
}

/// Where `context` keeps its TlsContext.
[[nodiscard]] int own_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// A key with a passphrase: nobody is there to type it.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*unused*/) {
  return 0;
}

[[nodiscard]] std::vector<std::string> alternative_names(const X509* certificate, bool dns_only) {
  std::vector<std::string> out;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    const bool text =
        name->type == GEN_DNS || (!dns_only && (name->type == GEN_EMAIL || name->type == GEN_URI));
    if (text) {
      const auto* value = name->d.ia5;
      out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                       static_cast<std::size_t>(ASN1_STRING_length(value)));
    } else if (!dns_only && name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> shown{};
      const int bytes = ASN1_STRING_length(name->d.iPAddress);
      const int family = bytes == 4 ? AF_INET : AF_INET6;
      if ((bytes == 4 || bytes == 16) && inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress),
                                                   shown.data(), shown.size()) != nullptr) {
        out.emplace_back(shown.data());
      }
    }
  }
  GENERAL_NAMES_free(names);
  return out;
}

[[nodiscard]] int protocol(core::TlsVersion version) noexcept {
  switch (version) {
    case core::TlsVersion::k10:
      return TLS1_VERSION;
    case core::TlsVersion::k11:
      return TLS1_1_VERSION;
    case core::TlsVersion::k12:
      return TLS1_2_VERSION;
    case core::TlsVersion::k13:
      return TLS1_3_VERSION;
  }
  return TLS1_2_VERSION;
}

}  // namespace

/// Fills a TlsContext and collects what is wrong.
class TlsContext::Builder {
 public:
  Builder(const core::WebTls& config, TlsContext& out)
      : config_(config), out_(out), native_(out.context_.native_handle()) {}

  [[nodiscard]] std::vector<std::string> build() && {
    ERR_clear_error();
    SSL_CTX_set_ex_data(native_, own_index(), &out_);
    SSL_CTX_set_default_passwd_cb(native_, &no_passphrase);
    take_certificate();
    take_clients();
    take_protocol();
    return std::move(problems_);
  }

 private:
  void problem(std::string_view key, std::string_view what) {
    problems_.push_back(fmt::format("tls_server_config.{}: {}", key, what));
  }

  [[nodiscard]] std::optional<std::string> text_of(std::string_view key, const core::PemSource& source) {
    if (source.file.empty()) return source.text;
    std::error_code error;
    if (std::filesystem::exists(source.file, error) &&
        !std::filesystem::is_regular_file(source.file, error)) {
      problem(key, fmt::format("{} is no regular file", source.file));
      return std::nullopt;
    }
    errno = 0;
    std::ifstream file{source.file, std::ios::binary};
    std::string text(kPemBytesMax, '\0');
    if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad()) {
      problem(key, fmt::format("{} can't be read: {}", source.file, std::generic_category().message(errno)));
      return std::nullopt;
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
  }

  [[nodiscard]] static Bio reader_of(const std::string& text) {
    return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  }

  void take_certificate() {
    const bool from_file = !config_.cert.file.empty();
    const std::string_view cert_key = from_file ? "cert_file" : "cert";
    const std::string_view key_key = config_.key.file.empty() ? "key" : "key_file";
    const auto chain = text_of(cert_key, config_.cert);
    const auto key_text = text_of(key_key, config_.key);
    bool complete = chain && use_chain(cert_key, *chain);
    if (key_text) {
      const auto in = reader_of(*key_text);
      const PrivateKey key{PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr)};
      if (!key) {
        (void)openssl_reason();
        problem(key_key, "holds no private key in PEM that has no passphrase");
        complete = false;
      } else if (complete && (SSL_CTX_use_PrivateKey(native_, key.get()) != 1 ||
                              // OpenSSL takes a key of another kind for that of a second certificate.
                              SSL_CTX_check_private_key(native_) != 1)) {
        problem(key_key, "is not the key of the certificate: " + openssl_reason());
      }
    }
  }

  [[nodiscard]] bool use_chain(std::string_view key, const std::string& text) {
    const auto in = reader_of(text);
    const Certificate own{PEM_read_bio_X509_AUX(in.get(), nullptr, &no_passphrase, nullptr)};
    if (!own) {
      (void)openssl_reason();
      problem(key, "holds no certificate in PEM");
      return false;
    }
    if (SSL_CTX_use_certificate(native_, own.get()) != 1) {
      problem(key, "is not taken by OpenSSL: " + openssl_reason());
      return false;
    }
    while (auto* next = PEM_read_bio_X509(in.get(), nullptr, &no_passphrase, nullptr)) {
      if (SSL_CTX_add0_chain_cert(native_, next) != 1) X509_free(next);
    }
    ERR_clear_error();
    out_.names_ = alternative_names(own.get(), true);
    std::tm end{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(own.get()), &end) == 1) out_.not_after_ = timegm(&end);
    return true;
  }

  void take_clients() {
    using core::ClientAuth;
    int mode = SSL_VERIFY_NONE;
    if (config_.client_auth != ClientAuth::kNone) mode = SSL_VERIFY_PEER;
    if (config_.client_auth == ClientAuth::kRequireAny ||
        config_.client_auth == ClientAuth::kRequireAndVerify)
      mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    out_.verified_ = config_.client_auth == ClientAuth::kVerifyIfGiven ||
                     config_.client_auth == ClientAuth::kRequireAndVerify;
    out_.allowed_sans_ = config_.client_allowed_sans;
    SSL_CTX_set_verify(native_, mode, &TlsContext::verify);
    // A resumed session is not verified again, and a rotated authority would not count for it.
    if (mode != SSL_VERIFY_NONE) {
      SSL_CTX_set_session_cache_mode(native_, SSL_SESS_CACHE_OFF);
      SSL_CTX_set_options(native_, SSL_OP_NO_TICKET);
      SSL_CTX_set_num_tickets(native_, 0);
    }
    // As Go has it: a certificate among the authorities is trusted itself.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(native_), X509_V_FLAG_PARTIAL_CHAIN);
    if (!config_.client_ca.given()) {
      if (out_.verified_) SSL_CTX_set_default_verify_paths(native_);
      return;
    }
    const std::string_view key = config_.client_ca.file.empty() ? "client_ca" : "client_ca_file";
    if (const auto text = text_of(key, config_.client_ca)) take_authorities(key, *text);
  }

  void take_authorities(std::string_view key, const std::string& text) {
    const auto in = reader_of(text);
    int count = 0;
    while (const Certificate authority{PEM_read_bio_X509(in.get(), nullptr, &no_passphrase, nullptr)}) {
      if (X509_STORE_add_cert(SSL_CTX_get_cert_store(native_), authority.get()) == 1) ++count;
      SSL_CTX_add_client_CA(native_, authority.get());
    }
    ERR_clear_error();
    if (count == 0) problem(key, "holds no certificate in PEM");
  }

  void take_protocol() {
    auto min = config_.min_version;
    // Their suites and hashes are below what Debian's OpenSSL takes by default.
    if (min < core::TlsVersion::k12) SSL_CTX_set_security_level(native_, 0);
    std::string list;
    for (const auto& suite : config_.cipher_suites) {
      if (suite.openssl.empty()) continue;
      if (!list.empty()) list += ':';
      list += suite.openssl;
    }
    // Only suites of TLS 1.3 are named, so nothing is left for what is older.
    if (!config_.cipher_suites.empty() && list.empty()) min = core::TlsVersion::k13;
    if (!list.empty() && SSL_CTX_set_cipher_list(native_, list.c_str()) != 1) {
      problem("cipher_suites", "is not taken by OpenSSL: " + openssl_reason());
    }
    SSL_CTX_set_min_proto_version(native_, protocol(min));
    SSL_CTX_set_max_proto_version(native_, protocol(config_.max_version));
    if (min > config_.max_version) problem("max_version", "is below the least that is left");
    auto options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;
    if (config_.prefer_server_cipher_suites) options |= SSL_OP_CIPHER_SERVER_PREFERENCE;
    SSL_CTX_set_options(native_, options);
    SSL_CTX_set_mode(native_, SSL_MODE_RELEASE_BUFFERS);
    std::string curves;
    for (const auto curve : config_.curves) {
      if (!curves.empty()) curves += ':';
      curves += curve;
    }
    if (!curves.empty() && SSL_CTX_set1_groups_list(native_, curves.data()) != 1) {
      problem("curve_preferences", "is not taken by OpenSSL: " + openssl_reason());
    }
  }

  const core::WebTls& config_;
  TlsContext& out_;
  SSL_CTX* native_;
  std::vector<std::string> problems_;
};

std::variant<std::shared_ptr<TlsContext>, std::vector<std::string>> TlsContext::build(
    const core::WebTls& config) {
  std::shared_ptr<TlsContext> out{new TlsContext};
  auto problems = Builder{config, *out}.build();
  if (!problems.empty()) return problems;
  return out;
}

int TlsContext::verify(int preverified, X509_STORE_CTX* store) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* self = static_cast<const TlsContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), own_index()));
  auto* leaf = X509_STORE_CTX_get0_cert(store);
  // Whoever has the server's own key may ask it: `dupwatch health` does.
  const auto* own = SSL_get_certificate(ssl);
  if (own != nullptr && X509_cmp(leaf, own) == 0) return 1;
  if (self->verified_ && preverified != 1) return 0;
  if (X509_STORE_CTX_get_error_depth(store) != 0 || self->allowed_sans_.empty()) return 1;
  const auto names = alternative_names(leaf, false);
  const bool allowed = std::ranges::any_of(names, [&](const std::string& name) {
    return std::ranges::find(self->allowed_sans_, name) != self->allowed_sans_.end();
  });
  if (!allowed) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return allowed ? 1 : 0;
}

}  // namespace dupwatch::web
