// SPDX-License-Identifier: MIT
// PciFunction: one function on a PCI bus: its configuration space as a register map, base addresses, the INTA wire.
//
// The map's window is the function's 4 KiB of configuration space. Derived classes add rows for their capabilities and
// put an MmioHandler behind each base address register.
// Threading: the register map's mutex for the configuration space; set_interrupt() from any thread under the caller's
// lock. Lock order: configuration space -> what is behind it (device, MSI-X table) -> PciHost.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "devices/bus/register_map.h"

namespace pagoda {

class PciHost;

struct PciIdentity {
  u16 vendor = 0;
  u16 device = 0;
  u32 class_code = 0;  // 24 bits: base class, subclass, interface
  u8 revision = 0;
  u16 subsystem_vendor = 0;
  u16 subsystem = 0;
  u8 first_capability = 0;  // offset, 0: none
  bool has_interrupt = false;
};

// A base address register; 64-bit ones take two.
struct PciBar {
  u8 index = 0;
  u64 size = 0;  // bytes, a power of two from 4 KiB on: nothing of two functions shares a page
  bool is_64bit = false;
  bool prefetchable = false;
};

class PciFunction : public RegisterDevice {
 public:
  static constexpr u64 kConfigSize = 0x1000;
  static constexpr u32 kBars = 6;
  // Bits of the command register that can be set: memory space, bus master, parity, SERR, interrupt disable.
  static constexpr u64 kCommandBits = 0x0546;

  // Plugs into `slot` (0 to 31) of the host's bus; both outlive the function's use. `rows` are the capabilities'.
  PciFunction(std::string name, PciHost& host, u32 slot, const PciIdentity& identity, const std::vector<PciBar>& bars,
              std::vector<Register> rows);
  ~PciFunction() override;

  u32 slot() const { return slot_; }
  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

  // For the rows.
  u64 status_command() const;
  void write_command(u64 value);
  void base_address_written() { decode(); }

 protected:
  // What is behind a base address register; null: nothing. It sees offsets within the register's window.
  void set_content(u32 bar, MmioHandler* content);
  MmioHandler* content(u32 bar, u64* size) const;
  // The level of the INTA wire, as the device wants it.
  void set_interrupt(bool level);
  bool is_bus_master() const { return (command_.load(std::memory_order_relaxed) & kBusMaster) != 0; }
  PciHost& host() { return host_; }

 private:
  static constexpr u16 kMemorySpace = 0x0002;
  static constexpr u16 kBusMaster = 0x0004;
  static constexpr u16 kInterruptDisable = 0x0400;
  struct Window {
    PciBar bar;
    u32 row = 0;  // of the register, or of its lower half
    MmioHandler* content = nullptr;
  };
  static std::vector<Register> make_rows(const PciIdentity& id, const std::vector<PciBar>& bars,
                                         std::vector<Register> rows);
  void decode();
  void refresh_interrupt();

  PciHost& host_;
  const u32 slot_;
  const u64 first_capability_;
  std::vector<Window> windows_;
  std::atomic<u16> command_{0};
  std::atomic<bool> interrupt_{false};
};

}  // namespace pagoda
