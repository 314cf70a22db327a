#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/engine.hpp"
#include "daemon/core/packed_text.hpp"
#include "daemon/core/profile.hpp"
#include "decoder/change.hpp"

namespace dupwatch::core {

/// Finds the runs that may have a finding among rows that come in any order, in bounded memory: what it names
/// is to be read again and judged, what it does not name has none. It keeps 48 bytes an entity and 80 a run
/// for the runs of the last few million rows, and 8 bytes for every run since the beginning. When the former
/// are full they are emptied, and a run that has rows on both sides is named. Rows of a run lie near each
/// other in a log, so these are the few that were under way just then.
class RunFilter {
 public:
  /// Slots of the tables; powers of two.
  struct Size {
    std::size_t entities = std::size_t{1} << 20U;
    std::size_t live_runs = std::size_t{1} << 17U;
    std::size_t known_runs = std::size_t{1} << 22U;
    /// Bytes of the names.
    std::size_t suspect_bytes = std::size_t{16} << 20U;

    /// Enough for so many rows, or all there is.
    [[nodiscard]] static Size for_rows(std::uint64_t rows) noexcept;
  };
  /// `refuses_ulids`: a run without slot numbers and without a generation of its own has a finding for that
  /// alone.
  RunFilter(const Profile& profile, bool refuses_ulids, std::uint64_t seed, const Size& size,
            TextOrder ids = TextOrder::kBytes);

  struct Row {
    std::string_view run_id;
    std::string_view id;
    std::string_view type;
    std::span<const decoder::Value> identity;
    /// See engine_of_spec.
    std::optional<Engine> own{};
  };
  void add(const Row& row);
  /// Behind the last row.
  void finish();
  /// There are more runs than the memory is for, or so many suspects that reading them one by one costs more
  /// than reading all runs in order. What it names is not complete then.
  [[nodiscard]] bool gave_up() const noexcept { return gave_up_; }

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_; }
  /// Each run at least once.
  [[nodiscard]] std::vector<std::string>& suspects() noexcept { return suspects_; }

 private:
  /// An id as a number that never sorts the other way than the id; what is no ULID may be equal to another.
  struct Place {
    std::uint64_t hi = 0;
    std::uint64_t lo = 0;
    // NOLINTNEXTLINE(modernize-use-nullptr): as of Lsn
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  static constexpr Place kNever{~std::uint64_t{0}, ~std::uint64_t{0}};

  /// Two entities with one key are taken for one: that can only name more runs, as all that is kept grows or
  /// shrinks one way.
  struct Entity {
    std::uint64_t key = 0;  ///< 0 = free
    std::uint64_t classes = 0;
    Place last_living{};
    Place first_closing = kNever;
  };
  struct Live {
    /// The run's token, or two hashes of its text.
    std::uint64_t hi = 0;
    std::uint64_t lo = 0;
    std::uint8_t kind = Token::kNull;  ///< kNull = free
    std::uint8_t ids_kind = Token::kNull;
    bool suspect = false;
    bool has_slot = false;
    bool has_other = false;
    std::uint32_t rows = 0;
    /// The time in the first correlation id that is a ULID; 0 = none yet.
    std::uint64_t seed = 0;
    /// Slots 2 to this one were there, and those behind the next one whose bit is set.
    std::uint64_t dense = 1;
    std::uint64_t ahead = 0;
    Place last_opening{};
    Place first_end = kNever;
  };
  /// What a type's rows do, see EventType; `unique` for any type of the class.
  struct Plan {
    std::uint64_t class_bit = 0;
    std::uint8_t group = 0;
    bool unique = false;
    bool unique_when_null = false;
    /// Whether the entity has to be known.
    bool of_entity = false;
    bool of_entity_when_null = false;
  };

  [[nodiscard]] Place place_of(const Token& id, std::string_view text) const noexcept;
  void plan_types();
  [[nodiscard]] Live& live_run(std::string_view run_id);
  [[nodiscard]] bool remember(std::uint64_t key, std::uint64_t at);
  /// Null: no room was left, and all is empty now.
  [[nodiscard]] Entity* entity_of(std::uint64_t key);
  [[nodiscard]] std::uint64_t key_of(const Live& run, const Row& row, bool listed, std::uint8_t group,
                                     bool null_identity);
  void look_at_run(Live& run, const Row& row, const EventType* type, const Token& id, const Place& place);
  void look_at_entity(Live& run, const Row& row, const EventType* type, const Plan& plan, bool null_identity,
                      const Place& place);
  void look_at_slot(Live& run, const Row& row);
  void suspect(Live& run, std::string_view run_id);
  void name(std::string_view run_id);
  void weigh(std::uint64_t rows);
  void forget();

  const Profile& profile_;
  bool refuses_ulids_;
  std::uint64_t seed_;
  std::uint64_t second_seed_;
  std::size_t suspect_bytes_max_;
  TextOrder ids_;
  TokenCodec codec_;
  std::array<Plan, Profile::kTypesMax> plans_{};
  /// By group: classes that open an entity, and that contradict the opening.
  std::array<std::uint64_t, 256> opening_{};
  std::array<std::uint64_t, 256> conflicting_{};
  std::vector<Entity> entities_;
  std::vector<Live> live_;
  std::vector<std::uint64_t> known_;
  std::size_t entities_used_ = 0;
  std::size_t live_used_ = 0;
  std::vector<std::string> suspects_;
  std::size_t suspect_bytes_ = 0;
  std::uint64_t suspect_rows_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t runs_ = 0;
  bool gave_up_ = false;
};

}  // namespace dupwatch::core
