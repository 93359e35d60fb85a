// SPDX-License-Identifier: MIT
// Configuration header, decoding of base addresses.
#include "devices/pci/pci_function.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "devices/pci/pci_host.h"

namespace pagoda {
namespace {

enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/pci/pci_header.def"
#undef REG
  count
};
constexpr u32 kFirstBarRow = static_cast<u32>(Reg::count);
constexpr const char* kBarNames[] = {"bar0", "bar1", "bar2", "bar3", "bar4", "bar5"};
constexpr u64 kBar64 = 0x4;
constexpr u64 kBarPrefetchable = 0x8;
constexpr u64 kBarFlags = 0xf;

}  // namespace

std::vector<Register> PciFunction::make_rows(const PciIdentity& id, const std::vector<PciBar>& bars,
                                             std::vector<Register> rows) {
  std::vector<Register> all = {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/pci/pci_header.def"
#undef REG
  };
  // Registers that are not there read as zero.
  std::array<Register, kBars> registers;
  for (u32 i = 0; i < kBars; ++i)
    registers[i] = Register{.name = kBarNames[i], .offset = 0x10 + 4 * u64{i}, .min_size = 1};
  for (const PciBar& bar : bars) {
    CHECK(bar.index < kBars - (bar.is_64bit ? 1 : 0) && std::has_single_bit(bar.size) && bar.size >= 0x1000);
    const u64 mask = ~(bar.size - 1);
    Register& low = registers[bar.index];
    low.reset = (bar.is_64bit ? kBar64 : 0) | (bar.prefetchable ? kBarPrefetchable : 0);
    low.write_mask = mask & 0xffff'ffff;
    low.write = write_hook<&PciFunction::base_address_written>;
    if (!bar.is_64bit) continue;
    registers[bar.index + 1u].write_mask = mask >> 32;
    registers[bar.index + 1u].write = write_hook<&PciFunction::base_address_written>;
  }
  all.insert(all.end(), registers.begin(), registers.end());
  all.insert(all.end(), rows.begin(), rows.end());
  return all;
}

PciFunction::PciFunction(std::string name, PciHost& host, u32 slot, const PciIdentity& identity,
                         const std::vector<PciBar>& bars, std::vector<Register> rows)
    : RegisterDevice(std::move(name), make_rows(identity, bars, std::move(rows))),
      host_(host),
      slot_(slot),
      first_capability_(identity.first_capability) {
  for (const PciBar& bar : bars) windows_.push_back({bar, kFirstBarRow + bar.index, nullptr});
  host_.plug(this, slot);
}

PciFunction::~PciFunction() { host_.unplug(this); }

void PciFunction::set_content(u32 bar, MmioHandler* content) {
  for (Window& window : windows_) {
    if (window.bar.index == bar) window.content = content;
  }
}

MmioHandler* PciFunction::content(u32 bar, u64* size) const {
  for (const Window& window : windows_) {
    if (window.bar.index != bar) continue;
    *size = window.bar.size;
    return window.content;
  }
  return nullptr;
}

u64 PciFunction::status_command() const {
  const u64 status = u64{first_capability_ != 0} << 4 | u64{interrupt_.load()} << 3;
  return status << 16 | command_.load();
}

void PciFunction::write_command(u64 value) {
  command_.store(static_cast<u16>(value & kCommandBits));
  refresh_interrupt();
  decode();
}

void PciFunction::set_interrupt(bool level) {
  interrupt_.store(level);
  refresh_interrupt();
}

void PciFunction::refresh_interrupt() {
  host_.set_interrupt(slot_, [this] { return interrupt_.load() && (command_.load() & kInterruptDisable) == 0; });
}

void PciFunction::decode() {
  std::vector<PciHost::Mapping> mappings;
  for (const Window& window : windows_) {
    if ((command_.load() & kMemorySpace) == 0 || window.content == nullptr) break;
    u64 address = reg(window.row) & ~kBarFlags;
    if (window.bar.is_64bit) address |= reg(window.row + 1) << 32;
    // The last window that fits below 2^64 ends there; an address of 0 is that of a register nobody has set.
    if (address != 0 && address + window.bar.size - 1 >= address)
      mappings.push_back({address, window.bar.size, window.content, this});
  }
  host_.map(this, std::move(mappings));
}

void PciFunction::reset() {
  reset_registers();
  command_.store(0);
  set_interrupt(false);
  decode();
}

void PciFunction::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  u16 command = command_.load();
  visitor.field("command", command);
  command_.store(command & kCommandBits);
  bool interrupt = interrupt_.load();
  visitor.field("interrupt_pending", interrupt);
  set_interrupt(interrupt);
}

void PciFunction::state_restored() { decode(); }

}  // namespace pagoda
