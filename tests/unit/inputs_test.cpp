// SPDX-License-Identifier: MIT
// The door for outside input: what is seeded, what is queued, what stands still.
#include "machines/inputs.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace pagoda {
namespace {

std::array<std::byte, 100> draw(Inputs& inputs) {
  std::array<std::byte, 100> bytes{};
  inputs.entropy(bytes);
  return bytes;
}

TEST(Inputs, DeterministicEntropyFollowsFromTheSeed) {
  Inputs a(Inputs::Mode::deterministic, 7), b(Inputs::Mode::deterministic, 7), c(Inputs::Mode::deterministic, 8);
  const auto first = draw(a);
  EXPECT_EQ(first, draw(b));
  EXPECT_NE(first, draw(c));
  EXPECT_NE(first, draw(a));
  EXPECT_EQ(draw(b), [&] {
    Inputs again(Inputs::Mode::deterministic, 7);
    draw(again);
    return draw(again);
  }());
}

TEST(Inputs, RealEntropyDiffers) {
  Inputs a(Inputs::Mode::realtime, 7), b(Inputs::Mode::realtime, 7);
  EXPECT_NE(draw(a), draw(b));
}

TEST(Inputs, DeterministicTimeIsWhatIsSet) {
  Inputs a(Inputs::Mode::deterministic, 1), b(Inputs::Mode::deterministic, 2);
  EXPECT_EQ(a.now(), 0u);
  EXPECT_EQ(a.wall_clock_ns(), b.wall_clock_ns());
  const u64 before = a.wall_clock_ns();
  a.set_virtual_time(5'000);
  EXPECT_EQ(a.now(), 5'000u);
  EXPECT_EQ(a.wall_clock_ns(), before + 5'000);
  // A date that certificates and file systems find plausible.
  EXPECT_GT(before / 1'000'000'000, 1'700'000'000u);
}

TEST(Inputs, RealTimeRunsSlowerByTheDivisor) {
  Inputs plain(Inputs::Mode::realtime, 0), slow(Inputs::Mode::realtime, 0);
  slow.set_clock_divisor(1000);
  EXPECT_EQ(slow.host_ns_of(3), 3000u);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const u64 late = slow.now();
  EXPECT_GE(late, 20'000u);
  EXPECT_LE(late, plain.now() / 1000);
  slow.pause();
  const u64 paused_at = slow.now();
  slow.resume();
  EXPECT_GE(slow.now(), paused_at);
  EXPECT_LE(slow.now(), plain.now() / 1000);
}

TEST(Inputs, RealTimeStandsStillWhilePaused) {
  Inputs inputs(Inputs::Mode::realtime, 0);
  inputs.pause();
  const u64 paused_at = inputs.now();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  inputs.pause();  // again: no change
  EXPECT_EQ(inputs.now(), paused_at);
  inputs.resume();
  const u64 after = inputs.now();
  EXPECT_GE(after, paused_at);
  inputs.resume();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_GE(inputs.now(), after + 2'000'000);
}

TEST(Inputs, RealtimeEventsGoThroughTheDispatcher) {
  Inputs inputs(Inputs::Mode::realtime, 0);
  std::vector<std::function<void()>> dispatched;
  inputs.set_dispatch([&](std::function<void()> event) { dispatched.push_back(std::move(event)); });
  int ran = 0;
  inputs.post([&] { ++ran; });
  EXPECT_EQ(ran, 0);
  EXPECT_FALSE(inputs.has_pending());
  ASSERT_EQ(dispatched.size(), 1u);
  dispatched[0]();
  EXPECT_EQ(ran, 1);
}

TEST(Inputs, DeterministicEventsWaitForDeliveryInOrder) {
  Inputs inputs(Inputs::Mode::deterministic, 0);
  int wakeups = 0;
  inputs.set_wakeup([&] { ++wakeups; });
  std::string order;
  inputs.post([&] {
    order += 'a';
    inputs.post([&] { order += 'c'; });  // belongs to the next delivery
  });
  inputs.post([&] { order += 'b'; });
  EXPECT_EQ(wakeups, 2);
  EXPECT_TRUE(inputs.has_pending());
  EXPECT_EQ(order, "");
  inputs.deliver();
  EXPECT_EQ(order, "ab");
  EXPECT_TRUE(inputs.has_pending());
  inputs.deliver();
  EXPECT_EQ(order, "abc");
  EXPECT_FALSE(inputs.has_pending());
}

}  // namespace
}  // namespace pagoda
