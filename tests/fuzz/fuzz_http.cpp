// What dupwatch itself makes of a request, from the target to the answer: no input may crash it, be answered
// with anything but one well-formed head, or be let in under a foreign name. The first line of the input is
// the target; then Host, Authorization, Origin, Sec-Fetch-Site, Accept, Accept-Encoding and Last-Event-ID, a
// line each.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/web/answer.hpp"
#include "daemon/web/event_feed.hpp"
#include "daemon/web/password_gate.hpp"
#include "daemon/web/request_rules.hpp"
#include "daemon/web/routes.hpp"

namespace {

using dupwatch::web::StatusStore;

void require(bool what) {
  if (!what) std::abort();
}

std::string_view take_line(std::string_view& rest) {
  const auto end = std::min(rest.find('\n'), rest.size());
  const auto line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

void check_answer(const std::string& answer, bool head_only) {
  require(answer.starts_with("HTTP/1.1 "));
  const auto end = answer.find("\r\n\r\n");
  require(end != std::string::npos);
  // Nothing of the request becomes a header: each line is one of ours.
  const std::string_view head{answer.data(), end};
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const auto colon = line.find(": ");
    require(colon != std::string_view::npos && colon > 0);
    require(line.find_first_of("\r\n") == std::string_view::npos);
    require(!line.starts_with("X-Injected"));
  }
  require(!head_only || answer.size() == end + 4);
}

StatusStore& store() {
  static StatusStore instance{10};
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dupwatch::web;
  static const PasswordGate gate{{.user = "prom", .password = "right"}, {}};
  static const HostRules loopback{"127.0.0.1", {"*.corp.example"}};
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  const auto target_text = take_line(rest);
  std::array<std::string_view, 7> headers;
  for (auto& header : headers) header = take_line(rest);
  const auto& [host_text, authorization, origin, fetch_site, accept, encoding, last_event_id] = headers;

  if (const auto host = parse_authority(host_text)) {
    require(!host->host.empty() && host->host.find_first_of(" /@\r\n") == std::string::npos);
    if (host->host.ends_with("evil.example")) require(!loopback.admits(host->host));
    if (is_same_origin(origin, fetch_site, *host) && !origin.empty()) {
      require(origin.find("://") != std::string_view::npos);
      require(parse_authority(origin.substr(origin.find("://") + 3))->host == host->host);
    }
  }
  const bool known = gate.look(authorization) == PasswordGate::Verdict::kAdmitted;
  if (known) require(decode_base64(authorization.substr(authorization.rfind(' ') + 1)) == "prom:right");
  EventFeed feed{store(), last_event_id};
  (void)feed.next(EventFeed::Clock::now());

  const auto target = parse_target(target_text);
  if (!target) return 0;
  for (const char c : target->path) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
  for (const std::string_view method : {"GET", "HEAD", "POST"}) {
    auto response = respond({.method = method,
                             .path = target->path,
                             .query = target->query,
                             .known = known,
                             .metrics = metrics_format(accept)},
                            store(), {}, StatusStore::Clock::now());
    require(response.status == 200 || (response.status >= 400 && response.status < 600));
    if (method == "POST") require(response.status == 405);
    const bool head_only = method == "HEAD";
    check_answer(answer_bytes(std::move(response), {.head_only = head_only, .gzip = accepts_gzip(encoding)}),
                 head_only);
  }
  return 0;
}
