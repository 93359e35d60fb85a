// SPDX-License-Identifier: MIT
// ECAM dispatch, bus windows, interrupt wires.
#include "devices/pci/pci_host.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "devices/pci/pci_function.h"

namespace pagoda {
namespace {

// What a read gives that nothing answers.
u64 all_ones(u32 size) { return size >= 8 ? ~u64{0} : (u64{1} << (8 * size)) - 1; }

constexpr u64 kFunctionSize = PciFunction::kConfigSize;
constexpr u64 kFunctionsPerSlot = 8;

}  // namespace

namespace {

class IoWindow final : public MmioHandler {
 public:
  u64 read(u64 /*offset*/, const Access& access) override { return all_ones(access.size); }
  void write(u64 /*offset*/, u64 /*value*/, const Access& /*access*/) override {}
  u64 peek(u64 /*offset*/, u32 size) const override { return all_ones(size); }
};

}  // namespace

class PciHost::MemoryWindow final : public MmioHandler {
 public:
  MemoryWindow(PciHost& host, u64 base) : host_(host), base_(base) {}
  u64 read(u64 offset, const Access& access) override {
    u64 inside = 0;
    if (MmioHandler* content = host_.find(base_ + offset, &inside)) return content->read(inside, access);
    log(Log::guest_error, "{}: nothing answers a read at bus address {:#x}", host_.name_, base_ + offset);
    return all_ones(access.size);
  }
  void write(u64 offset, u64 value, const Access& access) override {
    u64 inside = 0;
    if (MmioHandler* content = host_.find(base_ + offset, &inside)) return content->write(inside, value, access);
    log(Log::guest_error, "{}: nothing answers a write at bus address {:#x}", host_.name_, base_ + offset);
  }
  u64 peek(u64 offset, u32 size) const override {
    u64 inside = 0;
    const MmioHandler* content = host_.find(base_ + offset, &inside);
    return content != nullptr ? content->peek(inside, size) : all_ones(size);
  }

 private:
  PciHost& host_;
  const u64 base_;
};

PciHost::PciHost(std::string name, const std::array<IrqLine, kPins>& interrupts, MessageSink messages)
    : name_(std::move(name)), interrupts_(interrupts), messages_(std::move(messages)) {}

PciHost::~PciHost() = default;

MmioHandler& PciHost::memory_window(u64 base) {
  return *windows_.emplace_back(std::make_unique<MemoryWindow>(*this, base));
}

MmioHandler& PciHost::io_window() {
  static IoWindow window;  // has no state
  return window;
}

PciFunction* PciHost::function_at(u64 offset) const {
  const u64 number = offset / kFunctionSize;  // bus, device, function
  if (number % kFunctionsPerSlot != 0 || number / kFunctionsPerSlot >= kSlots) return nullptr;
  return functions_[number / kFunctionsPerSlot];
}

// Software looks for functions by reading everywhere: no complaint where there is none.
u64 PciHost::read(u64 offset, const Access& access) {
  PciFunction* function = function_at(offset);
  return function != nullptr ? function->read(offset % kFunctionSize, access) : all_ones(access.size);
}

void PciHost::write(u64 offset, u64 value, const Access& access) {
  if (PciFunction* function = function_at(offset)) function->write(offset % kFunctionSize, value, access);
}

u64 PciHost::peek(u64 offset, u32 size) const {
  const PciFunction* function = function_at(offset);
  return function != nullptr ? function->peek(offset % kFunctionSize, size) : all_ones(size);
}

MmioHandler* PciHost::find(u64 address, u64* offset) const {
  const std::shared_lock lock(mapping_mutex_);
  for (const Mapping& mapping : mappings_) {
    if (address - mapping.address >= mapping.size) continue;
    *offset = address - mapping.address;
    return mapping.content;
  }
  return nullptr;
}

void PciHost::plug(PciFunction* function, u32 slot) {
  CHECK(slot < kSlots && functions_[slot] == nullptr, "{}: slot {}", name_, slot);
  functions_[slot] = function;
}

void PciHost::unplug(PciFunction* function) {
  map(function, {});
  std::ranges::replace(functions_, function, nullptr);
}

void PciHost::map(const PciFunction* owner, std::vector<Mapping> mappings) {
  const std::unique_lock lock(mapping_mutex_);
  std::erase_if(mappings_, [&](const Mapping& mapping) { return mapping.owner == owner; });
  mappings_.insert(mappings_.end(), mappings.begin(), mappings.end());
}

void PciHost::set_interrupt(u32 slot, const std::function<bool()>& level) {
  const std::lock_guard lock(interrupt_mutex_);
  const u32 bit = u32{1} << slot;
  asserted_ = level() ? asserted_ | bit : asserted_ & ~bit;
  u32 wire = 0;
  for (u32 i = 0; i < kSlots; ++i) wire |= wire_of(i) == wire_of(slot) ? asserted_ & u32{1} << i : 0;
  interrupts_[wire_of(slot)].set(wire != 0);
}

void PciHost::send_message(u64 address, u32 data) {
  if (messages_) return messages_(address, data);
  log(Log::guest_error, "{}: nothing receives message {:#x} to {:#x}", name_, data, address);
}

}  // namespace pagoda
