// SPDX-License-Identifier: MIT
// PciHost: a PCI Express host bridge with one bus and configuration space in memory (ECAM, PCI Express
// Base 5.0, 7.2.2), as the device tree's "pci-host-ecam-generic" describes it.
//
// ECAM is the handler's own window: 4 KiB for each bus, device and function. What base address registers decode is
// reached through the windows of memory_window(); a window hands on bus addresses, so functions may be moved about at
// will and the machine's memory map stays as it is.
// Threading: mapping and interrupt state have a lock each, which nothing is called under but the interrupt lines.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "devices/bus/device.h"
#include "devices/bus/irq_line.h"
#include "memory/mmio.h"

namespace pagoda {

class PciFunction;

class PciHost final : public Device, public MmioHandler {
 public:
  static constexpr u32 kSlots = 32;
  static constexpr u32 kPins = 4;
  static constexpr u64 kEcamSize = 256 << 20;  // 256 buses
  // A message-signalled interrupt: a write of `data` to a bus address. Called under a device's lock from any thread.
  using MessageSink = std::function<void(u64 address, u32 data)>;

  // What a function decodes.
  struct Mapping {
    u64 address = 0;  // on the bus
    u64 size = 0;
    MmioHandler* content = nullptr;
    const PciFunction* owner = nullptr;
  };

  // `interrupts`: where the four wires lead that pins are distributed over. `messages` may be empty.
  PciHost(std::string name, const std::array<IrqLine, kPins>& interrupts, MessageSink messages);
  ~PciHost() override;

  const std::string& name() const override { return name_; }
  void reset() override {}
  void visit_state(StateVisitor& /*visitor*/) override {}

  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  u64 peek(u64 offset, u32 size) const override;

  // A window of bus addresses from `base` on; lives as long as the host.
  MmioHandler& memory_window(u64 base);
  // The window of I/O space, in which no function has anything.
  MmioHandler& io_window();

  bool is_free(u32 slot) const { return functions_[slot] == nullptr; }

  // --- for functions ---
  void plug(PciFunction* function, u32 slot);
  void unplug(PciFunction* function);
  // Replaces what the function decodes.
  void map(const PciFunction* owner, std::vector<Mapping> mappings);
  // The level of a slot's INTA is what `level` says under the lock: the last caller sees all that went before.
  void set_interrupt(u32 slot, const std::function<bool()>& level);
  void send_message(u64 address, u32 data);

  // Which wire INTA of a slot leads to.
  static u32 wire_of(u32 slot) { return slot % kPins; }

 private:
  class MemoryWindow;
  PciFunction* function_at(u64 offset) const;
  // The content at a bus address and the offset in it; null: nothing answers.
  MmioHandler* find(u64 address, u64* offset) const;

  const std::string name_;
  const std::array<IrqLine, kPins> interrupts_;
  const MessageSink messages_;
  std::array<PciFunction*, kSlots> functions_{};
  std::vector<std::unique_ptr<MemoryWindow>> windows_;

  mutable std::shared_mutex mapping_mutex_;
  std::vector<Mapping> mappings_;

  std::mutex interrupt_mutex_;
  u32 asserted_ = 0;  // a bit for each slot
};

}  // namespace pagoda
