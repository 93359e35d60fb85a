// SPDX-License-Identifier: MIT
// Register maps: masks, kinds, partial access, banks, arrays, on a device made for it.
#include "devices/bus/register_map.h"

#include <gtest/gtest.h>

#include <optional>

#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

class Sample final : public RegisterDevice {
 public:
  enum class Reg : u32 { control, status, wide, table, low_bank, high_bank, mailbox_out, mailbox_in };
  Sample()
      : RegisterDevice("sample",
                       {
                           {.name = "control", .offset = 0x0, .reset = 0x11, .write_mask = 0xff},
                           {.name = "status", .offset = 0x4, .reset = 0xf0f0, .write_mask = 0xff, .clear_mask = 0xff00},
                           {.name = "wide", .offset = 0x8, .width = 8, .min_size = 2, .write_mask = ~u64{0}},
                           {.name = "table",
                            .offset = 0x100,
                            .width = 2,
                            .count = 3,
                            .stride = 4,
                            .groups = 2,
                            .group_stride = 0x20,
                            .write_mask = 0xffff,
                            .write = write_hook<&Sample::table_written>},
                           {.name = "low_bank", .offset = 0x10, .bank = 0, .reset = 1, .write_mask = 0xff},
                           {.name = "high_bank", .offset = 0x10, .bank = 1, .reset = 2, .write_mask = 0xff},
                           {.name = "mailbox_out",
                            .offset = 0x14,
                            .kind = RegisterKind::computed,
                            .peek = peek_hook<&Sample::answer>,
                            .read = read_hook<&Sample::take_answer>},
                           {.name = "mailbox_in",
                            .offset = 0x14,
                            .kind = RegisterKind::computed,
                            .read_mask = 0,
                            .write_mask = 0xffff,
                            .write = write_hook<&Sample::ask>},
                       }) {}
  void reset() override { reset_registers(); }

  std::optional<std::pair<u32, u64>> last_table_write;
  u64 asked = 0;

 protected:
  u8 bank() const override { return (reg(Reg::control) & 0x80) != 0 ? 1 : 0; }

 private:
  void table_written(u32 index, u64 value) { last_table_write = {index, value}; }
  u64 answer() const { return asked + 1; }
  u64 take_answer() { return ++asked; }
  void ask(u64 value) { asked = value; }
};

TEST(RegisterMap, WriteMaskKeepsTheOtherBits) {
  Sample device;
  EXPECT_EQ(mmio_read(device, 0x0), 0x11u);
  mmio_write(device, 0x0, 0xffff'ff22);
  EXPECT_EQ(mmio_read(device, 0x0), 0x22u);
}

TEST(RegisterMap, ClearMaskClearsWhereOnesAreWritten) {
  Sample device;
  mmio_write(device, 0x4, 0x3055);
  EXPECT_EQ(mmio_read(device, 0x4), 0xc055u);
}

TEST(RegisterMap, PartsOfARegisterLeaveTheRestAlone) {
  Sample device;
  mmio_write(device, 0x8, 0x1122'3344'5566'7788, 8);
  mmio_write(device, 0xc, 0xaabb'ccdd, 4);
  EXPECT_EQ(mmio_read(device, 0x8, 8), 0xaabb'ccdd'5566'7788u);
  mmio_write(device, 0xa, 0x9999, 2);
  EXPECT_EQ(mmio_read(device, 0x8, 4), 0x9999'7788u);
  EXPECT_EQ(mmio_read(device, 0xe, 2), 0xaabbu);
  EXPECT_EQ(mmio_read(device, 0xe, 1), 0u) << "below the smallest size";
}

TEST(RegisterMap, ArraysOfGroupsGiveTheRunningIndex) {
  Sample device;
  mmio_write(device, 0x128, 0x1234, 2);
  ASSERT_TRUE(device.last_table_write);
  EXPECT_EQ(*device.last_table_write, (std::pair<u32, u64>{5, 0x1234}));
  EXPECT_EQ(mmio_read(device, 0x128, 2), 0x1234u);
  device.last_table_write.reset();
  mmio_write(device, 0x10c, 1, 2);  // past the last element of group 0
  mmio_write(device, 0x102, 1, 2);  // the gap between elements
  mmio_write(device, 0x140, 1, 2);  // past the last group
  EXPECT_FALSE(device.last_table_write);
  const std::vector<RegisterValue> values = device.list_registers();
  EXPECT_EQ(values[3].name, "table[0][0]");
  EXPECT_EQ(values[8].name, "table[1][2]");
  EXPECT_EQ(values[8].offset, 0x128u);
  EXPECT_EQ(values[8].value, 0x1234u);
}

TEST(RegisterMap, BanksShareAnOffset) {
  Sample device;
  EXPECT_EQ(mmio_read(device, 0x10), 1u);
  mmio_write(device, 0x0, 0x80);
  EXPECT_EQ(mmio_read(device, 0x10), 2u);
  mmio_write(device, 0x10, 7);
  mmio_write(device, 0x0, 0);
  EXPECT_EQ(mmio_read(device, 0x10), 1u);
}

TEST(RegisterMap, ReadOnlyAndWriteOnlyShareAnOffset) {
  Sample device;
  mmio_write(device, 0x14, 0xabc'0041);
  EXPECT_EQ(device.asked, 0x41u) << "only writable bits reach the hook";
  EXPECT_EQ(device.peek(0x14, 4), 0x42u);
  EXPECT_EQ(device.peek(0x14, 4), 0x42u);
  EXPECT_EQ(mmio_read(device, 0x14), 0x42u);
  EXPECT_EQ(mmio_read(device, 0x14), 0x43u);
}

TEST(RegisterMap, RestoringNamesWhatIsMissing) {
  Sample device;
  const auto factories = all_devices();
  const std::vector<u8> foreign = save_state(*factories.front().make().device);
  const Result<> result = restore_state(device, foreign);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "sample: saved state: field 'control' is missing");
}

}  // namespace
}  // namespace pagoda::test
