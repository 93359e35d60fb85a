// SPDX-License-Identifier: MIT
// The PCI transport: capabilities, structures, interrupts.
#include "devices/virtio/virtio_pci.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "devices/pci/pci_host.h"

namespace pagoda {
namespace {

// Capabilities, 4.1.4: vendor-specific, each with type, base address register, offset and length behind its header.
constexpr u8 kVendorSpecific = 0x09;
constexpr u8 kMsixCapability = 0x11;
enum StructureType : u8 { kCommonStructure = 1, kNotifyStructure, kIsrStructure, kDeviceStructure, kWindowStructure };
constexpr u8 kCommonAt = 0x40;
constexpr u8 kIsrAt = 0x50;
constexpr u8 kDeviceAt = 0x60;
constexpr u8 kNotifyAt = 0x70;
constexpr u8 kWindowAt = 0x84;
constexpr u8 kMsixAt = 0x98;
constexpr u32 kPage = 0x1000;

// Rows behind the header's and the base addresses' (11 and 6).
constexpr u32 kFirstRow = 17;
enum Row : u32 {
  kConstantRow = kFirstRow,
  kWindowBarRow,
  kWindowOffsetRow,
  kWindowLengthRow,
  kWindowDataRow,
  kMsixRow
};

u32 word(u8 a, u8 b, u8 c, u8 d) { return a | u32{b} << 8 | u32{c} << 16 | u32{d} << 24; }

// One vector for each queue and one for the configuration.
u32 vectors_for(const VirtioDevice& device) { return std::min<u32>(device.queue_count() + 1u, Msix::kMaxVectors); }

struct Class {
  VirtioId id;
  u32 code;
};
constexpr Class kClasses[] = {
    {VirtioId::network, 0x020000}, {VirtioId::block, 0x010000}, {VirtioId::console, 0x078000}};
constexpr u32 kOtherClass = 0x00ff00;

PciIdentity identity_of(const VirtioDevice& device) {
  constexpr u16 kVendor = 0x1af4;
  constexpr u16 kFirstDevice = 0x1040;  // 4.1.2: the virtio id is added
  const auto it = std::ranges::find(kClasses, device.id(), &Class::id);
  return {.vendor = kVendor,
          .device = static_cast<u16>(kFirstDevice + static_cast<u16>(device.id())),
          .class_code = it != std::end(kClasses) ? it->code : kOtherClass,
          .revision = 1,
          .subsystem_vendor = kVendor,
          .subsystem = 0x1100,
          .first_capability = kCommonAt,
          .has_interrupt = true};
}

}  // namespace

std::vector<Register> VirtioPci::make_rows(u32 vectors) {
  return {
      {.name = "capabilities",
       .offset = kCommonAt,
       .min_size = 1,
       .kind = RegisterKind::live,
       .count = (kWindowAt - kCommonAt) / 4u + 1,
       .peek = peek_hook<&VirtioPci::capability_word>},
      // The window on the base address registers, 4.1.4.9.
      {.name = "window_bar", .offset = kWindowAt + 4, .min_size = 1, .write_mask = 0xff},
      {.name = "window_offset", .offset = kWindowAt + 8, .min_size = 1, .write_mask = 0xffff'ffff},
      {.name = "window_length", .offset = kWindowAt + 12, .min_size = 1, .write_mask = 0xffff'ffff},
      {.name = "window_data",
       .offset = kWindowAt + 16,
       .min_size = 1,
       .kind = RegisterKind::live,
       .write_mask = 0xffff'ffff,
       .peek = peek_hook<&VirtioPci::peek_window>,
       .read = read_hook<&VirtioPci::read_window>,
       .write = write_hook<&VirtioPci::write_window>},
      {.name = "msix_capability",
       .offset = kMsixAt,
       .min_size = 1,
       .reset = kMsixCapability | u64{vectors - 1} << 16,
       .write_mask = Msix::kEnable | Msix::kFunctionMask,
       .write = write_hook<&VirtioPci::write_msix_control>},
      {.name = "msix_table_place", .offset = kMsixAt + 4, .min_size = 1, .reset = kMsixBar},
      {.name = "msix_pending_place", .offset = kMsixAt + 8, .min_size = 1, .reset = Msix::kPendingOffset | kMsixBar},
  };
}

VirtioPci::VirtioPci(std::string name, PciHost& host, u32 slot, std::unique_ptr<VirtioDevice> device)
    : PciFunction(name, host, slot, identity_of(*device),
                  {{.index = kMsixBar, .size = Msix::kWindowSize},
                   {.index = kStructuresBar, .size = kStructuresSize, .is_64bit = true, .prefetchable = true}},
                  make_rows(vectors_for(*device))),
      device_(std::move(device)),
      msix_(name + ".msix", vectors_for(*device_),
            [this](u64 address, u32 data) {
              if (is_bus_master()) this->host().send_message(address, data);
            }),
      common_(name + ".common", *device_, msix_.vectors(), [this] { change_isr(0, 0xff); }) {
  CHECK(rows()[kMsixRow].offset == kMsixAt);
  const auto structure = [&](u8 at, u8 next, StructureType type, u32 offset, u32 length) {
    CHECK(capability_words_.size() == (at - kCommonAt) / 4u);
    const u8 size = type == kNotifyStructure || type == kWindowStructure ? 20 : 16;
    capability_words_.push_back(word(kVendorSpecific, next, size, type));
    if (type == kWindowStructure) return;
    capability_words_.insert(capability_words_.end(), {kStructuresBar, offset, length});
    if (type == kNotifyStructure) capability_words_.push_back(kNotifyMultiplier);
  };
  structure(kCommonAt, kIsrAt, kCommonStructure, kCommon, VirtioPciCommon::kSize);
  structure(kIsrAt, kDeviceAt, kIsrStructure, kIsr, 1);
  structure(kDeviceAt, kNotifyAt, kDeviceStructure, kDevice, kPage);
  structure(kNotifyAt, kWindowAt, kNotifyStructure, kNotify, kPage);
  structure(kWindowAt, kMsixAt, kWindowStructure, 0, 0);
  set_content(kMsixBar, &msix_);
  set_content(kStructuresBar, &structures_);
  const VirtioDevice::Guard guard(*device_);
  device_->set_interrupt([this](u16 source) { interrupt(source); });
}

VirtioPci::~VirtioPci() {
  const VirtioDevice::Guard guard(*device_);
  device_->set_interrupt({});
}

u64 VirtioPci::capability_word(u32 index) const { return capability_words_[index]; }

// --- interrupts ---

void VirtioPci::interrupt(u16 source) {
  bool is_message = false;
  {
    const std::lock_guard lock(isr_mutex_);
    is_message = msix_enabled_;
  }
  if (is_message) return msix_.notify(common_.vector_of(source));
  change_isr(source == VirtioDevice::kConfigChange ? kConfiguration : kQueue, 0);
}

void VirtioPci::change_isr(u8 set, u8 clear) {
  const std::lock_guard lock(isr_mutex_);
  isr_ = static_cast<u8>((isr_ & ~clear) | set);
  update_interrupt();
}

void VirtioPci::update_interrupt() { set_interrupt(isr_ != 0 && !msix_enabled_); }

u64 VirtioPci::peek_isr() const {
  const std::lock_guard lock(isr_mutex_);
  return isr_;
}

// Reading acknowledges, 4.1.4.5.
u64 VirtioPci::take_isr() {
  const std::lock_guard lock(isr_mutex_);
  const u8 isr = std::exchange(isr_, 0);
  update_interrupt();
  return isr;
}

void VirtioPci::write_msix_control(u64 /*value*/) { apply_msix_control(); }

void VirtioPci::apply_msix_control() {
  const u64 control = reg(kMsixRow);
  const bool enabled = (control & Msix::kEnable) != 0;
  {
    const std::lock_guard lock(isr_mutex_);
    msix_enabled_ = enabled;
    update_interrupt();
  }
  msix_.set_control(enabled, (control & Msix::kFunctionMask) != 0);
}

// --- structures ---

u64 VirtioPci::Structures::read(u64 offset, const Access& access) {
  if (offset < kIsr) return owner_.common_.read(offset - kCommon, access);
  if (offset == kIsr) return owner_.take_isr();
  if (offset >= kDevice && offset < kNotify) {
    const VirtioDevice::Guard guard(*owner_.device_);
    return owner_.device_->read_config(offset - kDevice, access.size);
  }
  if (offset < kNotify) log(Log::guest_error, "{}: read at {:#x} of the structures", owner_.name(), offset);
  return 0;  // notifications read as zero
}

void VirtioPci::Structures::write(u64 offset, u64 value, const Access& access) {
  if (offset < kIsr) return owner_.common_.write(offset - kCommon, value, access);
  const VirtioDevice::Guard guard(*owner_.device_);
  if (offset >= kNotify) return owner_.device_->notify(static_cast<u32>((offset - kNotify) / kNotifyMultiplier));
  if (offset >= kDevice) return owner_.device_->write_config(offset - kDevice, access.size, value);
  log(Log::guest_error, "{}: write at {:#x} of the structures", owner_.name(), offset);
}

u64 VirtioPci::Structures::peek(u64 offset, u32 size) const {
  if (offset < kIsr) return owner_.common_.peek(offset - kCommon, size);
  if (offset == kIsr) return owner_.peek_isr();
  if (offset < kDevice || offset >= kNotify || !std::has_single_bit(size) || size > 8) return 0;
  const VirtioDevice::Guard guard(*owner_.device_);
  return owner_.device_->read_config(offset - kDevice, size);
}

// What the window in configuration space looks at; null if that makes no sense.
MmioHandler* VirtioPci::window_target(u64* offset, u8* size) const {
  const u64 length = reg(kWindowLengthRow);
  *offset = reg(kWindowOffsetRow);
  *size = static_cast<u8>(length);
  u64 limit = 0;
  MmioHandler* target = content(static_cast<u32>(reg(kWindowBarRow)), &limit);
  if (target == nullptr || (length != 1 && length != 2 && length != 4) || *offset % length != 0 ||
      *offset + length > limit)
    return nullptr;
  return target;
}

u64 VirtioPci::peek_window() const {
  u64 offset = 0;
  u8 size = 0;
  const MmioHandler* target = window_target(&offset, &size);
  return target != nullptr ? target->peek(offset, size) : 0;
}

u64 VirtioPci::read_window() {
  u64 offset = 0;
  u8 size = 0;
  MmioHandler* target = window_target(&offset, &size);
  return target != nullptr ? target->read(offset, Access{.size = size}) : 0;
}

void VirtioPci::write_window(u64 value) {
  u64 offset = 0;
  u8 size = 0;
  MmioHandler* target = window_target(&offset, &size);
  if (target != nullptr) target->write(offset, value & (~u64{0} >> (64 - 8 * size)), Access{.size = size});
}

// --- life ---

void VirtioPci::reset() {
  PciFunction::reset();
  msix_.reset();
  common_.reset();
  {
    const VirtioDevice::Guard guard(*device_);
    device_->reset();
  }
  apply_msix_control();
  change_isr(0, 0xff);
}

void VirtioPci::visit_state(StateVisitor& visitor) {
  device_->visit_state(visitor);  // first: it waits for what may still interrupt
  PciFunction::visit_state(visitor);
  msix_.visit_state(visitor);
  common_.visit_state(visitor);
  visitor.field("isr", isr_);
  apply_msix_control();
}

}  // namespace pagoda
