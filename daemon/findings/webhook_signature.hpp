#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dupwatch::findings {

/// Value of the header X-Dupwatch-Signature: "t=UNIX_SECONDS,v1=HEX", where HEX is the HMAC-SHA256 of
/// "UNIX_SECONDS.BODY" under the secret. The time is part of what is signed, so that an old request can't be
/// played back for ever.
[[nodiscard]] std::string signature(std::string_view secret, std::int64_t unix_seconds,
                                    std::string_view body);

}  // namespace dupwatch::findings
