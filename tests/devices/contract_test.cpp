// SPDX-License-Identifier: MIT
// The contract every device keeps, run over the table of devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <random>
#include <thread>

#include "base/log.h"
#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

constexpr u8 kSizes[] = {1, 2, 4, 8};

u64 low_bits(u32 bytes) { return bytes >= 8 ? ~u64{0} : (u64{1} << (8 * bytes)) - 1; }

// Mostly in the neighbourhood of registers, sometimes anywhere in the window.
u64 pick_offset(const BenchedDevice& under_test, std::mt19937_64& random, u8 size) {
  const std::vector<u64>& offsets = under_test.offsets;
  u64 offset = random() % under_test.window;
  if (!offsets.empty() && random() % 8 != 0) offset = offsets[random() % offsets.size()] + random() % 8;
  return (offset % under_test.window) & ~u64{size - 1u};
}

// A random write or read; returns what was read.
u64 random_access(BenchedDevice& under_test, std::mt19937_64& random) {
  const u8 size = kSizes[random() % 4];
  const u64 offset = pick_offset(under_test, random, size);
  if (random() % 2 == 0) return mmio_read(*under_test.mmio, offset, size);
  u64 value = random();
  if (random() % 2 == 0) value &= random() & 0xff;  // small values reach more of the behaviour
  mmio_write(*under_test.mmio, offset, value & low_bits(size), size);
  return 0;
}

// Accesses, input and time, one thread.
void perturb(BenchedDevice& under_test, u64 seed, int accesses) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < accesses; ++i) {
    random_access(under_test, random);
    if (i % 16 == 0) under_test.bench->live(random(), 1'000'000);
  }
}

// Lines that the device writes to the guest_error log while `body` runs.
template <class Body>
int guest_errors_during(Body body) {
  const std::string path = testing::TempDir() + "pagoda_contract_" + std::to_string(getpid()) + ".log";
  EXPECT_TRUE(set_log_file(path));
  EXPECT_TRUE(set_log_mask("guest_errors"));
  body();
  EXPECT_TRUE(set_log_mask(""));
  std::ifstream file(path);
  const auto lines = std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n');
  std::remove(path.c_str());
  return static_cast<int>(lines);
}

class DeviceContract : public testing::TestWithParam<DeviceFactory> {
 protected:
  BenchedDevice make() const { return GetParam().make(); }
};

// The part of the contract that is about register maps.
class RegisterMapContract : public DeviceContract {};

std::vector<DeviceFactory> devices_with_register_map() {
  std::vector<DeviceFactory> devices;
  for (const DeviceFactory& factory : all_devices()) {
    if (factory.make().registers != nullptr) devices.push_back(factory);
  }
  return devices;
}

// Whether a write to the row's offset goes to another row.
bool is_shadowed_for_writes(const std::vector<Register>& rows, const Register& row) {
  return !row.writable() && std::any_of(rows.begin(), rows.end(), [&](const Register& other) {
    return other.writable() && row.offset - other.offset < other.width;
  });
}

TEST_P(RegisterMapContract, NamesAreUniqueAndOffsetsInsideTheWindow) {
  BenchedDevice under_test = make();
  std::vector<std::string> names;
  for (const RegisterValue& value : under_test.registers->list_registers()) {
    EXPECT_LE(value.offset + value.width, under_test.window) << value.name;
    EXPECT_EQ(value.offset % value.width, 0u) << value.name;
    names.push_back(value.name);
  }
  EXPECT_FALSE(names.empty());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST_P(RegisterMapContract, RegistersResetToTheirDocumentedValues) {
  BenchedDevice under_test = make();
  perturb(under_test, 1, 2000);
  under_test.device->reset();
  const std::vector<RegisterValue> values = under_test.registers->list_registers();
  std::size_t at = 0;
  for (const Register& row : under_test.registers->rows()) {
    for (u32 index = 0; index < row.elements(); ++index, ++at) {
      if (row.kind == RegisterKind::live) continue;
      EXPECT_EQ(values[at].value, row.reset) << values[at].name;
    }
  }
}

TEST_P(RegisterMapContract, WritesTouchOnlyWritableBits) {
  BenchedDevice under_test = make();
  const std::vector<Register>& rows = under_test.registers->rows();
  std::size_t at = 0;
  for (const Register& row : rows) {
    for (u32 index = 0; index < row.elements(); ++index, ++at) {
      const bool is_middle = index > 3 && index + 1 < row.elements();  // the elements of an array are alike
      if (row.kind == RegisterKind::live || is_middle || is_shadowed_for_writes(rows, row)) continue;
      const u64 may_change = (row.write_mask | row.clear_mask) & low_bits(row.width);
      for (const u64 pattern : {~u64{0}, u64{0}, 0x5555'5555'5555'5555u, 0xaaaa'aaaa'aaaa'aaaau}) {
        const RegisterValue before = under_test.registers->list_registers()[at];
        mmio_write(*under_test.mmio, before.offset, pattern & low_bits(row.width), row.width);
        const u64 after = under_test.registers->list_registers()[at].value;
        EXPECT_EQ((before.value ^ after) & ~may_change, 0u) << before.name << " pattern " << pattern;
        // A plain stored register takes all its writable bits.
        if (row.kind == RegisterKind::stored && row.write == nullptr && row.bank == Register::kAnyBank) {
          EXPECT_EQ(after & row.write_mask & ~row.clear_mask, pattern & row.write_mask & ~row.clear_mask & may_change)
              << before.name;
        }
      }
    }
  }
}

TEST_P(RegisterMapContract, UnknownOffsetsAndWrongSizesReadZeroAndAreLogged) {
  BenchedDevice under_test = make();
  std::vector<std::pair<u64, u8>> wrong;
  const auto covered = [&](u64 offset) {
    for (const Register& row : under_test.registers->rows()) {
      for (u32 index = 0; index < row.elements(); ++index) {
        if (offset - row.offset_of(index) < row.width) return true;
      }
    }
    return false;
  };
  std::mt19937_64 random(7);
  for (int i = 0; i < 200 && wrong.size() < 3; ++i) {
    const u64 offset = (random() % under_test.window) & ~u64{3};
    if (!covered(offset)) wrong.push_back({offset, 4});
  }
  // One wrong size below and one above what the first register takes.
  const Register& first = under_test.registers->rows().front();
  const u8 min_size = first.min_size != 0 ? first.min_size : first.width;
  if (min_size > 1) wrong.push_back({first.offset, static_cast<u8>(min_size / 2)});
  if (first.width < 8 && first.offset % (2 * first.width) == 0)
    wrong.push_back({first.offset, static_cast<u8>(first.width * 2)});
  ASSERT_FALSE(wrong.empty());
  for (const auto& [offset, size] : wrong) {
    u64 value = 1;
    const std::vector<u8> before = save_state(*under_test.device);
    EXPECT_EQ(guest_errors_during([&] { value = mmio_read(*under_test.mmio, offset, size); }), 1) << offset;
    EXPECT_EQ(value, 0u);
    EXPECT_EQ(guest_errors_during([&] { mmio_write(*under_test.mmio, offset, 0x5a, size); }), 1) << offset;
    EXPECT_EQ(under_test.mmio->peek(offset, size), 0u);
    EXPECT_EQ(save_state(*under_test.device), before) << offset;
  }
}

TEST_P(RegisterMapContract, NoRegisterAnswersToASizeItDoesNotTake) {
  BenchedDevice under_test = make();
  perturb(under_test, 2, 3000);
  const std::vector<u8> before = save_state(*under_test.device);
  for (const Register& row : under_test.registers->rows()) {
    const u8 min_size = row.min_size != 0 ? row.min_size : row.width;
    for (const u8 size : kSizes) {
      const u64 offset = row.offset_of(row.elements() - 1);
      if ((size >= min_size && size <= row.width) || offset % size != 0) continue;
      EXPECT_EQ(mmio_read(*under_test.mmio, offset, size), 0u) << row.name << " size " << int{size};
      EXPECT_EQ(under_test.mmio->peek(offset, size), 0u) << row.name << " size " << int{size};
      mmio_write(*under_test.mmio, offset, 0x5a5a'5a5a'5a5a'5a5a & low_bits(size), size);
      EXPECT_EQ(save_state(*under_test.device), before) << row.name << " size " << int{size};
    }
  }
}

TEST_P(RegisterMapContract, ReadOnlyRegistersIgnoreWritesAndLogThem) {
  BenchedDevice under_test = make();
  const std::vector<Register>& rows = under_test.registers->rows();
  for (const Register& row : rows) {
    if (row.writable() || is_shadowed_for_writes(rows, row)) continue;
    if (row.bank != Register::kAnyBank && row.bank != 0) continue;
    const std::vector<u8> before = save_state(*under_test.device);
    EXPECT_EQ(guest_errors_during([&] { mmio_write(*under_test.mmio, row.offset, low_bits(row.width), row.width); }), 1)
        << row.name;
    EXPECT_EQ(save_state(*under_test.device), before) << row.name;
  }
}

TEST_P(DeviceContract, PeekNeverChangesStateOrInterrupts) {
  BenchedDevice under_test = make();
  perturb(under_test, 3, 3000);
  const std::vector<u8> before = save_state(*under_test.device);
  const std::vector<bool> levels = under_test.bench->irqs.levels();
  std::mt19937_64 random(4);
  const auto look = [&](u64 offset, u8 size) { return under_test.mmio->peek(offset, size); };
  for (u64 offset = 0; offset < std::min<u64>(under_test.window, 0x10000); ++offset) {
    for (const u8 size : kSizes) {
      if (offset % size == 0) look(offset, size);
    }
  }
  for (int i = 0; i < 10000; ++i) {
    const u8 size = kSizes[random() % 4];
    look(pick_offset(under_test, random, size), size);
  }
  EXPECT_EQ(save_state(*under_test.device), before);
  EXPECT_EQ(under_test.bench->irqs.levels(), levels);
}

TEST_P(RegisterMapContract, PeekReturnsWhatReadReturns) {
  BenchedDevice under_test = make();
  perturb(under_test, 5, 3000);
  for (const Register& row : under_test.registers->rows()) {
    for (u32 index = 0; index < row.elements(); ++index) {
      const u64 offset = row.offset_of(index);
      const u64 peeked = under_test.mmio->peek(offset, row.width);
      EXPECT_EQ(mmio_read(*under_test.mmio, offset, row.width), peeked) << row.element_name(index);
    }
  }
}

// The next three go through many short histories, so that each piece of state is caught away from its reset value.
constexpr u64 kHistories = 40;

TEST_P(DeviceContract, RestoreBringsBackTheSavedState) {
  bool changed = false;
  for (u64 seed = 0; seed < kHistories; ++seed) {
    SCOPED_TRACE(seed);
    BenchedDevice under_test = make();
    perturb(under_test, 100 + seed, 300);
    const std::vector<u8> saved = save_state(*under_test.device);
    const u64 saved_time = under_test.bench->now_ns;
    const u64 saved_wall_clock = under_test.bench->wall_clock_ns;
    const std::vector<bool> levels = under_test.bench->irqs.levels();
    perturb(under_test, 200 + seed, 300);
    changed |= saved != save_state(*under_test.device) || saved.size() <= 4;  // 4: the version, no state at all
    under_test.bench->now_ns = saved_time;
    under_test.bench->wall_clock_ns = saved_wall_clock;
    const Result<> restored = restore_state(*under_test.device, saved);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(save_state(*under_test.device), saved);
    EXPECT_EQ(under_test.bench->irqs.levels(), levels);
  }
  EXPECT_TRUE(changed) << "the perturbations changed nothing";
}

TEST_P(DeviceContract, AFreshDeviceRestoredBehavesAlike) {
  std::vector<std::byte> ram(Bench::kRamSize);
  for (u64 seed = 0; seed < kHistories; ++seed) {
    SCOPED_TRACE(seed);
    BenchedDevice first = make();
    perturb(first, 300 + seed, 300);
    BenchedDevice second = make();
    second.bench->now_ns = first.bench->now_ns.load();
    second.bench->wall_clock_ns = first.bench->wall_clock_ns.load();
    ASSERT_TRUE(first.bench->memory.read(GuestPhys{Bench::kRamBase}, ram));
    ASSERT_TRUE(second.bench->memory.write(GuestPhys{Bench::kRamBase}, ram));
    ASSERT_TRUE(restore_state(*second.device, save_state(*first.device)));
    first.bench->backend.drop_waiting();
    EXPECT_EQ(first.bench->irqs.levels(), second.bench->irqs.levels());
    std::mt19937_64 random_first(400 + seed);
    std::mt19937_64 random_second(400 + seed);
    for (int i = 1; i <= 300; ++i) {
      ASSERT_EQ(random_access(first, random_first), random_access(second, random_second)) << "access " << i;
      if (i % 50 == 0) {
        first.bench->live(random_first(), 1'000'000);
        second.bench->live(random_second(), 1'000'000);
      }
      ASSERT_EQ(first.bench->irqs.levels(), second.bench->irqs.levels()) << "access " << i;
    }
    EXPECT_EQ(save_state(*first.device), save_state(*second.device));
  }
}

TEST_P(DeviceContract, ResetEqualsAFreshDevice) {
  for (u64 seed = 0; seed < kHistories; ++seed) {
    SCOPED_TRACE(seed);
    BenchedDevice under_test = make();
    perturb(under_test, 500 + seed, 300);
    under_test.bench->backend.drop_waiting();
    under_test.device->reset();
    BenchedDevice fresh = make();
    fresh.bench->now_ns = under_test.bench->now_ns.load();
    fresh.device->reset();  // what depends on the time of the reset is equal then
    EXPECT_EQ(save_state(*under_test.device), save_state(*fresh.device));
    EXPECT_EQ(under_test.bench->irqs.levels(), fresh.bench->irqs.levels());
  }
}

TEST_P(DeviceContract, RestoreRefusesForeignState) {
  BenchedDevice under_test = make();
  std::vector<u8> saved = save_state(*under_test.device);
  saved[0] ^= 0xff;
  EXPECT_FALSE(restore_state(*under_test.device, saved));
}

TEST_P(DeviceContract, SurvivesHammeringFromTwoThreads) {
  BenchedDevice under_test = make();
  constexpr int kAccesses = 100'000;
  std::atomic<int> running{2};
  const auto hammer = [&](u64 seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kAccesses; ++i) {
      random_access(under_test, random);
      if (i % 16 == 0) under_test.mmio->peek(pick_offset(under_test, random, 4), 4);
    }
    --running;
  };
  std::thread first(hammer, 21);
  std::thread second(hammer, 22);
  // This thread is the main loop: input and timers.
  std::mt19937_64 random(23);
  while (running != 0) {
    under_test.bench->live(random(), 100'000);
    std::this_thread::yield();
  }
  first.join();
  second.join();
  under_test.device->reset();
  BenchedDevice fresh = make();
  fresh.bench->now_ns = under_test.bench->now_ns.load();
  fresh.device->reset();
  under_test.bench->backend.drop_waiting();
  EXPECT_EQ(under_test.bench->irqs.levels(), fresh.bench->irqs.levels());
}

INSTANTIATE_TEST_SUITE_P(Devices, DeviceContract, testing::ValuesIn(all_devices()),
                         [](const auto& each) { return std::string(each.param.name); });
INSTANTIATE_TEST_SUITE_P(Devices, RegisterMapContract, testing::ValuesIn(devices_with_register_map()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace pagoda::test
