#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/config.hpp"
#include "daemon/postgres/cause.hpp"
#include "daemon/postgres/table_form.hpp"

namespace dupwatch::postgres {

/// A form of the watched table or its publication with which rows do not reach the stream, or our own
/// queries, or are compared wrongly. Closed.
enum class FormFault : std::uint8_t {
  kTableMissing,
  kNotATable,  ///< a view, materialized view or foreign table
  kColumnMissing,
  kRowSecurity,       ///< our own queries would not see all rows
  kNotInWal,          ///< unlogged or temporary
  kChildren,          ///< rows are in tables that inherit from it
  kPartitionsByName,  ///< the stream names the partitions, not the table
  kPublishedAsRoot,   ///< the stream names the root of which it is a partition
  kPublicationMissing,
  kTableNotPublished,
  kInsertsNotPublished,
  kRowFilter,           ///< needed rows are kept out
  kColumnList,          ///< needed columns are kept out
  kGeneratedColumn,     ///< the plugin can't carry it
  kEqualityNotOfBytes,  ///< values that are equal in SQL differ in their text: a warning
  kScopeUnfit,          ///< the same of a scope column, by which runs are told apart
  kTypeUnfit            ///< stream and queries write the type column in two ways, so no name fits both
};
inline constexpr std::size_t kFormFaults = 17;
/// What an error says that refuses it.
[[nodiscard]] Cause cause_of(FormFault fault) noexcept;
[[nodiscard]] std::string_view to_string(FormFault fault) noexcept;
/// It is cured at the publication.
[[nodiscard]] bool is_of_publication(FormFault fault) noexcept;

struct FormProblem {
  FormFault fault = FormFault::kTableMissing;
  /// A sentence for people that names what was found.
  std::string found;
  /// The SQL or setting that cures it.
  std::string fix;
  /// Nothing can be watched like this. Otherwise a warning.
  bool refuses = true;
  /// The table can't be read in full, or not be judged, by queries either.
  [[nodiscard]] bool hides_from_queries() const noexcept {
    return fault == FormFault::kTableMissing || fault == FormFault::kNotATable ||
           fault == FormFault::kColumnMissing || fault == FormFault::kRowSecurity ||
           fault == FormFault::kScopeUnfit || fault == FormFault::kTypeUnfit;
  }
};

/// What the judgement is about. References must outlive the call.
struct FormQuestion {
  const core::Config& config;
  decoder::Plugin plugin = decoder::Plugin::kWal2json;
  /// From filter_loss().
  std::optional<std::string> filter_loss{};
};

/// Every problem of the table in this form, the one that hides most first; nullopt: no such table. Pure.
[[nodiscard]] std::vector<FormProblem> find_form_faults(const FormQuestion& question,
                                                        const std::optional<TableForm>& table);
/// The first that refuses; nullopt: it can be watched.
[[nodiscard]] std::optional<FormProblem> refusal(std::vector<FormProblem> problems);

}  // namespace dupwatch::postgres
