#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/core/web_config.hpp"

namespace dupwatch::web {

/// HTTP's Basic authentication (RFC 7617): the user of http.basic_auth, whose password is known, and those of
/// the web configuration file, whose passwords are known by their bcrypt alone. Any thread may ask.
class PasswordGate {
 public:
  enum class Verdict : std::uint8_t {
    kAdmitted,
    kRefused,
    kUnknown,  ///< only bcrypt can tell, which takes tens of milliseconds or more
  };

  PasswordGate(const core::BasicAuthConfig& config, std::vector<core::WebUser> users);
  PasswordGate(const PasswordGate&) = delete;
  PasswordGate& operator=(const PasswordGate&) = delete;
  ~PasswordGate() = default;

  /// Whether there is anybody to know.
  [[nodiscard]] bool closed() const noexcept { return !wanted_.empty() || !users_.empty(); }
  /// The same users with the same passwords.
  [[nodiscard]] bool admits_the_same(const PasswordGate& other) const noexcept;

  /// What is known of the value of the header Authorization without bcrypt. The time it takes depends on what
  /// was sent alone, not on how much of it is right.
  [[nodiscard]] Verdict look(std::string_view authorization) const;
  /// Asks bcrypt, and remembers the answer. A user that does not exist takes as long as one that does.
  [[nodiscard]] bool check(std::string_view authorization) const;

 private:
  using Key = std::array<unsigned char, 32>;
  /// Answers of bcrypt, the oldest leaves for a new one.
  struct Remembered {
    std::map<Key, bool> answers;
    std::deque<Key> order;
  };
  static constexpr std::size_t kRememberedMax = 128;

  [[nodiscard]] bool is_the_known_pair(const std::string& pair) const noexcept;
  [[nodiscard]] Key key_of(std::string_view pair) const;
  void remember(const Key& key, bool right) const;

  /// user:password of http.basic_auth, filled up with zeros to the size of every comparison; empty: none.
  std::string wanted_;
  std::size_t wanted_bytes_ = 0;
  std::vector<core::WebUser> users_;
  /// Of a hash that nobody knows the password of.
  std::string decoy_;
  /// So that what is remembered is of no use elsewhere.
  Key salt_;
  mutable std::mutex mutex_;
  // Wrong ones do not push right ones out. Both guarded by mutex_.
  mutable Remembered right_;
  mutable Remembered wrong_;
};

/// The user that the value of the header Authorization names, without a look at the password; empty: none.
[[nodiscard]] std::string user_of(std::string_view authorization);

/// The bytes that `text` stands for; nullopt when it is not base64 with its padding.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

}  // namespace dupwatch::web
