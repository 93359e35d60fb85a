// SPDX-License-Identifier: MIT
// VirtioPciCommon: the common configuration structure of the PCI transport (virtio 1.2, 4.1.4.3), and which MSI-X
// vector stands for which interrupt source.
//
// Threading: the register map's mutex, then the device's lock; vector_of() under the device's lock.
#pragma once

#include <functional>
#include <vector>

#include "devices/bus/register_map.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioPciCommon final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x1000;  // the structure begins it
  static constexpr u64 kSize = 0x38;          // of the structure
  static constexpr u16 kNoVector = 0xffff;
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/virtio/virtio_pci_common.def"
#undef REG
  };

  // `on_reset`: called under the device's lock when the driver has reset the device.
  VirtioPciCommon(std::string name, VirtioDevice& device, u32 vectors, std::function<void()> on_reset);

  // kNoVector if there is none.
  u16 vector_of(u16 source) const {
    return source == VirtioDevice::kConfigChange ? config_vector_ : queue_vectors_[source];
  }
  // Registers and vectors; the device is somebody else's.
  void reset() override;
  void visit_state(StateVisitor& visitor) override;

 private:
  static std::vector<Register> make_rows();
  u32 selected() const { return static_cast<u32>(reg(Reg::queue_select)); }
  template <class Body>
  u64 with_queue(Body body) const;
  template <class Body>
  void change_layout(Body body);
  u16 checked_vector(u64 value) const { return value < vectors_ ? static_cast<u16>(value) : kNoVector; }
  void forget_vectors();

  u64 device_feature() const;
  u64 driver_feature() const;
  void write_driver_feature(u64 value);
  u64 config_vector() const;
  void write_config_vector(u64 value);
  u64 queue_count() const;
  u64 status() const;
  void write_status(u64 value);
  u64 config_generation() const;
  u64 queue_size() const;
  void write_queue_size(u64 value);
  u64 queue_vector() const;
  void write_queue_vector(u64 value);
  u64 queue_enable() const;
  void write_queue_enable(u64 value);
  u64 queue_notify_offset() const;
  u64 queue_area(u32 index) const;
  void write_queue_area(u32 index, u64 value);

  VirtioDevice& device_;
  const u32 vectors_;
  const std::function<void()> on_reset_;
  // Under the device's lock.
  u16 config_vector_ = kNoVector;
  std::vector<u16> queue_vectors_;
};

}  // namespace pagoda
