// SPDX-License-Identifier: MIT
// Flash: commands as drivers give them, what reaches the file, protection, broken sequences, restore in mid-command.
#include "devices/storage/pflash.h"

#include <gtest/gtest.h>

#include "devices/device_factories.h"
#include "devices/memory_disk.h"

namespace pagoda::test {
namespace {

constexpr u64 kBase = 0x2000'0000, kSize = 4 * Pflash::kSectorSize;

struct Bank {
  Bench bench;
  DiskImage* file = nullptr;
  u32 remaps = 0;
  std::unique_ptr<Pflash> flash;

  explicit Bank(bool read_only = false, char fill = '\xff') {
    auto disk = make_disk(std::string(kSize, fill), read_only);
    file = disk.get();
    flash = std::make_unique<Pflash>("flash", bench.memory, Pflash::Window{kBase, kSize}, std::move(disk),
                                     [this] { ++remaps; });
    EXPECT_TRUE(flash->map().has_value());
  }
  void write(u64 offset, u32 value) { mmio_write(*flash, offset, value); }
  u32 read(u64 offset) { return static_cast<u32>(mmio_read(*flash, offset)); }
  void program(u64 offset, u32 value) {
    write(offset, 0x0040'0040);
    write(offset, value);
  }
  void erase(u64 offset) {
    write(offset, 0x0020'0020);
    write(offset, 0x00d0'00d0);
  }
  u32 in_file(u64 offset) const {
    u32 value = 0;
    EXPECT_EQ(file->read(offset, std::as_writable_bytes(std::span(&value, 1))), 0);
    return value;
  }
  // As a vcpu or DMA sees it: nothing while the window is a device.
  std::optional<u32> in_memory(u64 offset) const {
    u32 value = 0;
    if (!bench.memory.read(GuestPhys(kBase + offset), std::as_writable_bytes(std::span(&value, 1)))) return {};
    return value;
  }
};

TEST(Pflash, ArrayModeIsMemoryAndCommandModeIsNot) {
  Bank bank(false, 'f');
  EXPECT_EQ(bank.in_memory(0x1000), 0x6666'6666u);
  EXPECT_TRUE(bank.bench.memory.is_ram(GuestPhys(kBase), kSize));
  bank.write(0, 0x70);
  EXPECT_EQ(bank.in_memory(0x1000), std::nullopt);
  EXPECT_FALSE(bank.bench.memory.find(GuestPhys(kBase))->is_ram());
  EXPECT_EQ(bank.read(0x40), 0x0080'0080u);
  EXPECT_EQ(mmio_read(*bank.flash, 0x40, 2), 0x80u);
  EXPECT_EQ(bank.remaps, 1u);
  bank.write(0, 0x70);
  EXPECT_EQ(bank.remaps, 1u);
  bank.write(0, 0xff);
  EXPECT_EQ(bank.remaps, 2u);
  EXPECT_EQ(bank.in_memory(0x1000), 0x6666'6666u);
  EXPECT_EQ(bank.read(0x1000), 0x6666'6666u);
}

TEST(Pflash, QueryAndIdentification) {
  Bank bank;
  bank.write(0x55 * 4, 0x0098'0098);
  std::string query;
  for (u64 place = 0x10; place < 0x13; ++place) {
    EXPECT_EQ(bank.read(place * 4) >> 16, bank.read(place * 4) & 0xffff);
    query += static_cast<char>(bank.read(place * 4));
  }
  EXPECT_EQ(query, "QRY");
  const auto number = [&](u64 place) { return bank.read(place * 4) & 0xff; };
  EXPECT_EQ(number(0x13), 1u);                         // Intel's command set
  EXPECT_EQ(2u << number(0x27), kSize);                // two chips
  EXPECT_EQ(2u << number(0x2a), Pflash::kBufferSize);  //
  EXPECT_EQ(number(0x2d) | number(0x2e) << 8, 3u);     // sectors - 1
  EXPECT_EQ((number(0x2f) | number(0x30) << 8) * 512, Pflash::kSectorSize);
  EXPECT_EQ(number(number(0x15)), 'P');
  bank.write(0, 0xff);
  bank.write(0, 0x90);
  EXPECT_EQ(bank.read(0), 0x0089'0089u);
  EXPECT_EQ(bank.read(4), 0x0018'0018u);
  EXPECT_EQ(bank.read(8), 0u);  // not locked
}

TEST(Pflash, ProgrammingClearsBitsAndReachesTheFile) {
  Bank bank;
  bank.program(0x2004, 0x1234'5678);
  EXPECT_EQ(bank.read(0), 0x0080'0080u);
  EXPECT_EQ(bank.in_file(0x2004), 0x1234'5678u);
  bank.program(0x2004, 0xffff'0000);
  bank.write(0, 0xff);
  EXPECT_EQ(bank.in_memory(0x2004), 0x1234'0000u);
  EXPECT_EQ(bank.in_memory(0x2000), 0xffff'ffffu);
  EXPECT_EQ(bank.in_file(0x2004), 0x1234'0000u);
  EXPECT_EQ(bank.in_file(0x2008), 0xffff'ffffu);
}

TEST(Pflash, ErasingTakesTheSectorAroundTheAddress) {
  Bank bank(false, 0);
  bank.erase(Pflash::kSectorSize + 0x1230);
  bank.write(0, 0xff);
  for (const u64 offset : {u64{Pflash::kSectorSize}, u64{2 * Pflash::kSectorSize - 4}}) {
    EXPECT_EQ(bank.in_memory(offset), 0xffff'ffffu);
    EXPECT_EQ(bank.in_file(offset), 0xffff'ffffu);
  }
  EXPECT_EQ(bank.in_memory(Pflash::kSectorSize - 4), 0u);
  EXPECT_EQ(bank.in_file(2 * Pflash::kSectorSize), 0u);
}

TEST(Pflash, BufferedWrites) {
  Bank bank;
  bank.write(0x1000, 0x00e8'00e8);
  EXPECT_EQ(bank.read(0x1000), 0x0080'0080u);
  bank.write(0x1000, 0x0003'0003);  // four words
  for (u32 i = 0; i < 4; ++i) bank.write(0x1010 + 4 * i, i);
  EXPECT_EQ(bank.in_file(0x1010), 0xffff'ffffu);
  bank.write(0x1000, 0x00d0'00d0);
  EXPECT_EQ(bank.read(0), 0x0080'0080u);
  bank.write(0, 0xff);
  for (u32 i = 0; i < 4; ++i) {
    EXPECT_EQ(bank.in_memory(0x1010 + 4 * i), i);
    EXPECT_EQ(bank.in_file(0x1010 + 4 * i), i);
  }
  EXPECT_EQ(bank.in_memory(0x100c), 0xffff'ffffu);
  EXPECT_EQ(bank.in_memory(0x1020), 0xffff'ffffu);
}

TEST(Pflash, BufferedWritesStayInTheirBlock) {
  Bank bank;
  bank.write(0, 0xe8);
  bank.write(0, 1);
  bank.write(0xffc, 1);
  bank.write(0x1000, 2);
  bank.write(0, 0xd0);
  EXPECT_EQ(bank.read(0) & 0x10, 0x10u);  // program error
  bank.write(0, 0x50);
  EXPECT_EQ(bank.in_memory(0x1000), 0xffff'ffffu);
  EXPECT_EQ(bank.in_memory(0xffc), 1u);
  bank.write(0, 0xe8);
  bank.write(0, 0xffff);  // more than the buffer holds
  EXPECT_EQ(bank.in_memory(0), 0xffff'ffffu);
  bank.write(0, 0x70);
  EXPECT_NE(bank.read(0) & 0x30, 0u);
}

TEST(Pflash, ReadOnlyBanksReportErrors) {
  Bank bank(true, 'r');
  bank.program(0, 0);
  EXPECT_EQ(bank.read(0), 0x0090'0090u);
  bank.write(0, 0x50);
  bank.erase(0);
  EXPECT_EQ(bank.read(0), 0x00a0'00a0u);
  bank.write(0, 0x50);
  EXPECT_EQ(bank.in_memory(0), 0x7272'7272u);
  EXPECT_EQ(bank.in_file(0), 0x7272'7272u);
}

TEST(Pflash, BrokenSequencesEndInArrayMode) {
  Bank bank(false, 'b');
  for (const u32 first : {0x20u, 0x60u}) {
    bank.write(0, first);
    bank.write(0, 0xff);
    EXPECT_EQ(bank.in_memory(0), 0x6262'6262u) << first;
    bank.write(0, first);
    bank.write(0, 0x33);
    EXPECT_EQ(bank.in_memory(0), 0x6262'6262u) << first;
  }
  bank.write(0, 0x77);
  EXPECT_EQ(bank.in_memory(0), 0x6262'6262u);
}

TEST(Pflash, StateInMidCommandIsRestored) {
  Bank first, second;
  first.write(0x100, 0xe8);
  first.write(0x100, 1);
  first.write(0x100, 0xaaaa'aaaa);
  ASSERT_TRUE(restore_state(*second.flash, save_state(*first.flash)));
  EXPECT_EQ(second.in_memory(0), std::nullopt);
  second.write(0x104, 0xbbbb'bbbb);
  second.write(0x100, 0xd0);
  second.flash->reset();
  EXPECT_EQ(second.in_memory(0x100), 0xaaaa'aaaau);
  EXPECT_EQ(second.in_memory(0x104), 0xbbbb'bbbbu);
  EXPECT_EQ(second.in_file(0x104), 0xbbbb'bbbbu);
}

TEST(Pflash, TheFileHasTheBanksSize) {
  Bench bench;
  Pflash flash("flash", bench.memory, {kBase, kSize}, make_disk(std::string(kSize / 2, 0)), [] {});
  EXPECT_FALSE(flash.map().has_value());
}

}  // namespace
}  // namespace pagoda::test
