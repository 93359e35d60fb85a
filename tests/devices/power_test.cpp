// SPDX-License-Identifier: MIT
// The ways a guest ends its machine: test finisher and HTIF, HTIF's console included.
#include <gtest/gtest.h>

#include "devices/device_factories.h"
#include "devices/firmware/sifive_test.h"
#include "devices/serial/htif.h"

namespace pagoda::test {
namespace {

class PowerTest : public testing::Test {
 protected:
  std::vector<PowerRequest> requests_;
  PowerSink sink_ = [this](const PowerRequest& request) { requests_.push_back(request); };

  // The only request since the last call, as "off:code" or "reset".
  std::string request() {
    std::string text = requests_.size() == 1 ? "" : fmt::format("{} requests", requests_.size());
    if (requests_.size() == 1 && requests_[0].action == PowerRequest::Action::reset) text = "reset";
    if (requests_.size() == 1 && requests_[0].action == PowerRequest::Action::power_off)
      text = fmt::format("off:{}", requests_[0].exit_code);
    requests_.clear();
    return text;
  }
};

TEST_F(PowerTest, FinisherCommands) {
  SifiveTest finisher("test", sink_);
  mmio_write(finisher, 0, 0x5555);
  EXPECT_EQ(request(), "off:0");
  mmio_write(finisher, 0, 0x002a'3333);
  EXPECT_EQ(request(), "off:42");
  mmio_write(finisher, 0, 0x7777);
  EXPECT_EQ(request(), "reset");
  mmio_write(finisher, 0, 0x5555, 2);
  EXPECT_EQ(request(), "off:0");
  mmio_write(finisher, 0, 0x1234);
  mmio_write(finisher, 2, 0x5555, 2);
  mmio_write(finisher, 4, 0x5555);
  EXPECT_EQ(request(), "0 requests");
  EXPECT_EQ(mmio_read(finisher, 0), 0u);
}

class HtifTest : public PowerTest {
 protected:
  static constexpr u64 kTohost = 0x0;
  static constexpr u64 kFromhost = 0x40;
  RecordingBackend console_;
  HtifWindow htif_{"htif", {.tohost = kTohost, .fromhost = kFromhost, .content = {1, 2, 3, 4}}, sink_, &console_};

  static u64 putchar_command(char character) { return u64{0x0101} << 48 | static_cast<u8>(character); }
  static constexpr u64 kGetchar = u64{0x0100} << 48;
};

TEST_F(HtifTest, ExitCodes) {
  mmio_write(htif_, kTohost, 1, 8);
  EXPECT_EQ(request(), "off:0");
  EXPECT_EQ(mmio_read(htif_, kTohost, 8), 0u);
  mmio_write(htif_, kTohost, 37 << 1 | 1, 8);
  EXPECT_EQ(request(), "off:37");
  mmio_write(htif_, kTohost, 0, 8);
  EXPECT_EQ(request(), "0 requests");
}

TEST_F(HtifTest, TwoHalvesInEitherOrder) {
  mmio_write(htif_, kTohost, 5, 4);
  EXPECT_EQ(request(), "0 requests");
  mmio_write(htif_, kTohost + 4, 0, 4);
  EXPECT_EQ(request(), "off:2");
  mmio_write(htif_, kTohost + 4, putchar_command('q') >> 32, 4);
  mmio_write(htif_, kTohost, 'q', 4);
  EXPECT_EQ(console_.sent(), "q");
  EXPECT_EQ(request(), "0 requests") << "an odd character is not an exit";
}

TEST_F(HtifTest, ALoopOfLowHalvesIsAnExit) {
  mmio_write(htif_, kTohost, 1, 4);
  mmio_write(htif_, kTohost, 1, 4);
  EXPECT_EQ(request(), "off:0");
}

TEST_F(HtifTest, ConsoleOutput) {
  for (const char character : std::string_view("ok\n")) mmio_write(htif_, kTohost, putchar_command(character), 8);
  EXPECT_EQ(console_.sent(), "ok\n");
  EXPECT_EQ(mmio_read(htif_, kTohost, 8), 0u);
}

TEST_F(HtifTest, ConsoleInputAnswersOneRequestAtATime) {
  console_.type("ab");
  EXPECT_EQ(mmio_read(htif_, kFromhost, 8), 0u) << "nobody asked";
  mmio_write(htif_, kTohost, kGetchar, 8);
  console_.deliver();
  EXPECT_EQ(mmio_read(htif_, kFromhost, 8), kGetchar | 0x100 | 'a');
  mmio_write(htif_, kTohost, kGetchar, 8);
  console_.deliver();
  EXPECT_EQ(console_.waiting(), 1u) << "fromhost is not free yet";
  mmio_write(htif_, kFromhost, 0, 8);
  console_.deliver();
  EXPECT_EQ(mmio_read(htif_, kFromhost, 8), kGetchar | 0x100 | 'b');
}

TEST_F(HtifTest, RestoreKeepsAnOpenConsoleRead) {
  mmio_write(htif_, kTohost, kGetchar, 8);
  const std::vector<u8> saved = save_state(htif_);
  RecordingBackend console;
  HtifWindow other("htif", {.tohost = kTohost, .fromhost = kFromhost, .content = {}}, sink_, &console);
  ASSERT_TRUE(restore_state(other, saved));
  console.type("z");
  EXPECT_EQ(mmio_read(other, kFromhost, 8), kGetchar | 0x100 | 'z');
}

TEST_F(HtifTest, OtherBytesOfThePageAreMemory) {
  EXPECT_EQ(mmio_read(htif_, 0, 4), 0x0403'0201u);
  mmio_write(htif_, 0x802, 0xbeef, 2);
  mmio_write(htif_, 0x807, 0x7f, 1);
  EXPECT_EQ(mmio_read(htif_, 0x800, 8), 0x7f00'0000'beef'0000u);
  mmio_write(htif_, 0xff8, 0x1122'3344'5566'7788, 8);
  EXPECT_EQ(mmio_read(htif_, 0xffc, 4), 0x1122'3344u);
  mmio_write(htif_, kTohost + 1, 0xff, 1);
  EXPECT_EQ(request(), "0 requests");
}

TEST_F(HtifTest, UnknownCommandsAreConsumed) {
  for (const u64 command : {u64{0x8000'1000}, u64{0x02} << 56 | 7, u64{0x01ff} << 48, ~u64{0} << 8}) {
    mmio_write(htif_, kTohost, command, 8);
    EXPECT_EQ(mmio_read(htif_, kTohost, 8), 0u);
  }
  EXPECT_EQ(request(), "0 requests");
  EXPECT_EQ(console_.sent(), "");
}

TEST_F(HtifTest, ResetBringsBackThePage) {
  mmio_write(htif_, 0x800, 7, 8);
  mmio_write(htif_, kTohost, 5, 4);
  htif_.reset();
  EXPECT_EQ(mmio_read(htif_, 0x800, 8), 0u);
  EXPECT_EQ(mmio_read(htif_, 0, 4), 0x0403'0201u);
  mmio_write(htif_, kTohost + 4, 0, 4);
  EXPECT_EQ(request(), "0 requests") << "half a command from before the reset";
}

}  // namespace
}  // namespace pagoda::test
