// SPDX-License-Identifier: MIT
// Fuzz target: bytes become MMIO accesses, input and passing time for every device of the contract tests' table.
//
// Input: device index, then steps of an operation byte and its operands (little endian, cut short at the end). After
// the steps the state is saved and restored: that must always work.
#include "base/check.h"
#include "devices/device_factories.h"
#include "fuzz/target.h"

namespace {

using namespace pagoda;
using namespace pagoda::test;

// Mostly at a register, so that the fuzzer need not guess offsets; else anywhere in the window.
u64 pick_offset(ByteReader& reader, const BenchedDevice& device, bool at_register, u8 size) {
  u64 offset = 0;
  if (at_register && !device.offsets.empty()) {
    offset = device.offsets[reader.number(2) % device.offsets.size()];
  } else {
    offset = reader.number(3) % device.window;
  }
  return offset & ~u64{size - 1u};
}

}  // namespace

std::vector<std::vector<u8>> test::fuzz_seeds() { return {}; }

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  ByteReader reader(data, size);
  const auto factories = all_devices();
  BenchedDevice device = factories[reader.number(1) % factories.size()].make();
  while (!reader.empty()) {
    // Bits: 1..0 size, 2 at a register, 5..3 operation.
    const u64 operation = reader.number(1);
    const u8 access_size = static_cast<u8>(1u << (operation & 3));
    const bool at_register = (operation & 4) != 0;
    switch (operation >> 3 & 7) {
      case 0:
      case 1:
        mmio_read(*device.mmio, pick_offset(reader, device, at_register, access_size), access_size);
        break;
      case 2:
        device.mmio->peek(pick_offset(reader, device, at_register, access_size), access_size);
        break;
      case 3:
        device.bench->live(reader.number(8), 10'000'000);
        break;
      case 4: {
        const GuestPhys address{Bench::kRamBase + (reader.number(2) << 3)};
        CHECK(device.bench->memory.store<u64>(address, reader.number(8)));
        break;
      }
      default: {
        const u64 offset = pick_offset(reader, device, at_register, access_size);
        mmio_write(*device.mmio, offset, reader.number(access_size), access_size);
      }
    }
  }
  const std::vector<u8> saved = save_state(*device.device);
  const Result<> restored = restore_state(*device.device, saved);
  CHECK(restored.has_value(), "{}", restored.error().message);
  CHECK(save_state(*device.device) == saved, "{}: another state after restoring", device.device->name());
  return 0;
}
