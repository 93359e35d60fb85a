// SPDX-License-Identifier: MIT
// Sources, delegation, delivery.
#include "devices/irq/aplic.h"

#include <bit>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {
namespace {

constexpr u64 kInterruptEnable = 1 << 8;  // domaincfg
constexpr u64 kMessages = 1 << 2;
constexpr u64 kDomainFixed = 0x8000'0000;
constexpr u16 kDelegate = 1 << 10;  // sourcecfg
constexpr u16 kModeMask = 7;
constexpr u16 kDetached = 1, kRisingEdge = 4, kFallingEdge = 5, kLevelHigh = 6, kLevelLow = 7;
constexpr u32 kHartShift = 18;  // target and genmsi
constexpr u32 kIdentityMask = 0x7ff;
constexpr u32 kPriorityMask = 0xff;
constexpr u64 kAddressLock = u64{1} << 31;  // msiaddrcfgh

}  // namespace

std::vector<Register> Aplic::make_rows(u32 sources, u32 harts, bool messages) {
  const u32 words = (sources + 31) / 32;
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/irq/aplic.def"
#undef REG
  };
}

Aplic::Aplic(std::string name, Wiring wiring)
    : RegisterDevice(std::move(name),
                     make_rows(wiring.sources, static_cast<u32>(wiring.pins.size()), wiring.message != nullptr)),
      wiring_(std::move(wiring)),
      sources_(wiring_.sources) {
  CHECK(wiring_.sources >= 2 && wiring_.sources <= 1024 && !wiring_.pins.empty() && wiring_.pins.size() <= kMaxHarts);
  for (Source& source : sources_) source.is_ours = wiring_.is_root;
}

bool Aplic::is_active(const Source& source) {
  return source.is_ours && (source.config & kDelegate) == 0 && (source.config & kModeMask) != 0;
}
bool Aplic::is_level(const Source& source) { return (source.config & kModeMask) >= kLevelHigh; }

// The wire as the mode understands it: true asks for attention (4.5.2). Nothing comes in where it is detached.
bool Aplic::rectified(const Source& source) {
  const u16 mode = source.config & kModeMask;
  if (!is_active(source) || mode == kDetached) return false;
  return source.input != (mode == kFallingEdge || mode == kLevelLow);
}

void Aplic::set_irq(u32 number, bool level) {
  const std::lock_guard lock(mutex_);
  CHECK(number > 0 && number < sources_.size(), "{}: source {}", name(), number);
  Source& source = sources_[number];
  if ((source.config & kDelegate) != 0) wiring_.child->take_over(number, true, level);
  set_input(source, level);
  update();
}

// 4.7: edges make a source pending; a level is the pending bit itself if delivery is direct.
void Aplic::set_input(Source& source, bool level) {
  const bool before = rectified(source);
  source.input = level;
  const bool now = rectified(source);
  if (!is_active(source)) return;
  if (now && !before) source.pending = true;
  if (!now && is_level(source)) source.pending = false;
}

// The parent's lock is held.
void Aplic::take_over(u32 number, bool is_ours, bool level) {
  const std::lock_guard lock(mutex_);
  Source& source = sources_[number];
  if (source.is_ours != is_ours) source = Source{.is_ours = is_ours};
  set_input(source, level);
  update();
}

void Aplic::set_pending(u32 number) {
  if (number == 0 || number >= sources_.size()) return;
  Source& source = sources_[number];
  if (!is_active(source)) return;
  // A level cannot be made up: with messages it is sent again if it is there, else the bit is the wire (4.7).
  if (!is_level(source) || (sends_messages() && rectified(source))) source.pending = true;
}

void Aplic::clear_pending(u32 number) {
  if (number == 0 || number >= sources_.size()) return;
  Source& source = sources_[number];
  if (!is_level(source) || sends_messages()) source.pending = false;
}

void Aplic::set_enabled(u32 number, bool enabled) {
  if (number == 0 || number >= sources_.size()) return;
  sources_[number].enabled = enabled && is_active(sources_[number]);
}

// Sends what is to be sent, or drives all pins.
void Aplic::update() {
  if (!sends_messages()) {
    for (u32 hart = 0; hart < wiring_.pins.size(); ++hart) update_hart(hart);
    return;
  }
  if (!enabled_) return;
  for (Source& source : sources_) {
    if (!source.pending || !source.enabled) continue;
    source.pending = false;
    const u32 hart = source.target >> kHartShift;
    if (hart < wiring_.pins.size()) wiring_.message(hart, source.target & kIdentityMask);
  }
}

void Aplic::update_hart(u32 hart) {
  if (sends_messages()) return;
  const bool wanted = (reg(Reg::iforce, hart) & 1) != 0 || top(hart) != 0;
  wiring_.pins[hart].set(enabled_ && (reg(Reg::idelivery, hart) & 1) != 0 && wanted);
}

u64 Aplic::domaincfg() const {
  return kDomainFixed | (enabled_ ? kInterruptEnable : 0) | (sends_messages() ? kMessages : 0);
}

void Aplic::write_domaincfg(u64 value) {
  enabled_ = (value & kInterruptEnable) != 0;
  update();
}

void Aplic::write_sourcecfg(u32 index, u64 value) {
  const u32 number = index + 1;
  Source& source = sources_[number];
  if (!source.is_ours) return;
  u16 config = 0;
  if ((value & kDelegate) != 0) {
    if (wiring_.child != nullptr) config = kDelegate;  // to child 0
  } else {
    const u16 mode = value & kModeMask;
    if (mode == kDetached || mode >= kRisingEdge) config = mode;
  }
  const bool was_delegated = (source.config & kDelegate) != 0;
  const bool is_delegated = (config & kDelegate) != 0;
  const bool was_active = is_active(source);
  source.config = config;
  if (was_delegated != is_delegated) wiring_.child->take_over(number, is_delegated, source.input);
  if (!is_active(source)) {
    source.pending = source.enabled = false;
    source.target = 0;
  } else {
    if (!was_active) source.target = sends_messages() ? 0 : 1;
    if (is_level(source)) source.pending = rectified(source);
  }
  update();
}

// mmsiaddrcfg, mmsiaddrcfgh, smsiaddrcfg, smsiaddrcfgh of the root domain: page number of hart 0's file, the width of
// the hart's number in it, the lock. Other domains have none (4.5.3).
u64 Aplic::msi_address(u32 index) const {
  if (!wiring_.is_root || !sends_messages()) return 0;
  const u64 page = (index < 2 ? wiring_.machine_files : wiring_.supervisor_files) >> 12;
  if (index % 2 == 0) return page & 0xffff'ffff;
  const u64 width = std::bit_width(wiring_.pins.size() - 1);
  return index == 1 ? kAddressLock | width << 12 | page >> 32 : page >> 32;
}

template <class Change>
void Aplic::each_of(u32 word, u64 bits, Change change) {
  for (u32 bit = 0; bit < 32; ++bit) {
    if ((bits >> bit & 1) != 0) change(32 * word + bit);
  }
  update();
}

u64 Aplic::pending_word(u32 word) const {
  u64 bits = 0;
  for (u32 i = 32 * word; i < sources_.size() && i < 32 * (word + 1); ++i) bits |= u64{sources_[i].pending} << i % 32;
  return bits;
}
u64 Aplic::input_word(u32 word) const {
  u64 bits = 0;
  for (u32 i = 32 * word; i < sources_.size() && i < 32 * (word + 1); ++i)
    bits |= u64{rectified(sources_[i])} << i % 32;
  return bits;
}
u64 Aplic::enabled_word(u32 word) const {
  u64 bits = 0;
  for (u32 i = 32 * word; i < sources_.size() && i < 32 * (word + 1); ++i) bits |= u64{sources_[i].enabled} << i % 32;
  return bits;
}

void Aplic::set_pending_word(u32 word, u64 bits) {
  each_of(word, bits, [this](u32 source) { set_pending(source); });
}
void Aplic::clear_pending_word(u32 word, u64 bits) {
  each_of(word, bits, [this](u32 source) { clear_pending(source); });
}
void Aplic::set_enabled_word(u32 word, u64 bits) {
  each_of(word, bits, [this](u32 source) { set_enabled(source, true); });
}
void Aplic::clear_enabled_word(u32 word, u64 bits) {
  each_of(word, bits, [this](u32 source) { set_enabled(source, false); });
}
void Aplic::set_pending_number(u64 source) {
  set_pending(static_cast<u32>(source));
  update();
}
void Aplic::clear_pending_number(u64 source) {
  clear_pending(static_cast<u32>(source));
  update();
}
void Aplic::set_enabled_number(u64 source) {
  set_enabled(static_cast<u32>(source), true);
  update();
}
void Aplic::clear_enabled_number(u64 source) {
  set_enabled(static_cast<u32>(source), false);
  update();
}

void Aplic::generate_message(u64 value) {
  const u32 hart = static_cast<u32>(value) >> kHartShift;
  if (sends_messages() && enabled_ && hart < wiring_.pins.size())
    wiring_.message(hart, static_cast<u32>(value) & kIdentityMask);
}

void Aplic::write_target(u32 index, u64 value) {
  Source& source = sources_[index + 1];
  if (!is_active(source)) return;
  const u32 hart = static_cast<u32>(value) >> kHartShift;
  if (hart >= wiring_.pins.size()) {
    log(Log::guest_error, "{}: source {} for hart {}, which does not exist", name(), index + 1, hart);
    return;
  }
  u32 low = static_cast<u32>(value) & (sends_messages() ? kIdentityMask : kPriorityMask);
  if (!sends_messages() && low == 0) low = 1;  // no priority is 0
  source.target = hart << kHartShift | low;
  update();
}

// The hart's most urgent source: its number in the upper half, its priority below; 0 for none (4.8.1.5).
u64 Aplic::top(u32 hart) const {
  if (sends_messages()) return 0;
  const u64 threshold = reg(Reg::ithreshold, hart);
  u32 best = 0;
  u32 best_priority = kPriorityMask + 1;
  for (u32 i = 1; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    const u32 priority = source.target & kPriorityMask;
    if (!source.pending || !source.enabled || source.target >> kHartShift != hart || priority >= best_priority)
      continue;
    if (threshold != 0 && priority >= threshold) continue;
    best = i;
    best_priority = priority;
  }
  return best == 0 ? 0 : u64{best} << 16 | best_priority;
}

u64 Aplic::claim(u32 hart) {
  const u64 claimed = top(hart);
  if (claimed == 0) {
    reg(Reg::iforce, hart) = 0;
  } else {
    clear_pending(static_cast<u32>(claimed >> 16));
  }
  update_hart(hart);
  return claimed;
}

void Aplic::reset() {
  const std::lock_guard lock(mutex_);
  reset_registers();
  enabled_ = false;
  for (Source& source : sources_) source = Source{.is_ours = wiring_.is_root};
  update();
}

void Aplic::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  visitor.field("enabled", enabled_);
  for (u32 i = 1; i < sources_.size(); ++i) {
    Source& source = sources_[i];
    const auto field = [&](std::string_view name, auto& value) {
      visitor.field(fmt::format("source{}.{}", i, name), value);
    };
    field("config", source.config);
    field("is_ours", source.is_ours);
    field("input", source.input);
    field("pending", source.pending);
    field("enabled", source.enabled);
    field("target", source.target);
    source.config &= wiring_.child != nullptr ? kDelegate | kModeMask : kModeMask;
  }
  if (!sends_messages()) update();
}

}  // namespace pagoda
