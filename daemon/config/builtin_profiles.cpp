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
