// SPDX-License-Identifier: MIT
// The MMIO transport: its register file in terms of VirtioDevice.
#include "devices/virtio/virtio_mmio.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/log.h"

namespace pagoda {
namespace {

u64 half_of(u64 address, u32 half) { return half == 0 ? address & 0xffff'ffff : address >> 32; }

void set_half(u64* address, u32 half, u64 value) {
  *address = half == 0 ? (*address & ~u64{0xffff'ffff}) | value : (*address & 0xffff'ffff) | value << 32;
}

}  // namespace

std::vector<Register> VirtioMmio::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/virtio/virtio_mmio.def"
#undef REG
  };
}

VirtioMmio::VirtioMmio(std::string name, std::unique_ptr<VirtioDevice> device, IrqLine irq)
    : RegisterDevice(std::move(name), make_rows()), device_(std::move(device)), irq_(irq) {
  if (device_ == nullptr) return;
  const VirtioDevice::Guard guard(*device_);
  device_->set_interrupt([this](u16 source) { interrupt(source); });
}

VirtioMmio::~VirtioMmio() {
  if (device_ == nullptr) return;
  const VirtioDevice::Guard guard(*device_);
  device_->set_interrupt({});
}

void VirtioMmio::interrupt(u16 source) {
  change_interrupts(source == VirtioDevice::kConfigChange ? kConfigurationChange : kUsedBuffer, 0);
}

void VirtioMmio::change_interrupts(u32 set, u32 clear) {
  const std::lock_guard lock(interrupt_mutex_);
  interrupt_status_ = (interrupt_status_ & ~clear) | set;
  irq_.set(interrupt_status_ != 0);
}

// The configuration space is the device's, byte by byte; a register row cannot say which bytes were accessed.
u64 VirtioMmio::read(u64 offset, const Access& access) {
  if (device_ == nullptr || offset < kConfigOffset || offset >= kWindowSize)
    return RegisterDevice::read(offset, access);
  const VirtioDevice::Guard guard(*device_);
  return device_->read_config(offset - kConfigOffset, access.size);
}

void VirtioMmio::write(u64 offset, u64 value, const Access& access) {
  if (device_ == nullptr || offset < kConfigOffset || offset >= kWindowSize)
    return RegisterDevice::write(offset, value, access);
  const VirtioDevice::Guard guard(*device_);
  device_->write_config(offset - kConfigOffset, access.size, value);
}

u64 VirtioMmio::peek(u64 offset, u32 size) const {
  if (device_ == nullptr || offset < kConfigOffset || offset >= kWindowSize) return RegisterDevice::peek(offset, size);
  if (!std::has_single_bit(size) || size > 8) return 0;
  const VirtioDevice::Guard guard(*device_);
  return device_->read_config(offset - kConfigOffset, size);
}

void VirtioMmio::reset() {
  reset_registers();
  if (device_ == nullptr) return;
  const VirtioDevice::Guard guard(*device_);
  device_->reset();
  change_interrupts(0, ~0u);
}

void VirtioMmio::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  if (device_ == nullptr) return;
  device_->visit_state(visitor);  // first: it waits for what may still interrupt
  const std::lock_guard lock(interrupt_mutex_);
  visitor.field("interrupt_status", interrupt_status_);
  irq_.set(interrupt_status_ != 0);
}

// Runs body(device) under its lock. An empty slot reads as zero and ignores writes.
template <class Body>
u64 VirtioMmio::locked(Body body) const {
  if (device_ == nullptr) return 0;
  const VirtioDevice::Guard guard(*device_);
  if constexpr (std::is_void_v<decltype(body(*device_))>) {
    body(*device_);
    return 0;
  } else {
    return body(*device_);
  }
}

// The same for the layout of the selected queue; reads zero without that queue.
template <class Body>
u64 VirtioMmio::read_layout(Body body) const {
  return locked([&](const VirtioDevice& device) -> u64 {
    const Virtqueue* queue = device.queue(selected());
    return queue != nullptr ? body(queue->layout()) : 0;
  });
}

// Changes the layout, if the queue exists and is not in use.
template <class Body>
void VirtioMmio::write_layout(Body body) {
  locked([&](VirtioDevice& device) {
    Virtqueue* queue = device.queue(selected());
    if (queue != nullptr && !queue->ready()) return body(queue->layout());
    log(Log::guest_error, "{}: queue {} {}", name(), selected(),
        queue == nullptr ? "does not exist" : "is in use and cannot be changed");
  });
}

u64 VirtioMmio::device_id() const {
  return locked([](const VirtioDevice& device) { return static_cast<u64>(device.id()); });
}

u64 VirtioMmio::device_features() const {
  const u64 select = reg(Reg::device_features_select);
  return locked([&](const VirtioDevice& device) {
    return select < 2 ? half_of(device.offered_features(), static_cast<u32>(select)) : 0;
  });
}

u64 VirtioMmio::driver_features() const {
  const u64 select = reg(Reg::driver_features_select);
  return locked([&](const VirtioDevice& device) {
    return select < 2 ? half_of(device.driver_features(), static_cast<u32>(select)) : 0;
  });
}

void VirtioMmio::write_driver_features(u64 value) {
  const u32 select = static_cast<u32>(reg(Reg::driver_features_select));
  locked([&](VirtioDevice& device) { device.write_driver_features(select, static_cast<u32>(value)); });
}

u64 VirtioMmio::queue_size_max() const {
  return locked([&](const VirtioDevice& device) -> u64 {
    const Virtqueue* queue = device.queue(selected());
    return queue != nullptr ? queue->max_size() : 0;
  });
}

u64 VirtioMmio::queue_size() const {
  return read_layout([](const Virtqueue::Layout& layout) { return layout.size; });
}

void VirtioMmio::write_queue_size(u64 value) {
  // Whether the size is any good is seen when the queue is made ready.
  write_layout([&](Virtqueue::Layout& layout) { layout.size = static_cast<u16>(std::min<u64>(value, 0xffff)); });
}

u64 VirtioMmio::queue_descriptors(u32 half) const {
  return read_layout([&](const Virtqueue::Layout& layout) { return half_of(layout.descriptors, half); });
}

void VirtioMmio::write_queue_descriptors(u32 half, u64 value) {
  write_layout([&](Virtqueue::Layout& layout) { set_half(&layout.descriptors, half, value); });
}

u64 VirtioMmio::queue_driver(u32 half) const {
  return read_layout([&](const Virtqueue::Layout& layout) { return half_of(layout.driver, half); });
}

void VirtioMmio::write_queue_driver(u32 half, u64 value) {
  write_layout([&](Virtqueue::Layout& layout) { set_half(&layout.driver, half, value); });
}

u64 VirtioMmio::queue_device(u32 half) const {
  return read_layout([&](const Virtqueue::Layout& layout) { return half_of(layout.device, half); });
}

void VirtioMmio::write_queue_device(u32 half, u64 value) {
  write_layout([&](Virtqueue::Layout& layout) { set_half(&layout.device, half, value); });
}

u64 VirtioMmio::queue_ready() const {
  return locked([&](const VirtioDevice& device) {
    const Virtqueue* queue = device.queue(selected());
    return queue != nullptr && queue->ready() ? u64{1} : u64{0};
  });
}

void VirtioMmio::write_queue_ready(u64 value) {
  locked([&](VirtioDevice& device) { device.set_queue_ready(selected(), value != 0); });
}

void VirtioMmio::notify(u64 value) {
  locked([&](VirtioDevice& device) { device.notify(static_cast<u32>(value)); });
}

u64 VirtioMmio::interrupt_status() const {
  const std::lock_guard lock(interrupt_mutex_);
  return interrupt_status_;
}

void VirtioMmio::acknowledge(u64 value) { change_interrupts(0, static_cast<u32>(value)); }

u64 VirtioMmio::status() const {
  return locked([](const VirtioDevice& device) -> u64 { return device.status(); });
}

void VirtioMmio::write_status(u64 value) {
  locked([&](VirtioDevice& device) {
    device.write_status(static_cast<u8>(value));
    if (value == 0) change_interrupts(0, ~0u);
  });
}

u64 VirtioMmio::config_generation() const {
  return locked([](const VirtioDevice& device) -> u64 { return device.config_generation(); });
}

u64 VirtioMmio::config(u32 index) const {
  return locked([&](const VirtioDevice& device) { return device.read_config(u64{index} * 8, 8); });
}

void VirtioMmio::write_config_register(u32 index, u64 value) {
  locked([&](VirtioDevice& device) { device.write_config(u64{index} * 8, 8, value); });
}

}  // namespace pagoda
