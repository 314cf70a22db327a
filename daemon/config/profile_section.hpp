#pragma once

#include "daemon/config/keys.hpp"

namespace dupwatch::config {

/// The profile that the keys `profile` and `table` describe; what contradicts itself or is missing goes to
/// `problems`, and then the result is not to be used.
[[nodiscard]] core::Profile build_profile(const Draft& draft, Problems& problems);

}  // namespace dupwatch::config
