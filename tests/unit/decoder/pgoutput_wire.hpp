#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Writes messages as the server does (Postgres manual, 55.9), for tests that need a message no server sends.
namespace dupwatch::decoder::wire {

class Writer {
 public:
  template <class T>
  Writer& be(T value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (auto shift = static_cast<int>(sizeof(T) * 8) - 8; shift >= 0; shift -= 8) {
      text_ += static_cast<char>((bits >> static_cast<unsigned>(shift)) & 0xFFU);
    }
    return *this;
  }
  Writer& byte(char c) {
    text_ += c;
    return *this;
  }
  Writer& cstring(std::string_view text) {
    text_ += text;
    text_ += '\0';
    return *this;
  }
  Writer& raw(std::string_view text) {
    text_ += text;
    return *this;
  }
  [[nodiscard]] std::string str() const { return text_; }

 private:
  std::string text_;
};

/// 2026-11-24 05:21:38.123456 UTC.
inline constexpr std::int64_t kTimeWire = 848'812'898'123'456;

inline std::string begin(std::uint64_t lsn = 0x100, std::uint32_t xid = 7) {
  return Writer().byte('B').be(lsn).be(kTimeWire).be(xid).str();
}
inline std::string commit(std::uint64_t lsn = 0x100, std::uint64_t end_lsn = 0x130) {
  return Writer().byte('C').byte(0).be(lsn).be(end_lsn).be(kTimeWire).str();
}

struct Column {
  std::string_view name;
  bool key = false;
};

inline std::string relation(std::uint32_t oid, std::string_view schema, std::string_view name,
                            const std::vector<Column>& columns) {
  Writer out;
  out.byte('R').be(oid).cstring(schema).cstring(name).byte('d').be(
      static_cast<std::uint16_t>(columns.size()));
  for (const auto& column : columns) {
    out.byte(column.key ? 1 : 0).cstring(column.name).be(std::uint32_t{1043}).be(std::int32_t{-1});
  }
  return out.str();
}

/// A value as text, or one of the kinds without one: 'n' (null), 'u' (unchanged TOAST).
struct Cell {
  char kind = 't';
  std::string_view text;
};
inline Cell t(std::string_view text) {
  return {'t', text};
}
inline Cell b(std::string_view bytes) {
  return {'b', bytes};
}
inline constexpr Cell kNull{'n', {}};
inline constexpr Cell kUnchanged{'u', {}};

inline std::string tuple(const std::vector<Cell>& cells) {
  Writer out;
  out.be(static_cast<std::uint16_t>(cells.size()));
  for (const auto& cell : cells) {
    out.byte(cell.kind);
    if (cell.kind == 't' || cell.kind == 'b')
      out.be(static_cast<std::uint32_t>(cell.text.size())).raw(cell.text);
  }
  return out.str();
}

inline std::string insert(std::uint32_t oid, const std::vector<Cell>& cells) {
  return Writer().byte('I').be(oid).byte('N').raw(tuple(cells)).str();
}
inline std::string update(std::uint32_t oid, const std::vector<Cell>& cells) {
  return Writer().byte('U').be(oid).byte('N').raw(tuple(cells)).str();
}
inline std::string update_with_old(std::uint32_t oid, char old_kind, const std::vector<Cell>& old_cells,
                                   const std::vector<Cell>& cells) {
  return Writer().byte('U').be(oid).byte(old_kind).raw(tuple(old_cells)).byte('N').raw(tuple(cells)).str();
}
inline std::string remove(std::uint32_t oid, char old_kind, const std::vector<Cell>& cells) {
  return Writer().byte('D').be(oid).byte(old_kind).raw(tuple(cells)).str();
}
inline std::string truncate(const std::vector<std::uint32_t>& oids) {
  Writer out;
  out.byte('T').be(static_cast<std::uint32_t>(oids.size())).byte(0);
  for (const auto oid : oids) out.be(oid);
  return out.str();
}
inline std::string message(bool transactional, std::string_view prefix, std::string_view content) {
  return Writer()
      .byte('M')
      .byte(transactional ? 1 : 0)
      .be(std::uint64_t{0x200})
      .cstring(prefix)
      .be(static_cast<std::uint32_t>(content.size()))
      .raw(content)
      .str();
}

}  // namespace dupwatch::decoder::wire
