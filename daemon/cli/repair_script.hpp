#pragma once

#include <string>
#include <string_view>

#include "daemon/table/judged_run.hpp"
#include "daemon/table/repair_plan.hpp"

namespace dupwatch::cli {

/// The plan as a script for psql that undoes itself unless every statement touches the rows it is meant for.
[[nodiscard]] std::string repair_script(std::string_view run_id, const table::RepairPlan& plan,
                                        decoder::Timestamp made_at);

/// Makes a file that only its owner reads; never overwrites one. The errno, 0 = written.
[[nodiscard]] int write_new_file(const std::string& path, std::string_view text);

}  // namespace dupwatch::cli
