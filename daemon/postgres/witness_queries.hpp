#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/witness.hpp"
#include "daemon/postgres/table_form.hpp"

/// What the comparison of stream and table asks: each question reads some pages at most.
namespace dupwatch::postgres {

/// Rows of the last pages of the table's file, where most new ones are: run, id, type, identity columns...,
/// xmin, NULL. $1 = the place to begin at, from tail_place().
[[nodiscard]] std::string tail_query(const core::Profile& profile);
/// Some pages before the end of the file as it was a moment ago; everything since lies after it.
[[nodiscard]] std::string tail_place(std::int64_t pages);

/// The server's moment and the table's counts; $1, $2 = schema and name.
[[nodiscard]] std::string moment_query();
struct TableMoment {
  core::Witness::Moment moment;
  /// Of the table's file; nullopt: it has none of its own, or its pages may not be asked for.
  std::optional<std::int64_t> pages;
};
[[nodiscard]] TableMoment read_moment(const pg_result& result, int row);

/// Run and id of rows with a run among $1 and an id among $2.
[[nodiscard]] std::string pairs_query(const core::Profile& profile, const TableForm& table);
/// Ids and runs are of types whose text can be asked for as it came through the stream.
[[nodiscard]] bool can_ask_pairs(const core::Profile& profile, const TableForm& table);

}  // namespace dupwatch::postgres
