// SPDX-License-Identifier: MIT
// UART 16550A: FIFOs, interrupts and their priorities, time-out, loopback, divisor latch.
#include "devices/serial/uart16550.h"

#include <gtest/gtest.h>
#include <utility>

#include "devices/device_factories.h"
#include "devices/irq/plic.h"

namespace pagoda::test {
namespace {

enum : u64 {
  kRbr = 0,
  kThr = 0,
  kDll = 0,
  kIer = 1,
  kDlm = 1,
  kIir = 2,
  kFcr = 2,
  kLcr = 3,
  kMcr = 4,
  kLsr = 5,
  kMsr = 6,
  kScr = 7
};

class UartTest : public testing::Test {
 protected:
  Bench bench_;
  RecordingBackend& host_ = bench_.backend;
  Uart16550 uart_{"serial0", bench_.clock, Uart16550::kVirtClockHz, bench_.irqs.line(0), &bench_.backend};

  u8 read(u64 offset) { return static_cast<u8>(mmio_read(uart_, offset, 1)); }
  void write(u64 offset, u8 value) { mmio_write(uart_, offset, value, 1); }
  bool irq() const { return bench_.irqs.level(0); }
  void advance(u64 ns) {
    bench_.now_ns += ns;
    bench_.clock.run_due();
  }
  // 115200 baud, 8 bits, no parity, one stop bit: ten bit times a character.
  void set_115200() {
    write(kLcr, 0x83);
    write(kDll, 2);
    write(kDlm, 0);
    write(kLcr, 0x03);
  }
  static constexpr u64 kCharacterNs = 86'805;
};

TEST_F(UartTest, OutputLeavesAtOnce) {
  for (const char character : std::string_view("hello")) {
    EXPECT_EQ(read(kLsr), 0x60);
    write(kThr, static_cast<u8>(character));
  }
  EXPECT_EQ(host_.sent(), "hello");
}

TEST_F(UartTest, InputWithoutFifosComesOneByOne) {
  write(kIer, 0x01);
  host_.type("ab");
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0x04);
  EXPECT_EQ(read(kLsr), 0x61);
  EXPECT_EQ(host_.waiting(), 1u);
  EXPECT_EQ(read(kRbr), 'a');
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kLsr), 0x60);
  host_.deliver();
  EXPECT_EQ(read(kRbr), 'b');
  EXPECT_EQ(read(kRbr), 0) << "empty";
}

TEST_F(UartTest, FifoTakesSixteenAndHoldsTheRestBack) {
  write(kFcr, 0x01);
  host_.type("0123456789abcdefXYZ");
  EXPECT_EQ(host_.waiting(), 3u);
  std::string got;
  for (int i = 0; i < 16; ++i) got += static_cast<char>(read(kRbr));
  EXPECT_EQ(got, "0123456789abcdef");
  EXPECT_EQ(read(kLsr) & 0x03, 0) << "no overrun";
  host_.deliver();
  EXPECT_EQ(read(kRbr), 'X');
}

TEST_F(UartTest, TriggerLevelsAndTimeout) {
  set_115200();
  write(kFcr, 0x81);  // trigger at 8
  write(kIer, 0x01);
  host_.type("1234567");
  EXPECT_FALSE(irq());
  EXPECT_EQ(read(kIir), 0xc1);
  host_.type("8");
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc4);
  EXPECT_EQ(read(kRbr), '1');
  EXPECT_FALSE(irq());
  advance(4 * kCharacterNs - 1);
  EXPECT_FALSE(irq());
  advance(1);
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xcc);
  EXPECT_EQ(read(kIir), 0xcc) << "reading IIR does not clear it";
  EXPECT_EQ(read(kRbr), '2');
  EXPECT_FALSE(irq()) << "reading a character does";
  advance(4 * kCharacterNs);
  EXPECT_TRUE(irq()) << "and starts the next one";
}

TEST_F(UartTest, TimeoutRestartsWithEachCharacter) {
  set_115200();
  write(kFcr, 0xc1);
  write(kIer, 0x01);
  host_.type("a");
  advance(3 * kCharacterNs);
  host_.type("b");
  advance(3 * kCharacterNs);
  EXPECT_FALSE(irq());
  advance(kCharacterNs);
  EXPECT_TRUE(irq());
}

TEST_F(UartTest, NoTimeoutWithoutFifosOrWhenEmpty) {
  host_.type("a");
  EXPECT_EQ(bench_.clock.next_deadline(), std::nullopt);
  write(kFcr, 0x01);
  host_.type("b");
  EXPECT_NE(bench_.clock.next_deadline(), std::nullopt);
  write(kFcr, 0x03);
  EXPECT_EQ(bench_.clock.next_deadline(), std::nullopt);
  EXPECT_EQ(read(kLsr), 0x60);
}

TEST_F(UartTest, ChangingTheFifoModeEmptiesIt) {
  write(kFcr, 0x01);
  host_.type("abc");
  write(kFcr, 0x01);
  EXPECT_EQ(read(kLsr), 0x61) << "the same mode again keeps them";
  write(kFcr, 0x00);
  EXPECT_EQ(read(kLsr), 0x60);
  EXPECT_EQ(read(kIir), 0x01);
  write(kFcr, 0xc0);
  write(kFcr, 0x01);
  write(kIer, 0x01);
  host_.type("a");
  EXPECT_TRUE(irq()) << "trigger bits without the enable bit are not taken";
}

TEST_F(UartTest, TransmitterEmptyInterrupt) {
  EXPECT_FALSE(irq());
  write(kIer, 0x02);
  EXPECT_TRUE(irq()) << "enabling it finds the transmitter empty";
  EXPECT_EQ(read(kIir), 0x02);
  EXPECT_FALSE(irq()) << "reading IIR acknowledges";
  EXPECT_EQ(read(kIir), 0x01);
  write(kIer, 0x02);
  EXPECT_FALSE(irq()) << "no new edge";
  write(kThr, 'x');
  EXPECT_TRUE(irq()) << "empty again";
  EXPECT_EQ(read(kIir), 0x02);
  write(kIer, 0x00);
  write(kIer, 0x02);
  EXPECT_TRUE(irq());
}

TEST_F(UartTest, WritingAlsoAcknowledgesTheTransmitterAndRaisesItAnew) {
  write(kIer, 0x02);
  read(kIir);
  const u32 before = bench_.irqs.renewals(0);
  write(kThr, 'x');
  EXPECT_TRUE(irq());
  EXPECT_EQ(bench_.irqs.renewals(0), before) << "the rise says it";
  write(kThr, 'y');
  EXPECT_EQ(bench_.irqs.renewals(0), before + 1) << "full and empty again while the wire was high";
}

// What comes as news while the wire is high, and what does not.
TEST_F(UartTest, EventsRenewTheWireAndLookingDoesNot) {
  auto renewed = [&, seen = bench_.irqs.renewals(0)]() mutable {
    return std::exchange(seen, bench_.irqs.renewals(0)) != bench_.irqs.renewals(0);
  };
  write(kFcr, 0x01);
  write(kIer, 0x07);
  EXPECT_TRUE(irq());
  renewed();
  read(kLsr);
  read(kRbr);
  read(kMsr);
  write(kIer, 0x07);
  write(kScr, 1);
  EXPECT_FALSE(renewed());
  host_.type("abc");
  EXPECT_TRUE(renewed());
  read(kLsr);
  EXPECT_FALSE(renewed());
  read(kIir);
  EXPECT_FALSE(renewed()) << "it shows the receiver, and acknowledges nothing";
  read(kRbr);
  EXPECT_TRUE(renewed()) << "one is served, others wait";
  host_.type("d");
  EXPECT_TRUE(renewed());
  while ((read(kLsr) & 1) != 0) read(kRbr);
  renewed();
  host_.raise(CharEvent::break_received);
  EXPECT_TRUE(renewed());
  read(kLsr);
  EXPECT_TRUE(renewed()) << "the break is served, its character waits";
  read(kRbr);
  EXPECT_TRUE(irq()) << "the transmitter";
  EXPECT_TRUE(renewed());
  read(kIir);
  EXPECT_FALSE(irq());
  EXPECT_FALSE(renewed());
}

// A driver as xv6 has it: it enables the transmitter's interrupt, never reads IIR, and looks at LSR until nothing
// waits.
TEST_F(UartTest, ADriverThatNeverReadsIirGetsOneInterruptForEachEvent) {
  Plic plic("plic", 96, {bench_.irqs.line(1)});
  Bench bench;
  Uart16550 uart("serial0", bench.clock, Uart16550::kVirtClockHz, plic.event_input(10), &bench.backend);
  mmio_write(plic, 4 * 10, 1);
  mmio_write(plic, 0x2000, 1 << 10);
  std::string got;
  // Interrupts taken until there are none; `meanwhile` happens while the first is in service.
  const auto serve = [&](auto meanwhile) {
    int taken = 0;
    for (; bench_.irqs.level(1) && taken < 100; ++taken) {
      EXPECT_EQ(mmio_read(plic, 0x20'0004), 10u);
      while ((mmio_read(uart, kLsr, 1) & 1) != 0) got += static_cast<char>(mmio_read(uart, kRbr, 1));
      if (taken == 0) meanwhile();
      mmio_write(plic, 0x20'0004, 10);
    }
    return taken;
  };
  const auto nothing = [] {};
  mmio_write(uart, kFcr, 0x07, 1);
  mmio_write(uart, kIer, 0x03, 1);
  EXPECT_EQ(serve(nothing), 1) << "the transmitter is empty";
  mmio_write(uart, kThr, 'x', 1);
  EXPECT_EQ(serve(nothing), 1);
  bench.backend.type("a");
  EXPECT_GE(serve([&] { bench.backend.type("bc"); }), 2);
  EXPECT_EQ(got, "abc");
  EXPECT_EQ(serve(nothing), 0);
  bench.backend.type("d");
  EXPECT_GE(serve([&] { mmio_write(uart, kThr, 'y', 1); }), 2);
  EXPECT_EQ(got, "abcd");
  EXPECT_EQ(bench.backend.sent(), "xy");
}

TEST_F(UartTest, PrioritiesAndWhatClearsEach) {
  write(kLcr, 0x03);
  write(kMcr, 0x10);  // loopback: all modem inputs fall
  write(kIer, 0x0f);
  write(kThr, 'a');
  write(kThr, 'b');  // overrun
  EXPECT_EQ(read(kIir), 0x06);
  EXPECT_EQ(read(kLsr), 0x63);
  EXPECT_EQ(read(kIir), 0x04);
  EXPECT_EQ(read(kRbr), 'b') << "without FIFOs the older one is lost";
  EXPECT_EQ(read(kIir), 0x02);
  EXPECT_EQ(read(kIir), 0x00);
  EXPECT_EQ(read(kMsr), 0x0b);
  EXPECT_EQ(read(kIir), 0x01);
  EXPECT_FALSE(irq());
}

TEST_F(UartTest, ReadingIirAcknowledgesOnlyWhatItShows) {
  write(kIer, 0x03);
  host_.type("a");
  EXPECT_EQ(read(kIir), 0x04);
  EXPECT_EQ(read(kRbr), 'a');
  EXPECT_EQ(read(kIir), 0x02) << "still to be told";
}

TEST_F(UartTest, LoopbackIsDeafAndDumb) {
  write(kFcr, 0x01);
  write(kMcr, 0x10);
  host_.type("in");
  EXPECT_EQ(host_.waiting(), 2u);
  write(kThr, 'q');
  EXPECT_EQ(host_.sent(), "");
  write(kLcr, 0x03);
  write(kThr, 0xff);
  EXPECT_EQ(read(kRbr), 'q' & 0x1f) << "five bits until LCR says more";
  EXPECT_EQ(read(kRbr), 0xff);
  for (int i = 0; i < 17; ++i) write(kThr, static_cast<u8>(i));
  EXPECT_EQ(read(kLsr), 0x63);
  EXPECT_EQ(read(kLsr), 0x61);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(read(kRbr), i);
  write(kMcr, 0x00);
  host_.deliver();
  EXPECT_EQ(read(kRbr), 'i');
}

TEST_F(UartTest, LoopbackTurnsOutputsIntoModemInputs) {
  EXPECT_EQ(read(kMsr), 0xb0);
  write(kMcr, 0x1a);
  EXPECT_EQ(read(kMsr) & 0xf0, 0x90) << "what Linux's 8250 driver asks for";
  write(kMcr, 0x10);
  write(kMcr, 0x11);
  write(kMcr, 0x12);
  write(kMcr, 0x14);
  read(kMsr);
  EXPECT_EQ(read(kMsr), 0x40);
  write(kMcr, 0x10);
  EXPECT_EQ(read(kMsr), 0x04) << "the end of a ring";
  write(kMcr, 0x14);
  EXPECT_EQ(read(kMsr), 0x40) << "its start does not count";
}

TEST_F(UartTest, BreakIsAZeroCharacterThatLsrTellsApart) {
  write(kFcr, 0x01);
  write(kIer, 0x05);
  host_.type("a");
  host_.raise(CharEvent::break_received);
  host_.raise(CharEvent::break_received);  // while the first is unread: lost
  host_.type("b");
  EXPECT_EQ(read(kLsr), 0xe1) << "somewhere in the FIFO, not next";
  EXPECT_EQ(read(kRbr), 'a');
  EXPECT_TRUE(irq());
  EXPECT_EQ(read(kIir), 0xc6);
  EXPECT_EQ(read(kLsr), 0xf1);
  EXPECT_EQ(read(kLsr), 0x61);
  EXPECT_EQ(read(kRbr), 0);
  EXPECT_EQ(read(kRbr), 'b');
  EXPECT_EQ(read(kLsr), 0x60);
  host_.raise(CharEvent::break_received);
  EXPECT_EQ(read(kLsr), 0xf1);
  write(kFcr, 0x03);
  EXPECT_EQ(read(kLsr), 0x60);
  write(kMcr, 0x10);  // loopback: cut off
  host_.raise(CharEvent::break_received);
  EXPECT_EQ(read(kLsr), 0x60);
}

TEST_F(UartTest, BreakWithoutFifos) {
  host_.raise(CharEvent::break_received);
  EXPECT_EQ(read(kLsr), 0x71);
  EXPECT_EQ(read(kRbr), 0);
  EXPECT_EQ(read(kLsr), 0x60);
}

TEST_F(UartTest, DivisorLatchHidesBehindLcr) {
  write(kLcr, 0x80);
  write(kDll, 0x34);
  write(kDlm, 0x12);
  EXPECT_EQ(host_.sent(), "");
  EXPECT_EQ(read(kDll), 0x34);
  EXPECT_EQ(read(kDlm), 0x12);
  write(kLcr, 0x00);
  EXPECT_EQ(read(kIer), 0x00);
  write(kIer, 0xff);
  EXPECT_EQ(read(kIer), 0x0f);
}

// The probe of Linux's 8250 driver, register by register (autoconfig and the transmitter-empty test).
TEST_F(UartTest, LooksLikeA16550AAndNothingNewer) {
  write(kIer, 0x0f);
  EXPECT_EQ(read(kIer) & 0x0f, 0x0f);
  write(kIer, 0x00);
  EXPECT_EQ(read(kIer) & 0x0f, 0x00);
  write(kFcr, 0x01);
  EXPECT_EQ(read(kIir) >> 6, 3);
  write(kLcr, 0xbf);
  EXPECT_NE(read(2), 0) << "no enhanced feature register";
  write(kLcr, 0x00);
  write(kFcr, 0x21);
  EXPECT_EQ(read(kIir) >> 5, 6);
  write(kLcr, 0x80);
  write(kFcr, 0x21);
  EXPECT_EQ(read(kIir) >> 5, 6) << "no 64-byte FIFO";
  write(kLcr, 0x00);
  write(kScr, 0xa5);
  EXPECT_EQ(read(kScr), 0xa5);
}

TEST_F(UartTest, ZeroDivisorIsHarmless) {
  write(kLcr, 0x80);
  write(kDll, 0);
  write(kDlm, 0);
  write(kLcr, 0x00);
  write(kFcr, 0x81);
  write(kIer, 0x01);
  host_.type("a");
  EXPECT_FALSE(irq());
  advance(4 * 7 * 16 * 1'000'000'000ull / Uart16550::kVirtClockHz);
  EXPECT_TRUE(irq());
}

TEST_F(UartTest, RestoreKeepsTheTimeoutRunning) {
  set_115200();
  write(kFcr, 0x81);
  write(kIer, 0x01);
  host_.type("a");
  const std::vector<u8> saved = save_state(uart_);
  RecordingIrqs irqs;
  Uart16550 other("serial0", bench_.clock, Uart16550::kVirtClockHz, irqs.line(0), nullptr);
  ASSERT_TRUE(restore_state(other, saved));
  advance(4 * kCharacterNs);
  EXPECT_TRUE(irqs.level(0));
  EXPECT_EQ(mmio_read(other, kIir, 1), 0xccu);
  EXPECT_EQ(mmio_read(other, kRbr, 1), 'a');
}

TEST_F(UartTest, ResetOffersRoomToHeldBackInput) {
  host_.type("abc");
  EXPECT_EQ(host_.waiting(), 2u);
  uart_.reset();
  host_.deliver();
  EXPECT_EQ(host_.waiting(), 1u);
  EXPECT_EQ(read(kRbr), 'b');
}

}  // namespace
}  // namespace pagoda::test
