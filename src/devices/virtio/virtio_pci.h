// SPDX-License-Identifier: MIT
// VirtioPci: virtio over PCI, modern devices only (virtio 1.2, 4.1), with MSI-X.
//
// Base address register 4 holds the structures in one page each: common, interrupt status, device, notification.
// Register 1 holds the MSI-X table. The layout is that of QEMU's devices. Threading: see PciFunction, VirtioPciCommon
// and Msix. Interrupts come under the device's lock from any thread.
#pragma once

#include <memory>
#include <mutex>

#include "devices/pci/msix.h"
#include "devices/pci/pci_function.h"
#include "devices/virtio/virtio_device.h"
#include "devices/virtio/virtio_pci_common.h"

namespace pagoda {

class VirtioPci final : public PciFunction {
 public:
  static constexpr u32 kMsixBar = 1;
  static constexpr u32 kStructuresBar = 4;
  // Offsets in the structures' base address register.
  static constexpr u64 kCommon = 0x0000;
  static constexpr u64 kIsr = 0x1000;
  static constexpr u64 kDevice = 0x2000;
  static constexpr u64 kNotify = 0x3000;
  static constexpr u64 kStructuresSize = 0x4000;
  static constexpr u64 kNotifyMultiplier = 4;

  VirtioPci(std::string name, PciHost& host, u32 slot, std::unique_ptr<VirtioDevice> device);
  ~VirtioPci() override;

  VirtioDevice& device() { return *device_; }
  // The parts, for tests.
  VirtioPciCommon& common() { return common_; }
  Msix& msix() { return msix_; }
  MmioHandler& structures() { return structures_; }

  void reset() override;
  void visit_state(StateVisitor& visitor) override;

  // For the rows.
  u64 capability_word(u32 index) const;
  void write_msix_control(u64 value);
  u64 peek_window() const;
  u64 read_window();
  void write_window(u64 value);

 private:
  // What lies behind kStructuresBar.
  class Structures final : public MmioHandler {
   public:
    explicit Structures(VirtioPci& owner) : owner_(owner) {}
    u64 read(u64 offset, const Access& access) override;
    void write(u64 offset, u64 value, const Access& access) override;
    u64 peek(u64 offset, u32 size) const override;

   private:
    VirtioPci& owner_;
  };
  // Bits of the interrupt status.
  static constexpr u8 kQueue = 1;
  static constexpr u8 kConfiguration = 2;

  static std::vector<Register> make_rows(u32 vectors);
  void interrupt(u16 source);
  u64 peek_isr() const;
  u64 take_isr();
  void change_isr(u8 set, u8 clear);
  void update_interrupt();
  void apply_msix_control();
  MmioHandler* window_target(u64* offset, u8* size) const;

  std::unique_ptr<VirtioDevice> device_;
  Msix msix_;
  VirtioPciCommon common_;
  Structures structures_{*this};
  std::vector<u32> capability_words_;  // those that say the same all the time
  mutable std::mutex isr_mutex_;
  u8 isr_ = 0;
  bool msix_enabled_ = false;
};

}  // namespace pagoda
