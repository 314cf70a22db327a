#pragma once

#include "daemon/config/keys.hpp"

namespace dupwatch::config {

/// Who may ask, as the section `http.basic_auth` says; half a pair and a file that holds no password go to
/// `problems`, and then the result is not to be used.
[[nodiscard]] core::BasicAuthConfig build_basic_auth(const BasicAuthSection& section, const FileReader& files,
                                                     Problems& problems);

}  // namespace dupwatch::config
