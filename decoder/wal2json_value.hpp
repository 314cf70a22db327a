#pragma once

#include <optional>
#include <string_view>

#include "decoder/change.hpp"
#include "decoder/lsn.hpp"

/// What wal2json writes in the place of a value. Pure; nothing is copied.
namespace dupwatch::decoder {

/// A value without quotes: null, a boolean as SQL writes it, or a number in its own text. nullopt: none of
/// these.
[[nodiscard]] std::optional<Value> scalar_of(std::string_view token) noexcept;
/// nullopt also for a field that is missing.
[[nodiscard]] std::optional<Lsn> lsn_of(std::string_view text) noexcept;
[[nodiscard]] std::optional<Xid> xid_of(std::string_view text) noexcept;

}  // namespace dupwatch::decoder
