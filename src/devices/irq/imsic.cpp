// SPDX-License-Identifier: MIT
// Interrupt files.
#include "devices/irq/imsic.h"

#include <bit>
#include <utility>

#include "base/log.h"

namespace pagoda {
namespace {

// Registers of the indirect window (AIA 1.0, 3.8). With 64 bits the odd ones of the arrays do not exist.
constexpr u32 kDelivery = 0x70;
constexpr u32 kThreshold = 0x72;
constexpr u32 kPending = 0x80;
constexpr u32 kEnabled = 0xc0;
constexpr u32 kArraySize = 0x40;
constexpr u32 kWords = (Imsic::kIdentities + 1) / 64;

}  // namespace

class Imsic::File final : public InterruptFile {
 public:
  explicit File(IrqLine pin) : pin_(pin) {}

  bool has_register(u32 number) const override {
    if (number == kDelivery || number == kThreshold) return true;
    return number >= kPending && number < kEnabled + kArraySize && number % 2 == 0;
  }

  u64 read_register(u32 number) const override {
    const std::lock_guard lock(mutex_);
    if (number == kDelivery) return delivery_;
    if (number == kThreshold) return threshold_;
    const u32 word = number % kArraySize / 2;
    if (word >= kWords) return 0;
    return (number < kEnabled ? pending_ : enabled_)[word];
  }

  void write_register(u32 number, u64 value) override {
    const std::lock_guard lock(mutex_);
    if (number == kDelivery) {
      delivery_ = value & 1;
    } else if (number == kThreshold) {
      threshold_ = value & kIdentities;
    } else if (const u32 word = number % kArraySize / 2; word < kWords) {
      // Identity 0 does not exist.
      (number < kEnabled ? pending_ : enabled_)[word] = word == 0 ? value & ~u64{1} : value;
    }
    update();
  }

  u32 top() const override {
    const std::lock_guard lock(mutex_);
    return top_locked();
  }

  void claim(u32 identity) override {
    const std::lock_guard lock(mutex_);
    if (identity > kIdentities) return;
    pending_[identity / 64] &= ~(u64{1} << identity % 64);
    update();
  }

  // False: there is no such identity.
  bool send(u32 identity) {
    if (identity == 0 || identity > kIdentities) return false;
    const std::lock_guard lock(mutex_);
    pending_[identity / 64] |= u64{1} << identity % 64;
    update();
    return true;
  }

  void reset() {
    const std::lock_guard lock(mutex_);
    delivery_ = threshold_ = 0;
    pending_ = enabled_ = {};
    update();
  }

  void visit_state(u32 index, StateVisitor& visitor) {
    const std::lock_guard lock(mutex_);
    const auto field = [&](std::string_view name, u64& value) {
      visitor.field(fmt::format("file{}.{}", index, name), value);
    };
    field("delivery", delivery_);
    field("threshold", threshold_);
    for (u32 i = 0; i < kWords; ++i) {
      field(fmt::format("pending{}", i), pending_[i]);
      field(fmt::format("enabled{}", i), enabled_[i]);
    }
    delivery_ &= 1;
    threshold_ &= kIdentities;
    pending_[0] &= ~u64{1};
    enabled_[0] &= ~u64{1};
    update();
  }

 private:
  u32 top_locked() const {
    for (u32 i = 0; i < kWords; ++i) {
      if (const u64 ready = pending_[i] & enabled_[i]; ready != 0) {
        const u32 identity = 64 * i + static_cast<u32>(std::countr_zero(ready));
        return threshold_ == 0 || identity < threshold_ ? identity : 0;
      }
    }
    return 0;
  }
  void update() { pin_.set(delivery_ != 0 && top_locked() != 0); }

  const IrqLine pin_;
  mutable std::mutex mutex_;
  u64 delivery_ = 0;
  u64 threshold_ = 0;
  std::array<u64, kWords> pending_{};
  std::array<u64, kWords> enabled_{};
};

std::vector<Register> Imsic::make_rows(u32 files) {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/irq/imsic.def"
#undef REG
  };
}

Imsic::Imsic(std::string name, const std::vector<IrqLine>& pins)
    : RegisterDevice(std::move(name), make_rows(static_cast<u32>(pins.size()))) {
  for (const IrqLine& pin : pins) files_.push_back(std::make_unique<File>(pin));
}

Imsic::~Imsic() = default;

InterruptFile& Imsic::file(u32 hart) { return *files_.at(hart); }

void Imsic::send(u32 hart, u32 identity) {
  if (!files_.at(hart)->send(identity)) log(Log::guest_error, "{}: message with identity {}", name(), identity);
}

// Interrupts between harts are written here: they need not wait for each other at the map's lock.
void Imsic::write(u64 offset, u64 value, const Access& access) {
  if (access.size == 4 && offset % kPageSize == 0 && offset / kPageSize < files_.size())
    return send(static_cast<u32>(offset / kPageSize), static_cast<u32>(value));
  RegisterDevice::write(offset, value, access);
}

void Imsic::reset() {
  reset_registers();
  for (const auto& file : files_) file->reset();
}

void Imsic::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  for (u32 i = 0; i < files_.size(); ++i) files_[i]->visit_state(i, visitor);
}

}  // namespace pagoda
