#include "daemon/process/clock.hpp"

#include <cstdint>
#include <random>

namespace dupwatch::process {

core::Instant steady_now() noexcept {
  return std::chrono::steady_clock::now();
}

decoder::Timestamp wall_now() noexcept {
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(since_epoch).count()};
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace dupwatch::process
