#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/core/finding_reporter.hpp"

/// Findings that somebody knows of: by the configuration for good, by a person for a while.
namespace dupwatch::core {

void FindingReporter::note_acknowledgement(Finding& finding) {
  finding.acknowledgement.reset();
  if (finding.state == FindingState::kGone) reported_.acknowledgements().remove(finding.id);
  if (finding.state != FindingState::kOpen) return;
  if (std::ranges::binary_search(config_.acknowledged, finding.id))
    finding.state = FindingState::kAcknowledged;
  const auto* said = reported_.acknowledgements().find(finding.id);
  if (said == nullptr) return;
  if (is_worse(finding.severity, said->severity)) {
    reported_.acknowledgements().remove(finding.id);
    return;
  }
  finding.state = FindingState::kAcknowledged;
  finding.acknowledgement = *said;
}

void FindingReporter::restore_acknowledgement(Finding& finding) {
  if (finding.state != FindingState::kAcknowledged) return note_acknowledgement(finding);
  // Whether it has ended meanwhile shows when the next of them are looked for.
  if (finding.acknowledgement)
    (void)reported_.acknowledgements().put(finding.id, *std::move(finding.acknowledgement));
  // What the configuration acknowledges is its word, not the record's.
  finding.state = FindingState::kOpen;
  note_acknowledgement(finding);
}

std::optional<Finding> FindingReporter::known(std::uint64_t finding_id) const {
  auto finding = reported_.find(finding_id);
  if (!finding) return std::nullopt;
  finding->set_table(profile_);
  finding->origin = Origin::kRecheck;
  if (const auto* said = reported_.acknowledgements().find(finding_id);
      said != nullptr && finding->state == FindingState::kAcknowledged) {
    finding->acknowledgement = *said;
  }
  return finding;
}

void FindingReporter::tell_again(std::uint64_t finding_id, Instant now) {
  auto finding = known(finding_id);
  if (!finding || !finding->stands()) return;
  finding->state = FindingState::kOpen;
  note_acknowledgement(*finding);
  if (reported_.admit(*finding, now)) tell(*std::move(finding));
}

void FindingReporter::acknowledged_changed(const std::vector<std::uint64_t>& before, Instant now) {
  std::vector<std::uint64_t> ids;
  std::ranges::set_symmetric_difference(before, config_.acknowledged, std::back_inserter(ids));
  for (const auto id : ids) tell_again(id, now);
}

FindingReporter::Acknowledged FindingReporter::acknowledge(std::uint64_t finding_id,
                                                           Acknowledgement acknowledgement, Instant now) {
  const auto finding = reported_.find(finding_id);
  if (!finding) return Acknowledged::kNotKnown;
  if (!finding->stands()) return Acknowledged::kDoesNotStand;
  acknowledgement.severity = finding->severity;
  if (!reported_.acknowledgements().put(finding_id, std::move(acknowledgement))) return Acknowledged::kFull;
  tell_again(finding_id, now);
  return Acknowledged::kDone;
}

FindingReporter::Acknowledged FindingReporter::unacknowledge(std::uint64_t finding_id, Instant now) {
  const auto finding = reported_.find(finding_id);
  if (!finding) return Acknowledged::kNotKnown;
  if (!finding->stands()) return Acknowledged::kDoesNotStand;
  const bool configured = std::ranges::binary_search(config_.acknowledged, finding_id);
  if (!reported_.acknowledgements().remove(finding_id))
    return configured ? Acknowledged::kConfiguration : Acknowledged::kNot;
  tell_again(finding_id, now);
  return configured ? Acknowledged::kConfiguration : Acknowledged::kDone;
}

void FindingReporter::expire_acknowledgements(decoder::Timestamp wall, Instant now) {
  for (const auto id : reported_.acknowledgements().take_expired(wall)) tell_again(id, now);
}

std::vector<Finding> FindingReporter::acknowledged() const {
  std::vector<Finding> out;
  for (const auto id : reported_.acknowledgements().ids()) {
    auto finding = known(id);
    if (finding && finding->state == FindingState::kAcknowledged) out.push_back(*std::move(finding));
  }
  return out;
}

}  // namespace dupwatch::core
