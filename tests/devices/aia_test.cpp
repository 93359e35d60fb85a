// SPDX-License-Identifier: MIT
// IMSIC and APLIC: identities and thresholds, modes of sources, delegation, direct delivery and messages.
#include <gtest/gtest.h>

#include "devices/device_factories.h"
#include "devices/irq/aplic.h"
#include "devices/irq/imsic.h"

namespace pagoda::test {
namespace {

// Registers of the indirect window, AIA 1.0, 3.8.
constexpr u32 kDelivery = 0x70, kThreshold = 0x72, kPending = 0x80, kEnabled = 0xc0;

class ImsicTest : public testing::Test {
 protected:
  RecordingIrqs irqs;
  Imsic imsic{"imsic", {irqs.line(0), irqs.line(1)}};
  InterruptFile& file = imsic.file(1);
};

TEST_F(ImsicTest, AMessageReachesItsHartIfItMay) {
  mmio_write(imsic, 0x1000, 5);
  EXPECT_EQ(file.read_register(kPending), u64{1} << 5);
  EXPECT_EQ(file.top(), 0u);
  file.write_register(kEnabled, u64{1} << 5 | 1);
  EXPECT_EQ(file.read_register(kEnabled), u64{1} << 5) << "identity 0 does not exist";
  EXPECT_EQ(file.top(), 5u);
  EXPECT_FALSE(irqs.level(1)) << "delivery is off";
  file.write_register(kDelivery, 1);
  EXPECT_TRUE(irqs.level(1));
  EXPECT_FALSE(irqs.level(0));
  file.claim(5);
  EXPECT_FALSE(irqs.level(1));
  EXPECT_EQ(file.top(), 0u);
}

TEST_F(ImsicTest, TheLowestIdentityComesFirstAndTheThresholdHoldsBack) {
  file.write_register(kDelivery, 1);
  for (u32 word = 0; word < 8; word += 2) file.write_register(kEnabled + word, ~u64{0});
  for (const u32 identity : {200u, 64u, 255u}) imsic.send(1, identity);
  EXPECT_EQ(file.top(), 64u);
  file.write_register(kThreshold, 64);
  EXPECT_EQ(file.top(), 0u);
  EXPECT_FALSE(irqs.level(1));
  file.write_register(kThreshold, 65);
  EXPECT_EQ(file.top(), 64u);
  file.write_register(kThreshold, 0);
  file.claim(64);
  EXPECT_EQ(file.top(), 200u);
  file.claim(200);
  EXPECT_EQ(file.top(), 255u);
}

TEST_F(ImsicTest, NonsenseChangesNothing) {
  const std::vector<u8> before = save_state(imsic);
  mmio_write(imsic, 0x1000, 0);
  mmio_write(imsic, 0x1000, 256);
  mmio_write(imsic, 0x1000, 0xffff'ffff);
  mmio_write(imsic, 0x1008, 5);
  mmio_write(imsic, 0x1000, 5, 8);
  mmio_write(imsic, 0x2000, 5);
  file.claim(0xffff'ffff);
  EXPECT_EQ(save_state(imsic), before);
  for (const u32 number : {0x00u, 0x30u, 0x6fu, 0x71u, 0x73u, 0x7fu, 0x81u, 0xc1u, 0xffu, 0x100u, 0xffff'ffffu})
    EXPECT_FALSE(file.has_register(number)) << number;
  for (const u32 number : {0x70u, 0x72u, 0x80u, 0xbeu, 0xc0u, 0xfeu}) EXPECT_TRUE(file.has_register(number)) << number;
  file.write_register(0xfe, ~u64{0});
  EXPECT_EQ(file.read_register(0xfe), 0u) << "there are 255 identities";
  mmio_write(imsic, 0x1004, 0x0700'0000);
  EXPECT_EQ(file.read_register(kPending), u64{1} << 7) << "the big-endian register";
}

// Offsets, AIA 1.0, 4.5.
constexpr u64 kDomaincfg = 0, kSourcecfg = 0, kSetip = 0x1c00, kSetipnum = 0x1cdc, kInClrip = 0x1d00,
              kClripnum = 0x1ddc, kSetie = 0x1e00, kSetienum = 0x1edc, kClrienum = 0x1fdc, kSetipnumLe = 0x2000,
              kGenmsi = 0x3000, kTarget = 0x3000, kIdc = 0x4000;
constexpr u32 kDelegate = 1 << 10, kRising = 4, kFalling = 5, kHigh = 6, kLow = 7, kDetached = 1, kEnable = 1 << 8;

class AplicTest : public testing::Test {
 protected:
  RecordingIrqs irqs;
  std::vector<std::pair<u32, u32>> messages;
  std::unique_ptr<Aplic> make(bool with_messages, Aplic* child = nullptr, bool is_root = true) {
    const u32 first = is_root ? 0 : 2;  // pin
    Aplic::Wiring wiring{
        .sources = 40, .pins = {irqs.line(first), irqs.line(first + 1)}, .child = child, .is_root = is_root};
    if (with_messages) wiring.message = [this](u32 hart, u32 identity) { messages.push_back({hart, identity}); };
    return std::make_unique<Aplic>("aplic", wiring);
  }
  static void set_source(Aplic& aplic, u32 source, u32 config, u32 target) {
    mmio_write(aplic, kSourcecfg + 4 * source, config);
    mmio_write(aplic, kTarget + 4 * source, target);
    mmio_write(aplic, kSetienum, source);
  }
};

TEST_F(AplicTest, DirectDeliveryPicksByPriorityThenNumber) {
  const auto aplic = make(false);
  EXPECT_EQ(mmio_read(*aplic, kDomaincfg), 0x8000'0000u);
  set_source(*aplic, 5, kHigh, 1 << 18 | 9);
  set_source(*aplic, 6, kHigh, 1 << 18 | 3);
  set_source(*aplic, 7, kHigh, 1 << 18 | 3);
  for (const u32 source : {5u, 7u, 6u}) aplic->set_irq(source, true);
  const u64 idc = kIdc + 32;
  EXPECT_EQ(mmio_read(*aplic, idc + 0x18), 6u << 16 | 3);
  EXPECT_FALSE(irqs.level(1));
  mmio_write(*aplic, kDomaincfg, kEnable);
  mmio_write(*aplic, idc, 1);
  EXPECT_TRUE(irqs.level(1));
  EXPECT_FALSE(irqs.level(0));
  mmio_write(*aplic, idc + 8, 3);
  EXPECT_FALSE(irqs.level(1)) << "threshold";
  mmio_write(*aplic, idc + 8, 0);
  EXPECT_EQ(mmio_read(*aplic, idc + 0x1c), 6u << 16 | 3);
  EXPECT_EQ(mmio_read(*aplic, idc + 0x1c), 6u << 16 | 3) << "a level stays until its wire falls";
  aplic->set_irq(6, false);
  EXPECT_EQ(mmio_read(*aplic, idc + 0x1c), 7u << 16 | 3);
  aplic->set_irq(7, false);
  mmio_write(*aplic, kClrienum, 5);
  EXPECT_EQ(mmio_read(*aplic, idc + 0x1c), 0u);
  EXPECT_FALSE(irqs.level(1));
  mmio_write(*aplic, idc + 4, 1);
  EXPECT_TRUE(irqs.level(1)) << "forced";
  EXPECT_EQ(mmio_read(*aplic, idc + 0x1c), 0u);
  EXPECT_FALSE(irqs.level(1)) << "a spurious claim ends it";
}

TEST_F(AplicTest, SourceModes) {
  const auto aplic = make(false);
  const auto pending = [&](u32 source) { return mmio_read(*aplic, kSetip) >> source & 1; };
  const auto pulse = [&](u32 source, bool level) {
    aplic->set_irq(source, !level);
    mmio_write(*aplic, kClripnum, source);
    aplic->set_irq(source, level);
    return pending(source);
  };
  set_source(*aplic, 1, kRising, 1);
  EXPECT_EQ(pulse(1, true), 1u);
  EXPECT_EQ(mmio_read(*aplic, kInClrip) >> 1 & 1, 1u);
  EXPECT_EQ(pulse(1, false), 0u);
  set_source(*aplic, 2, kFalling, 1);
  EXPECT_EQ(pulse(2, false), 1u);
  EXPECT_EQ(pulse(2, true), 0u);
  set_source(*aplic, 3, kLow, 1);
  EXPECT_EQ(pending(3), 1u);
  mmio_write(*aplic, kClripnum, 3);
  EXPECT_EQ(pending(3), 1u) << "the wire says so";
  aplic->set_irq(3, true);
  EXPECT_EQ(pending(3), 0u);
  mmio_write(*aplic, kSetipnum, 3);
  EXPECT_EQ(pending(3), 0u);
  set_source(*aplic, 4, kDetached, 1);
  EXPECT_EQ(pulse(4, true), 0u);
  mmio_write(*aplic, kSetipnum, 4);
  EXPECT_EQ(pending(4), 1u);
  // Inactive sources have nothing; neither has what does not exist.
  mmio_write(*aplic, kSourcecfg + 4 * 4, 0);
  EXPECT_EQ(pending(4), 0u);
  EXPECT_EQ(mmio_read(*aplic, kSetie) >> 4 & 1, 0u);
  EXPECT_EQ(mmio_read(*aplic, kTarget + 4 * 4), 0u);
  mmio_write(*aplic, kSourcecfg + 4 * 4, 2);
  EXPECT_EQ(mmio_read(*aplic, kSourcecfg + 4 * 4), 0u) << "a reserved mode";
  for (const u64 number : {u64{0}, u64{40}, u64{0xffff'ffff}}) {
    for (const u64 offset : {kSetipnum, kClripnum, kSetienum, kClrienum, kSetipnumLe})
      mmio_write(*aplic, offset, number);
  }
  mmio_write(*aplic, kTarget + 4, 0xffff'ffff);
  EXPECT_EQ(mmio_read(*aplic, kTarget + 4), 1u) << "there is no such hart";
}

TEST_F(AplicTest, DelegatedSourcesAreTheChilds) {
  const auto child = make(false, nullptr, false);
  const auto root = make(false, child.get());
  mmio_write(*child, kSourcecfg + 4 * 8, kHigh);
  EXPECT_EQ(mmio_read(*child, kSourcecfg + 4 * 8), 0u) << "not yet";
  root->set_irq(8, true);
  mmio_write(*root, kSourcecfg + 4 * 8, kDelegate | 5);
  EXPECT_EQ(mmio_read(*root, kSourcecfg + 4 * 8), kDelegate);
  set_source(*child, 8, kHigh, 1);
  mmio_write(*child, kDomaincfg, kEnable);
  mmio_write(*child, kIdc, 1);
  EXPECT_TRUE(irqs.level(2));
  root->set_irq(8, false);
  EXPECT_FALSE(irqs.level(2));
  root->set_irq(8, true);
  EXPECT_TRUE(irqs.level(2));
  mmio_write(*root, kSetienum, 8);
  EXPECT_EQ(mmio_read(*root, kSetie), 0u);
  mmio_write(*root, kSourcecfg + 4 * 8, kHigh);
  EXPECT_FALSE(irqs.level(2)) << "taken back";
  EXPECT_EQ(mmio_read(*child, kSourcecfg + 4 * 8), 0u);
  mmio_write(*child, kSourcecfg + 4 * 9, kDelegate);
  EXPECT_EQ(mmio_read(*child, kSourcecfg + 4 * 9), 0u) << "it has no child";
}

TEST_F(AplicTest, MessagesAreSentOnceAndAgainOnRequest) {
  const auto aplic = make(true);
  EXPECT_EQ(mmio_read(*aplic, kDomaincfg), 0x8000'0004u);
  set_source(*aplic, 3, kHigh, 1 << 18 | 33);
  aplic->set_irq(3, true);
  EXPECT_TRUE(messages.empty());
  mmio_write(*aplic, kDomaincfg, kEnable);
  EXPECT_EQ(messages, (std::vector<std::pair<u32, u32>>{{1, 33}}));
  EXPECT_EQ(mmio_read(*aplic, kSetip), 0u);
  mmio_write(*aplic, kSetipnumLe, 3);
  EXPECT_EQ(messages.size(), 2u) << "the wire is still high";
  aplic->set_irq(3, false);
  mmio_write(*aplic, kSetipnumLe, 3);
  EXPECT_EQ(messages.size(), 2u);
  mmio_write(*aplic, kGenmsi, 0 << 18 | 77);
  EXPECT_EQ(messages.back(), (std::pair<u32, u32>{0, 77}));
  mmio_write(*aplic, kGenmsi, 0xffff'ffff);
  EXPECT_EQ(messages.size(), 3u);
}

}  // namespace
}  // namespace pagoda::test
