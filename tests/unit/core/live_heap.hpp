#pragma once

#include <cstddef>

namespace dupwatch::core {

/// Bytes that the allocator has given and not taken back, with its own overhead: differences count. Of one
/// thread.
[[nodiscard]] std::size_t live_heap_bytes() noexcept;

}  // namespace dupwatch::core
