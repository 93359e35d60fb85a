// SPDX-License-Identifier: MIT
// PMP entries (privileged specification, chapter "Physical Memory Protection"): the lowest matching entry decides.
#include "pmp.h"

#include "csr.h"
#include "platform.h"

namespace pagoda::firmware {
namespace {

constexpr uint8_t kReadWriteExecute = 7;
constexpr uint8_t kTopOfRange = 1u << 3;
constexpr uint8_t kNaturallyAligned = 3u << 3;
constexpr unsigned kEntries = 16;

template <unsigned index>
void write_address(uint64_t value) {
  csr_write<static_cast<Csr>(kPmpaddr0 + index)>(value);
}

// A CSR's number is part of the instruction, hence no array.
void write_address(unsigned index, uint64_t value) {
  switch (index) {
    case 0:
      return write_address<0>(value);
    case 1:
      return write_address<1>(value);
    case 2:
      return write_address<2>(value);
    case 3:
      return write_address<3>(value);
    case 4:
      return write_address<4>(value);
    case 5:
      return write_address<5>(value);
    case 6:
      return write_address<6>(value);
    case 7:
      return write_address<7>(value);
    case 8:
      return write_address<8>(value);
    case 9:
      return write_address<9>(value);
    case 10:
      return write_address<10>(value);
    case 11:
      return write_address<11>(value);
    case 12:
      return write_address<12>(value);
    case 13:
      return write_address<13>(value);
    case 14:
      return write_address<14>(value);
    default:
      return write_address<15>(value);
  }
}

class Entries {
 public:
  // Entries are kept for the rule that opens all the rest.
  bool room_for(unsigned count) const { return used_ + count < kEntries; }

  void add(uint64_t encoded_address, uint8_t mode) {
    write_address(used_, encoded_address);
    config_[used_ / 8] |= uint64_t{mode} << (used_ % 8 * 8);
    ++used_;
  }

  void hide(const PhysicalRange& range) {
    const bool power_of_two = range.size >= 8 && (range.size & (range.size - 1)) == 0;
    if (power_of_two && (range.base & (range.size - 1)) == 0) {
      if (room_for(1)) add((range.base | (range.size / 2 - 1)) >> 2, kNaturallyAligned);
    } else if (room_for(2)) {
      add(range.base >> 2, 0);
      add((range.base + range.size) >> 2, kTopOfRange);
    }
  }

  void enable() {
    csr_write<kPmpcfg0>(config_[0]);
    csr_write<kPmpcfg2>(config_[1]);
  }

 private:
  unsigned used_ = 0;
  uint64_t config_[2] = {};
};

}  // namespace

void protect_memory() {
  // Without any entry the lower modes may access everything anyway.
  if (!csr_exists<kPmpaddr0>()) return;
  Entries entries;
  entries.hide(firmware_range());
  for (uint32_t i = 0; i < platform.private_range_count; ++i) entries.hide(platform.private_ranges[i]);
  entries.add(~uint64_t{0} >> 10, kNaturallyAligned | kReadWriteExecute);
  entries.enable();
  asm volatile("sfence.vma" : : : "memory");
}

}  // namespace pagoda::firmware
