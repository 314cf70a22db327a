#include "daemon/monitoring/runbook_html.hpp"

#include <gtest/gtest.h>

namespace dupwatch::monitoring::runbook_html_test {
namespace {

TEST(RunbookHtml, TextIsEscapedWhereverItStands) {
  EXPECT_EQ(html_of("# <b> & \"c\"\n"), "<h1>&lt;b&gt; &amp; &quot;c&quot;</h1>\n");
  EXPECT_EQ(html_of("```sh\necho <x> && y\n```\n"),
            "<pre tabindex=\"0\"><code>echo &lt;x&gt; &amp;&amp; y\n</code></pre>\n");
  EXPECT_EQ(html_of("a `<script>` b <script>\n"), "<p>a <code>&lt;script&gt;</code> b &lt;script&gt;</p>\n");
  EXPECT_EQ(html_of("| `a<b` | c |\n|---|---|\n| 1 | <2> |\n"),
            "<table><tr><th scope=\"col\"><code>a&lt;b</code></th><th scope=\"col\">c</th></tr>\n"
            "<tr><td>1</td><td>&lt;2&gt;</td></tr>\n</table>\n");
}

TEST(RunbookHtml, ALinkLeadsToAPageBesideThisOneOrToTheWeb) {
  EXPECT_EQ(html_of("[a](DupwatchDown.md) and [b](DupwatchDown.md#meaning)\n"),
            "<p><a href=\"DupwatchDown\">a</a> and <a href=\"DupwatchDown\">b</a></p>\n");
  EXPECT_EQ(html_of("[rules](../../config/rules/README.md) [x](javascript:alert(1))\n"), "<p>rules x)</p>\n");
  EXPECT_EQ(html_of("[q](https://example.org/?a=\"b\")\n"),
            "<p><a href=\"https://example.org/?a=&quot;b&quot;\">q</a></p>\n");
  EXPECT_EQ(html_of("over [two\nlines](DupwatchDown.md), `and\ncode`\n"),
            "<p>over <a href=\"DupwatchDown\">two\nlines</a>, <code>and\ncode</code></p>\n");
}

TEST(RunbookHtml, AListGoesOnOverLinesAndKeepsItsNumbers) {
  EXPECT_EQ(html_of("1. one\n   more\n2. two\nlazy\n\ntext\n\n3. three\n"),
            "<ol><li>one\nmore</li>\n<li>two\nlazy</li>\n</ol>\n<p>text</p>\n<ol "
            "start=\"3\"><li>three</li>\n</ol>\n");
  EXPECT_EQ(html_of("- a\n- b\n"), "<ul><li>a</li>\n<li>b</li>\n</ul>\n");
}

TEST(RunbookHtml, WhatIsCutOffIsTextStill) {
  EXPECT_EQ(html_of("a ` b [c](d\n"), "<p>a ` b [c](d</p>\n");
  EXPECT_EQ(html_of("```\nopen\n"), "<pre tabindex=\"0\"><code>open\n");
  EXPECT_EQ(html_of(""), "");
  EXPECT_EQ(html_of("|\n"), "<table><tr><th scope=\"col\"></th></tr>\n</table>\n");
}

}  // namespace
}  // namespace dupwatch::monitoring::runbook_html_test
