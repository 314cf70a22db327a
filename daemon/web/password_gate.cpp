#include "daemon/web/password_gate.hpp"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <new>
#include <utility>

namespace dupwatch::web {
namespace {

constexpr std::string_view kScheme = "basic";
// More than the longest user, colon and password that the configuration takes.
constexpr std::size_t kComparedBytes = 2048;
// $2b$10$ and 22 characters of salt, then the digest.
constexpr std::size_t kSettingBytes = 29;
constexpr std::size_t kDigestBytes = 31;

/// The credentials of a Basic header, still in base64; nullopt for another scheme.
[[nodiscard]] std::optional<std::string_view> basic_token(std::string_view header) {
  const auto lower = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (header.size() <= kScheme.size() || header[kScheme.size()] != ' ' ||
      !std::ranges::equal(header.substr(0, kScheme.size()), kScheme, lower)) {
    return std::nullopt;
  }
  header.remove_prefix(std::min(header.find_first_not_of(' ', kScheme.size()), header.size()));
  return header;
}

[[nodiscard]] std::optional<std::uint32_t> sextet(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a' + 26);
  if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0' + 52);
  if (c == '+') return 62;
  if (c == '/') return 63;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = sextet(c);
    if (!value) return std::nullopt;
    bits = (bits << 6U) | *value;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU);
  }
  return out;
}

namespace {

/// user:password of a Basic header.
[[nodiscard]] std::optional<std::string> pair_in(std::string_view authorization) {
  const auto token = basic_token(authorization);
  auto pair = token ? decode_base64(*token) : std::nullopt;
  // crypt(3) would end at a zero byte, and take what comes before it for the password.
  if (!pair || pair->empty() || pair->size() > kComparedBytes || pair->find('\0') != std::string::npos) {
    return std::nullopt;
  }
  return pair;
}

[[nodiscard]] bool has_hash(const std::string& password, const std::string& hash) {
  const auto scratch = std::make_unique<crypt_data>();
  const char* made = crypt_r(password.c_str(), hash.c_str(), scratch.get());
  const bool right = made != nullptr && hash.size() == std::string_view{made}.size() &&
                     CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(scratch.get(), sizeof(crypt_data));
  return right;
}

}  // namespace

PasswordGate::PasswordGate(const core::BasicAuthConfig& config, std::vector<core::WebUser> users)
    : users_(std::move(users)) {
  if (config.enabled()) {
    // The user has no colon, so the two together name one pair only.
    wanted_ = config.user + ":" + config.password;
    wanted_bytes_ = wanted_.size();
    wanted_.resize(kComparedBytes);
  }
  // As slow as the first user's, so that the time does not tell who exists.
  if (!users_.empty()) decoy_ = users_.front().hash.substr(0, kSettingBytes) + std::string(kDigestBytes, '.');
  if (RAND_bytes(salt_.data(), static_cast<int>(salt_.size())) != 1) throw std::bad_alloc{};
}

bool PasswordGate::admits_the_same(const PasswordGate& other) const noexcept {
  return wanted_ == other.wanted_ && users_ == other.users_;
}

bool PasswordGate::is_the_known_pair(const std::string& pair) const noexcept {
  unsigned difference = pair.size() == wanted_bytes_ ? 0 : 1;
  for (std::size_t i = 0; i < kComparedBytes; ++i) {
    const char given = i < pair.size() ? pair[i] : '\0';
    difference |= static_cast<unsigned char>(wanted_[i] ^ given);
  }
  return difference == 0;
}

PasswordGate::Verdict PasswordGate::look(std::string_view authorization) const {
  const auto pair = pair_in(authorization);
  if (!pair) return Verdict::kRefused;
  if (!wanted_.empty() && is_the_known_pair(*pair)) return Verdict::kAdmitted;
  if (users_.empty()) return Verdict::kRefused;
  const auto key = key_of(*pair);
  const std::lock_guard lock{mutex_};
  if (right_.answers.contains(key)) return Verdict::kAdmitted;
  return wrong_.answers.contains(key) ? Verdict::kRefused : Verdict::kUnknown;
}

bool PasswordGate::check(std::string_view authorization) const {
  const auto verdict = look(authorization);
  if (verdict != Verdict::kUnknown) return verdict == Verdict::kAdmitted;
  const auto pair = *pair_in(authorization);
  const auto colon = pair.find(':');
  const auto name = std::string_view{pair}.substr(0, colon);
  const auto password = pair.substr(std::min(colon, pair.size() - 1) + 1);
  const auto user = std::ranges::find(users_, name, &core::WebUser::name);
  const bool known = user != users_.end();
  const bool right = has_hash(password, known ? user->hash : decoy_) && known && colon != std::string::npos;
  remember(key_of(pair), right);
  return right;
}

PasswordGate::Key PasswordGate::key_of(std::string_view pair) const {
  std::string text(salt_.begin(), salt_.end());
  text += pair;
  Key key{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), key.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::bad_alloc{};
  }
  return key;
}

void PasswordGate::remember(const Key& key, bool right) const {
  const std::lock_guard lock{mutex_};
  auto& list = right ? right_ : wrong_;
  if (!list.answers.emplace(key, right).second) return;
  list.order.push_back(key);
  if (list.order.size() <= kRememberedMax) return;
  list.answers.erase(list.order.front());
  list.order.pop_front();
}

std::string user_of(std::string_view authorization) {
  const auto pair = pair_in(authorization);
  return pair ? pair->substr(0, pair->find(':')) : std::string{};
}

}  // namespace dupwatch::web
