#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/core/profile.hpp"
#include "daemon/postgres/connection.hpp"

namespace dupwatch::table {

/// Reads a table in pieces of its pages, each by a COPY in a snapshot of its own, on as many sessions at a
/// time as there are. Rows come in no order.
class PageScan {
 public:
  /// 64 MiB of the table, a tenth of a second from memory.
  static constexpr std::int64_t kPiecePages = 8192;

  /// `pages`: TableExtent's; rows that came behind them meanwhile are read too.
  PageScan(const core::Profile& profile, core::SpecSource specs, std::int64_t pages)
      : profile_(profile), specs_(specs), pages_(pages) {}

  /// `row`: a row of pages_copy. `piece`: behind each piece; false = begin no more. When it returns without
  /// an error the sessions are free again.
  [[nodiscard]] std::optional<postgres::Error> read(std::span<postgres::Connection* const> sessions,
                                                    postgres::Waiter& waiter,
                                                    const std::function<void(std::string_view)>& row,
                                                    const std::function<bool()>& piece);

 private:
  struct Session;
  [[nodiscard]] bool begin(Session& session);

  const core::Profile& profile_;
  core::SpecSource specs_;
  std::int64_t pages_;
  std::int64_t next_ = 0;
  bool stopped_ = false;
};

}  // namespace dupwatch::table
