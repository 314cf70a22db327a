#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/web/routes.hpp"

/// A Response as bytes of HTTP/1.1.
namespace dupwatch::web {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct AnswerForm {
  /// HEAD: as for GET, without the body.
  bool head_only = false;
  /// The client takes gzip.
  bool gzip = false;
  /// Of the web configuration file, in the place of ours of the same name.
  const Headers* headers = nullptr;
};

/// Every answer ends its connection.
[[nodiscard]] std::string answer_bytes(Response response, const AnswerForm& form);

/// The head of an answer of server-sent events, which has no length.
[[nodiscard]] std::string stream_head(const Headers& headers);

/// The words of a status that dupwatch gives.
[[nodiscard]] std::string_view reason_of(int status) noexcept;

}  // namespace dupwatch::web
