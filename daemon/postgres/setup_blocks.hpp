#pragma once

#include <string>
#include <string_view>

/// Parts of the SQL of `setup` and of what undoes it.
namespace dupwatch::postgres {

/// The comment on the roles, schemas and publications that `setup` made, so that undoing it can't drop one
/// that was there before.
constexpr std::string_view kSetupMark = "made by dupwatch setup";

/// A DO block whose tag does not occur in its body, whatever the names in it are; `variables` go in DECLARE.
[[nodiscard]] std::string do_block(const std::string& body, const std::string& variables = {});

/// "EXISTS (SELECT ...)": the table is there.
[[nodiscard]] std::string table_condition(std::string_view schema, std::string_view table);

/// Makes the schema, with the mark, unless it is there.
[[nodiscard]] std::string schema_block(const std::string& schema);

}  // namespace dupwatch::postgres
