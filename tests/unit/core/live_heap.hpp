#pragma once

#include <cstddef>

namespace dupwatch::core {

/// Bytes that operator new has given and not taken back, with the allocator's own overhead. Of one thread.
[[nodiscard]] std::size_t live_heap_bytes() noexcept;

}  // namespace dupwatch::core
