#include "daemon/web/runbook_pages.hpp"

#include <fmt/format.h>

#include "daemon/monitoring/runbook_html.hpp"
#include "daemon/monitoring/runbooks.hpp"
#include "daemon/web/build_info.hpp"

namespace dupwatch::web {
namespace {

// The names are our own: nothing in them needs to be escaped.
std::string page(std::string_view title, std::string_view body) {
  return fmt::format(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{} - dupwatch</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="../icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="../app.css">
</head>
<body>
<header>
  <img src="../icon.svg" alt="" width="32" height="32">
  <p class="name">dupwatch <small>{}</small></p>
  <nav class="link" aria-label="Where to go"><a href="../">Findings</a><a href="./">All runbooks</a></nav>
</header>
<main class="runbook">
{}</main>
</body>
</html>
)",
                     title, build_info().version, body);
}

}  // namespace

std::string runbook_page(std::string_view alert) {
  const auto text = monitoring::runbook(alert);
  return text.empty() ? std::string{} : page(alert, monitoring::html_of(text));
}

std::string runbook_list() {
  std::string body = "<h1>Runbooks</h1>\n<ul>\n";
  for (const auto name : monitoring::runbook_names())
    body += fmt::format("<li><a href=\"{0}\">{0}</a></li>\n", name);
  return page("Runbooks", body + "</ul>\n");
}

}  // namespace dupwatch::web
