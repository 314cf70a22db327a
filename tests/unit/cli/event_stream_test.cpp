#include "daemon/cli/event_stream.hpp"

#include <gtest/gtest.h>

namespace dupwatch::cli::event_stream_test {
namespace {

std::string told(const std::vector<EventStream::Event>& events) {
  std::string out;
  for (const auto& event : events) out += event.name + "=" + event.data + ";";
  return out;
}

constexpr std::string_view kStream =
    "retry: 1000\n\n"
    "id: a-7\nevent: list\ndata: {}\n\n"
    ": keepalive\n\n"
    "event: finding\ndata: {\"x\":1}\n\n"
    "event: finding\ndata: one\ndata: two\nid: a-9\n\n";

TEST(EventStream, EventsComeWhole) {
  EventStream stream;
  EXPECT_EQ(told(stream.take(kStream)), "list={};finding={\"x\":1};finding=one\ntwo;");
  EXPECT_EQ(stream.last_id(), "a-9");
}

TEST(EventStream, WhereverThePiecesAreCut) {
  for (std::size_t size = 1; size < kStream.size(); ++size) {
    EventStream stream;
    std::string all;
    for (std::size_t at = 0; at < kStream.size(); at += size)
      all += told(stream.take(kStream.substr(at, size)));
    EXPECT_EQ(all, "list={};finding={\"x\":1};finding=one\ntwo;") << size;
  }
}

TEST(EventStream, TheIdOfAnEventThatDidNotEndDoesNotCount) {
  EventStream stream;
  EXPECT_EQ(told(stream.take("id: a-1\nevent: list\ndata: {}\n\nid: a-2\nevent: finding\ndata: x")),
            "list={};");
  EXPECT_EQ(stream.last_id(), "a-1");
  stream.restart();
  EXPECT_EQ(told(stream.take("event: finding\ndata: y\n\n")), "finding=y;");
  EXPECT_EQ(stream.last_id(), "a-1");
}

TEST(EventStream, WhatIsTooLongIsLeftOut) {
  EventStream stream;
  const std::string much(EventStream::kEventBytesMax, 'x');
  EXPECT_EQ(told(stream.take("event: finding\ndata: " + much + "\n\n")), "");
  EXPECT_EQ(told(stream.take("event: finding\ndata: y\n\n")), "finding=y;");
}

}  // namespace
}  // namespace dupwatch::cli::event_stream_test
