// SPDX-License-Identifier: MIT
// The common configuration structure in terms of VirtioDevice.
#include "devices/virtio/virtio_pci_common.h"

#include <utility>

#include "base/log.h"

namespace pagoda {

std::vector<Register> VirtioPciCommon::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/virtio/virtio_pci_common.def"
#undef REG
  };
}

VirtioPciCommon::VirtioPciCommon(std::string name, VirtioDevice& device, u32 vectors, std::function<void()> on_reset)
    : RegisterDevice(std::move(name), make_rows()),
      device_(device),
      vectors_(vectors),
      on_reset_(std::move(on_reset)),
      queue_vectors_(device.queue_count(), kNoVector) {}

void VirtioPciCommon::forget_vectors() {
  config_vector_ = kNoVector;
  queue_vectors_.assign(queue_vectors_.size(), kNoVector);
}

void VirtioPciCommon::reset() {
  reset_registers();
  forget_vectors();
}

void VirtioPciCommon::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  visitor.field("config_vector", config_vector_);
  for (std::size_t i = 0; i < queue_vectors_.size(); ++i)
    visitor.field(fmt::format("queue_vector{}", i), queue_vectors_[i]);
}

// body(queue) under the lock; 0 if the selected queue does not exist.
template <class Body>
u64 VirtioPciCommon::with_queue(Body body) const {
  const VirtioDevice::Guard guard(device_);
  const Virtqueue* queue = std::as_const(device_).queue(selected());
  return queue != nullptr ? body(*queue) : 0;
}

template <class Body>
void VirtioPciCommon::change_layout(Body body) {
  const VirtioDevice::Guard guard(device_);
  Virtqueue* queue = device_.queue(selected());
  if (queue != nullptr && !queue->ready()) return body(queue->layout());
  log(Log::guest_error, "{}: queue {} {}", name(), selected(),
      queue == nullptr ? "does not exist" : "is in use and cannot be changed");
}

u64 VirtioPciCommon::device_feature() const {
  const u64 select = reg(Reg::device_feature_select);
  const VirtioDevice::Guard guard(device_);
  return select < 2 ? device_.offered_features() >> (32 * select) & 0xffff'ffff : 0;
}

u64 VirtioPciCommon::driver_feature() const {
  const u64 select = reg(Reg::driver_feature_select);
  const VirtioDevice::Guard guard(device_);
  return select < 2 ? device_.driver_features() >> (32 * select) & 0xffff'ffff : 0;
}

void VirtioPciCommon::write_driver_feature(u64 value) {
  const u32 select = static_cast<u32>(reg(Reg::driver_feature_select));
  const VirtioDevice::Guard guard(device_);
  device_.write_driver_features(select, static_cast<u32>(value));
}

u64 VirtioPciCommon::config_vector() const {
  const VirtioDevice::Guard guard(device_);
  return config_vector_;
}

void VirtioPciCommon::write_config_vector(u64 value) {
  const VirtioDevice::Guard guard(device_);
  config_vector_ = checked_vector(value);
}

u64 VirtioPciCommon::queue_count() const { return device_.queue_count(); }

u64 VirtioPciCommon::status() const {
  const VirtioDevice::Guard guard(device_);
  return device_.status();
}

void VirtioPciCommon::write_status(u64 value) {
  const VirtioDevice::Guard guard(device_);
  device_.write_status(static_cast<u8>(value));
  if (value != 0) return;
  forget_vectors();
  on_reset_();
}

u64 VirtioPciCommon::config_generation() const {
  const VirtioDevice::Guard guard(device_);
  return device_.config_generation();
}

u64 VirtioPciCommon::queue_size() const {
  return with_queue([](const Virtqueue& queue) -> u64 { return queue.layout().size; });
}

void VirtioPciCommon::write_queue_size(u64 value) {
  // Whether the size is any good is seen when the queue is enabled.
  change_layout([&](Virtqueue::Layout& layout) { layout.size = static_cast<u16>(value); });
}

u64 VirtioPciCommon::queue_vector() const {
  const VirtioDevice::Guard guard(device_);
  return selected() < queue_vectors_.size() ? queue_vectors_[selected()] : kNoVector;
}

void VirtioPciCommon::write_queue_vector(u64 value) {
  const VirtioDevice::Guard guard(device_);
  if (selected() < queue_vectors_.size()) queue_vectors_[selected()] = checked_vector(value);
}

u64 VirtioPciCommon::queue_enable() const {
  return with_queue([](const Virtqueue& queue) -> u64 { return queue.ready(); });
}

void VirtioPciCommon::write_queue_enable(u64 value) {
  const VirtioDevice::Guard guard(device_);
  // The driver only ever enables (4.1.4.3.2).
  if (value != 0) return device_.set_queue_ready(selected(), true);
  log(Log::guest_error, "{}: a queue cannot be disabled", name());
}

u64 VirtioPciCommon::queue_notify_offset() const {
  return with_queue([&](const Virtqueue&) -> u64 { return selected(); });
}

u64 VirtioPciCommon::queue_area(u32 index) const {
  return with_queue([&](const Virtqueue& queue) -> u64 {
    const Virtqueue::Layout& layout = queue.layout();
    return index == 0 ? layout.descriptors : index == 1 ? layout.driver : layout.device;
  });
}

void VirtioPciCommon::write_queue_area(u32 index, u64 value) {
  change_layout([&](Virtqueue::Layout& layout) {
    (index == 0 ? layout.descriptors : index == 1 ? layout.driver : layout.device) = value;
  });
}

}  // namespace pagoda
