#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "decoder/change.hpp"
#include "decoder/decoder.hpp"

namespace dupwatch::decoder {

/// The watched tables, and one row under construction that both decoders fill column by column. Made once per
/// decoder; allocates only in its constructor.
class Watched {
 public:
  explicit Watched(std::vector<WatchedTable> tables);

  /// Index of the table with these names as the catalogue spells them.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view schema,
                                                std::string_view name) const noexcept;

  /// First position of `column` among the columns of `table`.
  [[nodiscard]] std::optional<std::size_t> find_column(std::size_t table,
                                                       std::string_view column) const noexcept;

  [[nodiscard]] const WatchedTable& table(std::size_t index) const noexcept { return tables_[index]; }

  /// The column that find_column() gave is of type bytea.
  [[nodiscard]] bool is_bytea(std::size_t table, std::size_t column) const noexcept;

  /// Starts a row of `table` with every column absent.
  void start_row(std::size_t table) noexcept;

  /// Sets the column that find_column() gave; false when this row already has it.
  [[nodiscard]] bool set(std::size_t column, const Value& value) noexcept;

  /// The row as filled so far. Valid until the next start_row().
  [[nodiscard]] Row finish_row() noexcept;

  /// Name of the first column of the row that is still absent; nullopt when there is none. After
  /// finish_row().
  [[nodiscard]] std::optional<std::string_view> first_absent() const noexcept;

 private:
  /// A column that a table lists twice is filled once and copied: {to, from}.
  using Copies = std::vector<std::pair<std::size_t, std::size_t>>;

  std::vector<WatchedTable> tables_;
  std::vector<Copies> copies_;
  std::vector<Value> values_;
  std::size_t row_table_ = 0;
};

}  // namespace dupwatch::decoder
