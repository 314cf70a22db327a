#include "daemon/table/table_row.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "daemon/core/profile_rules.hpp"

namespace dupwatch::table {
namespace {

template <class T>
T number(std::optional<std::string_view> text) {
  T value{};
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

TableRow::TableRow(const core::Profile& profile, const pg_result& result, int row)
    : identity_size_(profile.identity_columns.size()) {
  fill([&, column = 0]() mutable { return postgres::cell(result, row, column++); });
}

TableRow::TableRow(const core::Profile& profile, const postgres::CopyFields& fields)
    : identity_size_(profile.identity_columns.size()) {
  fill([&, column = std::size_t{0}]() mutable { return fields[column++]; });
}

TableRow::TableRow(const core::Profile& profile, std::span<const std::optional<std::string_view>> columns)
    : identity_size_(profile.identity_columns.size()) {
  fill([&, column = std::size_t{0}]() mutable { return columns[column++]; });
}

/// `next` gives the columns in their order.
template <class Next>
void TableRow::fill(Next next) {
  run_id_ = next().value_or(std::string_view{});
  id_ = next().value_or(std::string_view{});
  type_ = next().value_or(std::string_view{});
  for (std::size_t i = 0; i < identity_size_; ++i) {
    const auto value = next();
    identity_[i] = value ? decoder::Value::of(*value) : decoder::Value::null();
  }
  commit_.xid = number<decoder::Xid>(next());
  commit_.time.micros = number<std::int64_t>(next());
  spec_ = core::spec_of(next().value_or(std::string_view{}));
}

void TableRow::add_to(core::RunLog& log, const core::Profile& profile, core::TokenCodec& codec) const {
  if (run_id_.empty() || id_.empty()) return;
  if (profile.has_rules()) {
    const core::EventRow row{
        .run_id = run_id_, .id = id_, .type_text = type_, .identity = identity(), .commit = commit_};
    core::for_each_part(profile, row, [&](const core::EventRow& part) { (void)log.add(part, codec); });
    return;
  }
  const auto type = profile.find_type(type_);
  const bool null_identity = std::ranges::none_of(
      identity(), [](const auto& value) { return value.kind == decoder::Value::Kind::kText; });
  const bool tracked = type ? profile.types[*type].tracked(null_identity) : profile.unlisted_unique;
  if (!tracked) return;
  auto event = core::make_event_row(profile, type, type_);
  event.run_id = run_id_;
  event.id = id_;
  event.identity = identity();
  event.commit = commit_;
  const auto added = log.add(event, codec);
  log.shown(added.row, core::engine_of_spec(spec_), codec);
}

}  // namespace dupwatch::table
