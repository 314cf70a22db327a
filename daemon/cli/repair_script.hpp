#pragma once

#include <string>
#include <string_view>

#include "daemon/table/judged_run.hpp"
#include "daemon/table/repair_plan.hpp"

namespace dupwatch::cli {

/// All of a plan as one statement, a DO block, which undoes itself when the log is not what the plan was made
/// for. Each line begins with `margin`.
[[nodiscard]] std::string repair_block(const table::RepairPlan& plan, std::string_view margin);

/// The plan as a script for psql that undoes itself unless every statement touches the rows it is meant for.
[[nodiscard]] std::string repair_script(std::string_view run_id, const table::RepairPlan& plan,
                                        decoder::Timestamp made_at);

/// Makes a file that only its owner reads; never overwrites one. The errno, 0 = written.
[[nodiscard]] int write_new_file(const std::string& path, std::string_view text);

}  // namespace dupwatch::cli
