// SPDX-License-Identifier: MIT
// Back-pressure of a front end's input, and the mux's parsing, without any descriptor.
#include "devices/serial/char_port.h"

#include <gtest/gtest.h>

#include <vector>

#include "devices/serial/char_mux.h"

namespace pagoda {
namespace {

std::span<const u8> bytes_of(std::string_view text) { return {reinterpret_cast<const u8*>(text.data()), text.size()}; }

// A front end with a FIFO of a few bytes, its input thread being a list of what was posted.
class CharPortTest : public testing::Test {
 protected:
  std::vector<std::function<void()>> posted;
  std::size_t room = 4;
  std::string received, written;
  int has_room_calls = 0;
  CharPort port{[this](std::function<void()> event) { posted.push_back(std::move(event)); },
                [this](std::span<const u8> bytes) { written.append(bytes.begin(), bytes.end()); },
                [this] { ++has_room_calls; }};

  void SetUp() override {
    port.set_receiver([this](std::span<const u8> bytes) {
      const std::size_t count = std::min(room, bytes.size());
      received.append(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
      room -= count;
      return count;
    });
  }
  void run_posted() {
    while (!posted.empty()) {
      const auto events = std::exchange(posted, {});
      for (const auto& event : events) event();
    }
  }
  void make_room(std::size_t count) {
    room = count;
    port.input_ready();
    run_posted();
  }
};

TEST_F(CharPortTest, DeliversOnTheInputThreadOnly) {
  port.push(bytes_of("ab"));
  EXPECT_EQ(received, "");
  EXPECT_EQ(posted.size(), 1u);
  port.push(bytes_of("c"));
  EXPECT_EQ(posted.size(), 1u);
  run_posted();
  EXPECT_EQ(received, "abc");
}

TEST_F(CharPortTest, KeepsWhatTheReceiverDoesNotTake) {
  port.push(bytes_of("abcdef"));
  run_posted();
  EXPECT_EQ(received, "abcd");
  port.push(bytes_of("g"));
  run_posted();
  EXPECT_EQ(received, "abcd");
  make_room(2);
  EXPECT_EQ(received, "abcdef");
  make_room(2);
  EXPECT_EQ(received, "abcdefg");
  make_room(2);
  EXPECT_EQ(received, "abcdefg");
}

TEST_F(CharPortTest, RoomThatAppearsDuringDeliveryIsNotMissed) {
  int calls = 0;
  port.set_receiver([&](std::span<const u8> bytes) -> std::size_t {
    // The guest empties its FIFO between the receiver's look at it and its return.
    if (++calls == 1) {
      port.input_ready();
      return 0;
    }
    received.append(bytes.begin(), bytes.end());
    return bytes.size();
  });
  port.push(bytes_of("x"));
  run_posted();
  EXPECT_EQ(received, "x");
}

TEST_F(CharPortTest, SaysWhenItIsFullAndWhenNotAnyMore) {
  const std::string much(CharPort::kHeldBytes, 'x');
  EXPECT_FALSE(port.is_full());
  room = 0;
  port.push(bytes_of(much));
  run_posted();
  EXPECT_TRUE(port.is_full());
  EXPECT_EQ(has_room_calls, 0);
  make_room(1);
  EXPECT_FALSE(port.is_full());
  EXPECT_EQ(has_room_calls, 1);
  make_room(10);
  EXPECT_EQ(has_room_calls, 1);
  make_room(much.size());
  EXPECT_EQ(received, much);
}

TEST_F(CharPortTest, EventsArriveOnTheInputThread) {
  port.raise(CharEvent::break_received);  // nobody listens yet
  EXPECT_TRUE(posted.empty());
  int breaks = 0;
  port.set_event_handler([&](CharEvent event) { breaks += event == CharEvent::break_received; });
  port.raise(CharEvent::break_received);
  EXPECT_EQ(breaks, 0);
  run_posted();
  EXPECT_EQ(breaks, 1);
}

TEST_F(CharPortTest, PostedDeliveryOutlivesThePort) {
  {
    CharPort gone([this](std::function<void()> event) { posted.push_back(std::move(event)); }, {}, {});
    gone.set_receiver([](std::span<const u8> bytes) { return bytes.size(); });
    gone.push(bytes_of("x"));
  }
  run_posted();
}

class CharMuxTest : public testing::Test {
 protected:
  std::string input, said;
  std::string calls;
  CharMux mux{{.input = [this](std::span<const u8> bytes) { input.append(bytes.begin(), bytes.end()); },
               .switch_focus = [this] { calls += "switch "; },
               .send_break = [this] { calls += "break "; },
               .quit = [this] { calls += "quit "; },
               .say = [this](std::string_view text) { said += text; }}};
};

TEST_F(CharMuxTest, PlainInputPasses) {
  mux.feed(bytes_of("hello\x03\x1a\x04"));
  EXPECT_EQ(input, "hello\x03\x1a\x04");
  EXPECT_EQ(calls, "");
}

TEST_F(CharMuxTest, Commands) {
  mux.feed(
      bytes_of("a\x01"
               "cb\x01"
               "bC\x01\x01"
               "d\x01xe\x01?"));
  EXPECT_EQ(input,
            "abC\x01"
            "de");
  EXPECT_EQ(calls, "switch break quit ");
  EXPECT_NE(said.find("Ctrl-A X"), std::string::npos);
}

TEST_F(CharMuxTest, EscapeAndKeyInSeparateReads) {
  mux.feed(bytes_of("a\x01"));
  mux.feed(bytes_of("X"));
  mux.feed(bytes_of("b"));
  EXPECT_EQ(input, "ab");
  EXPECT_EQ(calls, "quit ");
}

TEST_F(CharMuxTest, UnknownKeysAreSwallowed) {
  mux.feed(bytes_of("a\x01zb"));
  EXPECT_EQ(input, "ab");
}

}  // namespace
}  // namespace pagoda
