#include "daemon/web/answer.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <optional>

namespace dupwatch::web {
namespace {

// Less is one packet anyhow.
constexpr std::size_t kCompressedFrom = 1024;

constexpr auto kSafetyHeaders = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri "
     "'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Referrer-Policy", "no-referrer"},
});

[[nodiscard]] std::string http_date(std::chrono::system_clock::time_point now) {
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

/// What every answer carries.
void append_safety_headers(std::string& out, const Headers* configured) {
  const auto replaced = [&](std::string_view name) {
    return configured != nullptr &&
           std::ranges::any_of(*configured, [&](const auto& header) { return header.first == name; });
  };
  for (const auto& [name, value] : kSafetyHeaders) {
    if (!replaced(name)) append_header(out, name, value);
  }
  if (configured == nullptr) return;
  for (const auto& [name, value] : *configured) append_header(out, name, value);
}

/// nullopt: it can't be compressed, which needs memory alone.
[[nodiscard]] std::optional<std::string> gzipped(std::string_view text) {
  constexpr int kLevel = 5;
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kMemory = 8;
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

}  // namespace

std::string_view reason_of(int status) noexcept {
  constexpr auto kReasons = std::to_array<std::pair<int, std::string_view>>({
      {200, "OK"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  });
  const auto* found = std::ranges::find(kReasons, status, &std::pair<int, std::string_view>::first);
  return found == kReasons.end() ? "Unknown" : found->second;
}

std::string answer_bytes(Response response, const AnswerForm& form) {
  bool compressed = false;
  if (form.gzip && response.compressible && response.body.size() >= kCompressedFrom) {
    if (auto packed = gzipped(response.body)) {
      response.body = *std::move(packed);
      compressed = true;
    }
  }
  auto out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_of(response.status));
  append_header(out, "Date", http_date(std::chrono::system_clock::now()));
  append_header(out, "Connection", "close");
  append_header(out, "Content-Type", response.content_type);
  if (compressed) append_header(out, "Content-Encoding", "gzip");
  if (response.compressible) append_header(out, "Vary", "Accept, Accept-Encoding");
  append_header(out, "Content-Length", std::to_string(response.body.size()));
  if (response.status == 401)
    append_header(out, "WWW-Authenticate", R"(Basic realm="dupwatch", charset="UTF-8")");
  if (response.status == 405) append_header(out, "Allow", response.allow);
  if (response.status == 429 || response.status == 503) append_header(out, "Retry-After", "1");
  append_safety_headers(out, form.headers);
  out += "\r\n";
  if (!form.head_only) out += response.body;
  return out;
}

std::string stream_head(const Headers& headers) {
  std::string out = "HTTP/1.1 200 OK\r\n";
  append_header(out, "Date", http_date(std::chrono::system_clock::now()));
  append_header(out, "Connection", "close");
  append_header(out, "Content-Type", "text/event-stream; charset=utf-8");
  append_header(out, "X-Accel-Buffering", "no");
  append_safety_headers(out, &headers);
  return out + "\r\n";
}

}  // namespace dupwatch::web
