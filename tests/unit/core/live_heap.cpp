#include "tests/unit/core/live_heap.hpp"

#include <malloc.h>

#include <cstdlib>
#include <new>

namespace {

/// In front of a block (glibc).
constexpr std::size_t kHeader = 8;

thread_local std::size_t live = 0;

void* allocate(std::size_t size) {
  auto* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  live += malloc_usable_size(block) + kHeader;
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
