#include "daemon/web/build_info.hpp"

namespace dupwatch::web {

BuildInfo build_info() noexcept {
  return {.version = DUPWATCH_VERSION, .revision = DUPWATCH_REVISION, .compiler = DUPWATCH_COMPILER};
}

}  // namespace dupwatch::web
