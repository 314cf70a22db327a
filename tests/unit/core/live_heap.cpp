#include "tests/unit/core/live_heap.hpp"

#include <malloc.h>

// GCC says it by macros, clang by features.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DUPWATCH_OWN_ALLOCATOR
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DUPWATCH_OWN_ALLOCATOR
#endif

#ifdef DUPWATCH_OWN_ALLOCATOR

#include <sanitizer/allocator_interface.h>

#include <algorithm>

namespace {

std::size_t live = 0;

/// What glibc would have taken for it.
std::size_t block(std::size_t size) {
  return std::max<std::size_t>(32, (size + 8 + 15) / 16 * 16);
}
void allocated(const volatile void* /*block*/, std::size_t size) {
  live += block(size);
}
void freed(const volatile void* given) {
  if (given != nullptr) live -= block(__sanitizer_get_allocated_size(given));
}

}  // namespace

namespace dupwatch::core {

std::size_t live_heap_bytes() noexcept {
  static const int hooks = __sanitizer_install_malloc_and_free_hooks(allocated, freed);
  (void)hooks;
  return live;
}

}  // namespace dupwatch::core

#else

namespace dupwatch::core {

std::size_t live_heap_bytes() noexcept {
  const auto heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

}  // namespace dupwatch::core

#endif
