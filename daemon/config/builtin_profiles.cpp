#include "daemon/config/builtin_profiles.hpp"

#include <algorithm>
#include <array>

namespace dupwatch::config {
namespace {

constexpr auto kProfiles = std::to_array<BuiltinProfile>({
    {"message-db", "Message DB (Eventide): message_store.messages",
     R"(profile: generic
table:
  name: message_store.messages
  run_column: stream_name
  id_column: global_position
  type_column: type
  run_label: stream
  event_label: message
  rules:
    position_twice:
      unique: [position]
      severity: fatal
      reason: two messages of the stream have one position, so readers differ about which one it is
    message_twice:
      unique: [id]
      severity: fatal
      reason: the stream has the message twice
    position_missing:
      dense: position
      severity: fatal
      reason: a message of the stream is gone, and a projection made of it now differs from one made before
    behind_readers:
      increasing: true
      severity: conflict
      reason: a consumer that goes by global_position has passed it, and never reads it
)"},
    {"emmett",
     "Emmett: public.emt_messages (pgoutput; of one partition, with wal2json, table.name is its leaf)",
     R"(profile: generic
table:
  name: public.emt_messages
  run_column: stream_id
  id_column: global_position
  type_column: message_type
  run_label: stream
  event_label: message
  rules:
    position_twice:
      unique: [stream_position]
      severity: fatal
      reason: two messages of the stream have one position, so readers differ about which one it is
    message_twice:
      unique: [message_id]
      severity: conflict
      reason: the stream has the message twice; no key of the table prevents it
    position_missing:
      dense: stream_position
      from: 1
      severity: fatal
      reason: a message of the stream is gone, and state made of it now differs from state made before
    behind_readers:
      increasing: true
      severity: conflict
      reason: a consumer that goes by global_position has passed it, and may never read it
)"},
    {"dbos", "DBOS Transact: dbos.operation_outputs",
     R"(profile: generic
table:
  name: dbos.operation_outputs
  run_column: workflow_uuid
  id_column: function_id
  type_column: function_name
  run_label: workflow
  event_label: step
  rules:
    step_missing:
      dense: function_id
      severity: unknown
      reason: a step before it has no recorded result, so a recovery runs that step again
)"},
    {"openworkflow", "OpenWorkflow: openworkflow.step_attempts",
     R"(profile: generic
table:
  name: openworkflow.step_attempts
  scope_columns: [namespace_id]
  run_column: workflow_run_id
  id_column: id
  type_column: kind
  run_label: workflow
  event_label: attempt
  rules:
    step_begun_again:
      unique: [step_name]
      severity: unknown
      reason: the step's body may have run more than once; a retry that was meant looks the same
)"},
    {"outbox", "a transactional outbox: public.outbox, as the guide writes it",
     R"(profile: generic
table:
  name: public.outbox
  scope_columns: [aggregate_type]
  run_column: aggregate_id
  id_column: id
  type_column: event_type
  order_watch: true
  run_label: aggregate
  event_label: message
  rules:
    message_twice:
      unique: [message_id]
      severity: conflict
      reason: the message is sent twice, and consumers that know it by its id drop one
    behind_readers:
      increasing: true
      severity: fatal
      reason: a relay that goes by id has passed it, and never sends it
)"},
});

}  // namespace

std::span<const BuiltinProfile> builtin_profiles() noexcept {
  return kProfiles;
}

const BuiltinProfile* find_builtin(std::string_view name) noexcept {
  const auto* found = std::ranges::find(kProfiles, name, &BuiltinProfile::name);
  return found == kProfiles.end() ? nullptr : found;
}

}  // namespace dupwatch::config
