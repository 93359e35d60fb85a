// SPDX-License-Identifier: MIT
// MSI-X vectors.
#include "devices/pci/msix.h"

#include <utility>

#include "base/check.h"

namespace pagoda {

std::vector<Register> Msix::make_rows(u32 vectors) {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/pci/msix.def"
#undef REG
  };
}

Msix::Msix(std::string name, u32 vectors, Send send)
    : RegisterDevice(std::move(name), make_rows(vectors)),
      vectors_(vectors),
      send_(std::move(send)),
      pending_(vectors) {
  CHECK(vectors >= 1 && vectors <= kMaxVectors);
}

void Msix::send(u32 vector) {
  const u64 address = reg(Reg::msix_address_high, vector) << 32 | reg(Reg::msix_address_low, vector);
  send_(address, static_cast<u32>(reg(Reg::msix_data, vector)));
}

void Msix::notify(u32 vector) {
  const std::lock_guard lock(mutex_);
  if (!enabled_ || vector >= vectors_) return;
  if (is_masked(vector)) {
    pending_[vector] = true;
  } else {
    send(vector);
  }
}

void Msix::set_control(bool enabled, bool masked) {
  const std::lock_guard lock(mutex_);
  enabled_ = enabled;
  masked_ = masked;
  send_pending();
}

void Msix::control_written(u32 /*vector*/, u64 /*value*/) { send_pending(); }

void Msix::send_pending() {
  if (!enabled_) return;
  for (u32 vector = 0; vector < vectors_; ++vector) {
    if (!pending_[vector] || is_masked(vector)) continue;
    pending_[vector] = false;
    send(vector);
  }
}

u64 Msix::pending(u32 index) const {
  u64 bits = 0;
  for (u32 vector = 64 * index; vector < vectors_ && vector < 64 * (index + 1); ++vector)
    bits |= u64{pending_[vector]} << vector % 64;
  return bits;
}

void Msix::reset() {
  const std::lock_guard lock(mutex_);
  reset_registers();
  enabled_ = masked_ = false;
  pending_.assign(vectors_, false);
}

void Msix::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  for (u32 index = 0; index < (vectors_ + 63) / 64; ++index) {
    u64 bits = pending(index);
    visitor.field(fmt::format("msix_pending{}", index), bits);
    for (u32 vector = 64 * index; vector < vectors_ && vector < 64 * (index + 1); ++vector)
      pending_[vector] = (bits >> vector % 64 & 1) != 0;
  }
}

}  // namespace pagoda
