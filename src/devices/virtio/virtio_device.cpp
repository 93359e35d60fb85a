// SPDX-License-Identifier: MIT
// The device status state machine, feature negotiation and the common path of queues.
#include "devices/virtio/virtio_device.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {

using namespace virtio_status;

VirtioDevice::Guard::~Guard() {
  const auto deferred = std::exchange(device_.deferred_, {});
  lock_.unlock();
  for (const auto& function : deferred) function();
}

VirtioDevice::VirtioDevice(GuestMemory& memory, std::string name, VirtioId id, u64 features,
                           const std::vector<u16>& queue_sizes, u32 config_size)
    : memory_(memory),
      name_(std::move(name)),
      id_(id),
      offered_(features | kVirtioVersion1 | kVirtioIndirectDesc | kVirtioEventIdx),
      config_(config_size) {
  CHECK(queue_sizes.size() < kConfigChange);
  for (const u16 size : queue_sizes) queues_.emplace_back(memory, size);
}

bool VirtioDevice::live() const { return (status_ & (kDriverOk | kNeedsReset | kFailed)) == kDriverOk; }

void VirtioDevice::write_driver_features(u32 select, u32 value) {
  if (features_ok()) {
    log(Log::guest_error, "{}: driver features written after FEATURES_OK", name_);
    return;
  }
  if (select == 0) {
    accepted_ = (accepted_ & ~u64{0xffffffff}) | value;
  } else if (select == 1) {
    accepted_ = (accepted_ & 0xffffffff) | u64{value} << 32;
  } else if (value != 0) {
    log(Log::guest_error, "{}: driver features {:#x} in half {}", name_, value, select);
  }
}

bool VirtioDevice::accept_features() const {
  if ((accepted_ & ~offered_) != 0) {
    log(Log::guest_error, "{}: driver wants features {:#x} that are not offered", name_, accepted_ & ~offered_);
    return false;
  }
  if ((accepted_ & kVirtioVersion1) == 0) {
    log(Log::guest_error, "{}: driver does not accept VIRTIO_F_VERSION_1", name_);
    return !needs_version_1();
  }
  return true;
}

void VirtioDevice::write_status(u8 value) {
  log(Log::device, "{}: status {:#x} written over {:#x}", name_, value, status_);
  if (value == 0) {
    reset();
    return;
  }
  if ((status_ & ~value & ~kNeedsReset) != 0)
    log(Log::guest_error, "{}: status {:#x} written over {:#x} clears bits", name_, value, status_);
  u8 added = value & ~status_ & (kAcknowledge | kDriver | kFeaturesOk | kDriverOk | kFailed);
  if ((added & kFeaturesOk) != 0) {
    if (accept_features()) {
      status_ |= kFeaturesOk;
      features_negotiated();
    } else {
      added &= ~kFeaturesOk;
    }
  }
  if ((added & kDriverOk) != 0 && !features_ok()) {
    log(Log::guest_error, "{}: DRIVER_OK before FEATURES_OK", name_);
    added &= ~kDriverOk;
  }
  status_ |= added;
  if ((added & kDriverOk) == 0) return;
  // Buffers may have been made available before; a notification sent early was not listened to.
  for (u16 i = 0; i < queue_count() && live(); ++i) {
    if (queues_[i].ready()) process_queue(i);
  }
}

void VirtioDevice::reset() {
  for (u16 i = 0; i < queue_count(); ++i) {
    if (queues_[i].ready()) stop_queue(i);
    queues_[i].reset();
  }
  status_ = 0;
  accepted_ = 0;
  config_generation_ = 0;
  reset_model();
}

void VirtioDevice::set_queue_ready(u32 index, bool ready) {
  Virtqueue* q = queue(index);
  if (q == nullptr) {
    log(Log::guest_error, "{}: queue {} does not exist", name_, index);
    return;
  }
  if (ready == q->ready()) return;
  log(Log::device, "{}: queue {} {}", name_, index, ready ? "ready" : "stopped");
  if (!ready) {
    stop_queue(static_cast<u16>(index));
    q->disable();
    return;
  }
  if (!features_ok()) log(Log::guest_error, "{}: queue {} set up before FEATURES_OK", name_, index);
  if (!q->enable(accepted_ & offered_)) fail(fmt::format("queue {}: {}", index, q->problem()));
}

void VirtioDevice::notify(u32 index) {
  if (index >= queues_.size() || !queues_[index].ready() || !live()) {
    log(Log::guest_error, "{}: notification of queue {} with status {:#x}", name_, index, status_);
    return;
  }
  process_queue(static_cast<u16>(index));
}

u64 VirtioDevice::read_config(u64 offset, u32 size) const {
  u64 value = 0;
  for (u32 i = 0; i < size && offset + i < config_.size(); ++i) value |= u64{config_[offset + i]} << (8 * i);
  return value;
}

void VirtioDevice::write_config(u64 offset, u32 size, u64 value) {
  if (offset >= config_.size() || size > config_.size() - offset) {
    log(Log::guest_error, "{}: write of {} bytes at {:#x}, outside the configuration space", name_, size, offset);
    return;
  }
  u8 bytes[8];
  for (u32 i = 0; i < size; ++i) bytes[i] = static_cast<u8>(value >> (8 * i));
  config_written(offset, {bytes, size});
}

void VirtioDevice::config_written(u64 offset, std::span<const u8> /*value*/) {
  log(Log::guest_error, "{}: configuration space at {:#x} is read-only", name_, offset);
}

bool VirtioDevice::pop(u16 index, VirtqChain* chain) {
  if (!live()) return false;
  switch (queues_[index].pop(chain)) {
    case Virtqueue::Pop::empty:
      return false;
    case Virtqueue::Pop::chain:
      return true;
    case Virtqueue::Pop::broken:
      break;
  }
  fail(fmt::format("queue {}: {}", index, queues_[index].problem()));
  return false;
}

void VirtioDevice::push(u16 index, u16 head, u32 written) {
  if (!queues_[index].push(head, written)) fail(fmt::format("queue {}: {}", index, queues_[index].problem()));
}

void VirtioDevice::push(u16 index, std::span<const VirtqUsed> chains) {
  if (!queues_[index].push(chains)) fail(fmt::format("queue {}: {}", index, queues_[index].problem()));
}

void VirtioDevice::signal(u16 index) {
  if (live() && queues_[index].needs_interrupt() && interrupt_) interrupt_(index);
}

void VirtioDevice::for_each_chain(u16 index, const std::function<void(VirtqChain& chain)>& handle) {
  VirtqChain chain;
  do {
    queues_[index].suppress_notifications();
    while (pop(index, &chain)) handle(chain);
  } while (live() && !queues_[index].request_notifications());
}

void VirtioDevice::fail(std::string_view why) {
  log(Log::guest_error, "{}: {}; the device needs a reset", name_, why);
  const bool was_live = (status_ & kDriverOk) != 0;
  const bool is_new = (status_ & kNeedsReset) == 0;
  status_ |= kNeedsReset;
  if (was_live && is_new && interrupt_) interrupt_(kConfigChange);
}

void VirtioDevice::config_changed() {
  ++config_generation_;
  if (live() && interrupt_) interrupt_(kConfigChange);
}

void VirtioDevice::visit_state(StateVisitor& visitor) {
  quiesce();
  const Guard guard(*this);
  visitor.field("status", status_);
  visitor.field("driver_features", accepted_);
  visitor.field("config_generation", config_generation_);
  for (u16 i = 0; i < queue_count(); ++i) queues_[i].visit_state(fmt::format("queue{}", i), visitor);
  visit_model(visitor);
}

}  // namespace pagoda
