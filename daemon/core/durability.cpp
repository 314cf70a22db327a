#include "daemon/core/durability.hpp"

namespace dupwatch::core {

template class BasicDurability<NoDurabilityBug>;

}  // namespace dupwatch::core
