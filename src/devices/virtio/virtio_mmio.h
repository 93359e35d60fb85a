// SPDX-License-Identifier: MIT
// VirtioMmio: virtio over MMIO, register layout version 2 (virtio 1.2, 4.2), or an empty slot.
//
// An empty slot shows magic, version and vendor, device id 0 and zeros, as QEMU's does, so that drivers pass over it
// without a complaint.
// Threading: the register map's mutex, then the device's lock, then the interrupt status'. Interrupts come under the
// device's lock from any thread.
#pragma once

#include <memory>

#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioMmio final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x200;
  static constexpr u64 kMagic = 0x7472'6976;  // "virt"
  static constexpr u64 kVersion = 2;
  static constexpr u64 kVendor = 0x554d'4551;  // what QEMU says
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/virtio/virtio_mmio.def"
#undef REG
  };

  // `device` may be null: an empty slot.
  VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, IrqLine irq);
  ~VirtioMmio() override;

  VirtioDevice* device() { return device_.get(); }
  u64 read(u64 offset, const Access& access) override;
  void write(u64 offset, u64 value, const Access& access) override;
  u64 peek(u64 offset, u32 size) const override;
  void reset() override;
  void visit_state(StateVisitor& visitor) override;

 private:
  static constexpr u64 kConfigOffset = 0x100;
  // Bits of interrupt_status.
  static constexpr u32 kUsedBuffer = 1;
  static constexpr u32 kConfigurationChange = 2;

  static std::vector<Register> make_rows();
  template <class Body>
  u64 locked(Body body) const;
  template <class Body>
  u64 read_layout(Body body) const;
  template <class Body>
  void write_layout(Body body);
  u32 selected() const { return static_cast<u32>(reg(Reg::queue_select)); }
  void interrupt(u16 source);
  void change_interrupts(u32 set, u32 clear);

  u64 magic() const { return kMagic; }
  u64 version() const { return kVersion; }
  u64 vendor_id() const { return kVendor; }
  u64 device_id() const;
  u64 device_features() const;
  u64 driver_features() const;
  void write_driver_features(u64 value);
  u64 queue_size_max() const;
  u64 queue_size() const;
  void write_queue_size(u64 value);
  u64 queue_ready() const;
  void write_queue_ready(u64 value);
  void notify(u64 value);
  u64 interrupt_status() const;
  void acknowledge(u64 value);
  u64 status() const;
  void write_status(u64 value);
  u64 queue_descriptors(u32 half) const;
  void write_queue_descriptors(u32 half, u64 value);
  u64 queue_driver(u32 half) const;
  void write_queue_driver(u32 half, u64 value);
  u64 queue_device(u32 half) const;
  void write_queue_device(u32 half, u64 value);
  u64 no_shared_memory(u32 /*half*/) const { return device_ != nullptr ? 0xffff'ffff : 0; }
  u64 config_generation() const;
  u64 config(u32 index) const;
  void write_config_register(u32 index, u64 value);

  std::unique_ptr<VirtioDevice> device_;
  IrqLine irq_;
  // Innermost lock but for the interrupt line's: handlers read the status while other threads work on the device.
  mutable std::mutex interrupt_mutex_;
  u32 interrupt_status_ = 0;
};

}  // namespace pagoda
