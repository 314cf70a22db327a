#include "tests/unit/core/live_heap.hpp"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

/// In front of a block (glibc).
constexpr std::size_t kHeader = 8;

thread_local std::size_t live = 0;

void* allocate_or_null(std::size_t size) noexcept {
  auto* block = std::malloc(size);
  if (block != nullptr) live += malloc_usable_size(block) + kHeader;
  return block;
}

void* allocate(std::size_t size) {
  auto* block = allocate_or_null(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void release(void* block) noexcept {
  if (block == nullptr) return;
  live -= malloc_usable_size(block) + kHeader;
  std::free(block);
}

}  // namespace

// The program's own operators win over the library's; the aligned ones are left alone.
void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
// AddressSanitizer's own would be found in their place, and it compares who gave a block with who takes it.
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return allocate_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return allocate_or_null(size);
}
void operator delete(void* block) noexcept {
  release(block);
}
void operator delete[](void* block) noexcept {
  release(block);
}
void operator delete(void* block, std::size_t /*size*/) noexcept {
  release(block);
}
void operator delete[](void* block, std::size_t /*size*/) noexcept {
  release(block);
}

namespace dupwatch::core {

std::size_t live_heap_bytes() noexcept {
  return live;
}

}  // namespace dupwatch::core
