#include "decoder/watched.hpp"

#include <algorithm>

namespace dupwatch::decoder {

Watched::Watched(std::vector<WatchedTable> tables) : tables_(std::move(tables)), copies_(tables_.size()) {
  std::size_t columns_max = 0;
  for (std::size_t table = 0; table < tables_.size(); ++table) {
    const auto& columns = tables_[table].columns;
    columns_max = std::max(columns_max, columns.size());
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const auto first = find_column(table, columns[column]);
      if (first && *first != column) copies_[table].emplace_back(column, *first);
    }
  }
  values_.resize(columns_max);
}

std::optional<std::size_t> Watched::find(std::string_view schema, std::string_view name) const noexcept {
  for (std::size_t table = 0; table < tables_.size(); ++table) {
    if (tables_[table].name == name && tables_[table].schema == schema) return table;
  }
  return std::nullopt;
}

std::optional<std::size_t> Watched::find_column(std::size_t table, std::string_view column) const noexcept {
  const auto& columns = tables_[table].columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == column) return i;
  }
  return std::nullopt;
}

bool Watched::is_bytea(std::size_t table, std::size_t column) const noexcept {
  const auto& known = tables_[table];
  return !known.bytea_columns.empty() &&
         std::ranges::find(known.bytea_columns, known.columns[column]) != known.bytea_columns.end();
}

void Watched::start_row(std::size_t table) noexcept {
  row_table_ = table;
  std::fill(values_.begin(), values_.end(), Value::absent());
}

bool Watched::set(std::size_t column, const Value& value) noexcept {
  if (values_[column].kind != Value::Kind::kAbsent) return false;
  values_[column] = value;
  return true;
}

Row Watched::finish_row() noexcept {
  for (const auto& [to, from] : copies_[row_table_]) values_[to] = values_[from];
  return Row{row_table_, std::span(values_).first(tables_[row_table_].columns.size())};
}

std::optional<std::string_view> Watched::first_absent() const noexcept {
  const auto& columns = tables_[row_table_].columns;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (values_[i].kind == Value::Kind::kAbsent) return columns[i];
  }
  return std::nullopt;
}

}  // namespace dupwatch::decoder
