// Prints texts whose unkeyed hashes end in the same eight bits, one a line: `bench_colliding COUNT`. In a
// table whose hash an attacker knows they share one place in 256.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "daemon/core/keyed_hash.hpp"

int main(int argc, char** argv) {
  constexpr std::uint64_t kLowBits = 0xFF;
  const auto count = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
  if (count == 0) {
    std::cerr << "usage: bench_colliding COUNT\n";
    return 2;
  }
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; found < count; ++i) {
    const auto text = "text number " + std::to_string(i);
    if ((dupwatch::core::hash_text(text, 0) & kLowBits) != 0) continue;
    std::cout << text << '\n';
    ++found;
  }
  return 0;
}
