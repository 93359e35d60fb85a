// SPDX-License-Identifier: MIT
// VirtioDevice: what every virtio device has whatever bus it sits on (virtio 1.2, chapter 2): status, features, queues,
// configuration space. A transport (MMIO, PCI) turns its registers into the calls below; a model (block, console, ...)
// overrides the hooks and knows no transport.
//
// Only the modern interface. A driver that leaves VIRTIO_F_VERSION_1 out gets it all the same where nothing else would
// differ (6.2 permits that): xv6 writes only the lower half of the features.
// Threading: one lock per device. Transports, workers and back ends hold a Guard around every call; hooks run under it.
// Lock order: device -> interrupt controller. visit_state() and the destructor are called without it, vcpus stopped.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "devices/bus/state.h"
#include "devices/virtio/virtqueue.h"
#include "memory/guest_memory.h"

namespace pagoda {

// Device status bits, 2.1.
namespace virtio_status {
inline constexpr u8 kAcknowledge = 1;
inline constexpr u8 kDriver = 2;
inline constexpr u8 kDriverOk = 4;
inline constexpr u8 kFeaturesOk = 8;
inline constexpr u8 kNeedsReset = 0x40;
inline constexpr u8 kFailed = 0x80;
}  // namespace virtio_status

// Device ids, chapter 5.
enum class VirtioId : u32 { none = 0, network = 1, block = 2, console = 3, entropy = 4, p9 = 9 };

class VirtioDevice {
 public:
  // Interrupt source for a change of the configuration or of DEVICE_NEEDS_RESET; other values are queue numbers.
  static constexpr u16 kConfigChange = 0xffff;
  using Interrupt = std::function<void(u16 source)>;

  // Holds the device's lock; on release runs what hooks put off with after_unlock().
  class Guard {
   public:
    explicit Guard(VirtioDevice& device) : device_(device), lock_(device.mutex_) {}
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    VirtioDevice& device_;
    std::unique_lock<std::mutex> lock_;
  };

  virtual ~VirtioDevice() = default;
  VirtioDevice(const VirtioDevice&) = delete;
  VirtioDevice& operator=(const VirtioDevice&) = delete;

  const std::string& name() const { return name_; }
  VirtioId id() const { return id_; }

  // --- for the transport, under a Guard ---
  // Called under the guard whenever the driver is to be interrupted; empty disconnects.
  void set_interrupt(Interrupt interrupt) { interrupt_ = std::move(interrupt); }
  u64 offered_features() const { return offered_; }
  u64 driver_features() const { return accepted_; }
  // Half `select` (0: bits 0-31, 1: bits 32-63) of the driver's features.
  void write_driver_features(u32 select, u32 value);
  u8 status() const { return status_; }
  void write_status(u8 value);
  u16 queue_count() const { return static_cast<u16>(queues_.size()); }
  // Null out of range.
  Virtqueue* queue(u32 index) { return index < queues_.size() ? &queues_[index] : nullptr; }
  const Virtqueue* queue(u32 index) const { return index < queues_.size() ? &queues_[index] : nullptr; }
  void set_queue_ready(u32 index, bool ready);
  void notify(u32 index);
  u32 config_generation() const { return config_generation_; }
  // Bytes past the end read as zero.
  u64 read_config(u64 offset, u32 size) const;
  void write_config(u64 offset, u32 size, u64 value);
  void reset();
  void visit_state(StateVisitor& visitor);

 protected:
  // `queue_sizes`: the largest size of each queue. `config_size`: bytes of configuration space.
  VirtioDevice(GuestMemory& memory, std::string name, VirtioId id, u64 features, const std::vector<u16>& queue_sizes,
               u32 config_size);

  // --- hooks of the model ---
  // The driver notified this queue, or went live with it. It is ready and the device is live.
  virtual void process_queue(u16 index) = 0;
  // Features were accepted.
  virtual void features_negotiated() {}
  // Without VIRTIO_F_VERSION_1 a driver expects other structures.
  virtual bool needs_version_1() const { return false; }
  // The queue goes out of use: when this returns nothing touches the buffers it handed out.
  virtual void stop_queue(u16 /*index*/) {}
  // Device reset, after stop_queue() of every queue.
  virtual void reset_model() {}
  // The driver wrote [offset, offset + size) of the configuration space, inside it.
  virtual void config_written(u64 offset, std::span<const u8> /*value*/);
  // Waits, without the guard, until nothing goes on behind the device's back (before its state is saved).
  virtual void quiesce() {}
  virtual void visit_model(StateVisitor& /*visitor*/) {}

  // --- for the model, under the guard ---
  GuestMemory& memory() { return memory_; }
  bool live() const;
  bool negotiated(u64 feature) const { return (accepted_ & feature) != 0 && features_ok(); }
  // Takes the next chain; false if there is none or the ring is broken (the device then needs a reset).
  bool pop(u16 index, VirtqChain* chain);
  void push(u16 index, u16 head, u32 written);
  void push(u16 index, std::span<const VirtqUsed> chains);
  // Interrupts for what was pushed, if the driver wants it.
  void signal(u16 index);
  // pop() until empty with notifications suppressed; handle(chain) pushes or keeps each chain.
  void for_each_chain(u16 index, const std::function<void(VirtqChain& chain)>& handle);
  // The driver did what leaves the device no way on: DEVICE_NEEDS_RESET.
  void fail(std::string_view why);
  // Configuration bytes changed (set by the device): new generation and interrupt.
  void config_changed();
  template <class T>
  void set_config(u64 offset, T value);
  void after_unlock(std::function<void()> function) { deferred_.push_back(std::move(function)); }

 private:
  bool features_ok() const { return (status_ & virtio_status::kFeaturesOk) != 0; }
  bool accept_features() const;

  GuestMemory& memory_;
  const std::string name_;
  const VirtioId id_;
  const u64 offered_;
  std::mutex mutex_;
  Interrupt interrupt_;
  std::vector<std::function<void()>> deferred_;

  u64 accepted_ = 0;
  u8 status_ = 0;
  u32 config_generation_ = 0;
  std::vector<Virtqueue> queues_;
  std::vector<u8> config_;  // little endian; derived from the model's own state
};

template <class T>
void VirtioDevice::set_config(u64 offset, T value) {
  for (u64 i = 0; i < sizeof(T); ++i) config_.at(offset + i) = static_cast<u8>(static_cast<u64>(value) >> (8 * i));
}

}  // namespace pagoda
