// SPDX-License-Identifier: MIT
// PLIC: gateways, claim and completion, notification.
#include "devices/irq/plic.h"

#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace pagoda {

std::vector<Register> Plic::make_rows(u32 sources, u32 contexts) {
  CHECK(sources >= 2 && sources <= kMaxSources && contexts >= 1 && contexts <= kMaxContexts, "{} sources, {} contexts",
        sources, contexts);
  std::vector<Register> rows = {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/irq/plic.def"
#undef REG
  };
  const auto row = [&](Reg id) -> Register& { return rows[static_cast<u32>(id)]; };
  row(Reg::priority).count = sources - 1;
  row(Reg::pending).count = row(Reg::enable).count = (sources + 31) / 32;
  row(Reg::enable).groups = row(Reg::threshold).count = row(Reg::claim).count = contexts;
  return rows;
}

Plic::Plic(std::string name, u32 sources, std::vector<IrqLine> contexts)
    : RegisterDevice(std::move(name), make_rows(sources, static_cast<u32>(contexts.size()))),
      sources_(sources),
      contexts_(std::move(contexts)),
      outputs_(contexts_.size()),
      levels_(words()),
      in_service_(words()),
      events_(words()),
      event_sources_(words()) {}

// Bits of a word that stand for existing sources.
u32 Plic::valid_bits(u32 word) const {
  u32 bits = word == 0 ? ~u32{1} : ~u32{0};
  if (word + 1 == words() && sources_ % 32 != 0) bits &= (u32{1} << (sources_ % 32)) - 1;
  return bits;
}

void Plic::set_irq(u32 source, bool level) {
  CHECK(source >= 1 && source < sources_, "{}: no interrupt source {}", name(), source);
  const u32 word = source / 32;
  const u32 bit = u32{1} << (source % 32);
  const std::lock_guard lock(mutex_);
  if (!level) {
    levels_[word] &= ~bit;
    return;
  }
  const bool rises = (levels_[word] & bit) == 0;
  levels_[word] |= bit;
  if (rises || (event_sources_[word] & bit) == 0) request(source);
}

void Plic::renew_irq(u32 source) {
  CHECK(source >= 1 && source < sources_, "{}: no interrupt source {}", name(), source);
  const std::lock_guard lock(mutex_);
  const u32 bit = u32{1} << (source % 32);
  if ((event_sources_[source / 32] & levels_[source / 32] & bit) != 0) request(source);
}

IrqLine Plic::event_input(u32 source) {
  CHECK(source >= 1 && source < sources_, "{}: no interrupt source {}", name(), source);
  event_sources_[source / 32] |= u32{1} << (source % 32);
  return {this, source};
}

// What a gateway does with its source's condition.
void Plic::request(u32 source) {
  const u32 word = source / 32;
  const u32 bit = u32{1} << (source % 32);
  if ((in_service_[word] & bit) != 0) {
    events_[word] |= bit;
  } else if ((reg(Reg::pending, word) & bit) == 0) {
    reg(Reg::pending, word) |= bit;
    update();
  }
}

// What a claim returns: the pending and enabled source of the highest priority, the lowest number among equals; 0 if
// none. The threshold has no say in it (1.0.0, "Interrupt Claim Process").
u64 Plic::best_source(u32 context) const {
  u64 best = 0;
  u64 best_priority = 0;
  for (u32 word = 0; word < words(); ++word) {
    for (u64 bits = reg(Reg::pending, word) & reg(Reg::enable, context * words() + word); bits != 0; bits &= bits - 1) {
      const u32 source = word * 32 + static_cast<u32>(__builtin_ctzll(bits));
      const u64 priority = reg(Reg::priority, source - 1);
      if (priority <= best_priority) continue;
      best = source;
      best_priority = priority;
    }
  }
  return best;
}

u64 Plic::claim_source(u32 context) {
  const u64 source = best_source(context);
  if (source == 0) return 0;
  const u32 bit = u32{1} << (source % 32);
  reg(Reg::pending, static_cast<u32>(source / 32)) &= ~u64{bit};
  in_service_[source / 32] |= bit;
  events_[source / 32] &= ~bit;
  update();
  return source;
}

void Plic::complete(u32 context, u64 source) {
  if (source == 0 || source >= sources_) {
    log(Log::guest_error, "{}: context {} completes interrupt {}, which does not exist", name(), context, source);
    return;
  }
  const u32 word = static_cast<u32>(source / 32);
  const u32 bit = u32{1} << (source % 32);
  // Ignored unless the source is enabled for this context (1.0.0, "Interrupt Completion").
  if ((reg(Reg::enable, context * words() + word) & bit) == 0 || (in_service_[word] & bit) == 0) return;
  in_service_[word] &= ~bit;
  const u32 asks = levels_[word] & (events_[word] | ~event_sources_[word]);
  if ((asks & bit) != 0) reg(Reg::pending, word) |= bit;
  update();
}

void Plic::enable_written(u32 index, u64 value) {
  reg(Reg::enable, index) = value & valid_bits(index % words());
  update();
}

void Plic::update() {
  for (u32 context = 0; context < contexts_.size(); ++context) {
    const u64 source = best_source(context);
    const bool level = source != 0 && reg(Reg::priority, static_cast<u32>(source - 1)) > reg(Reg::threshold, context);
    if (level == outputs_[context]) continue;
    outputs_[context] = level;
    contexts_[context].set(level);
  }
}

void Plic::reset() {
  const std::lock_guard lock(mutex_);
  reset_registers();
  levels_.assign(words(), 0);
  in_service_.assign(words(), 0);
  events_.assign(words(), 0);
  update();
}

void Plic::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  for (u32 word = 0; word < words(); ++word) {
    visitor.field(fmt::format("level[{}]", word), levels_[word]);
    visitor.field(fmt::format("in_service[{}]", word), in_service_[word]);
    visitor.field(fmt::format("events[{}]", word), events_[word]);
  }
}

void Plic::state_restored() {
  const std::lock_guard lock(mutex_);
  for (u32 word = 0; word < words(); ++word) {  // a damaged file must not name sources that are not there
    reg(Reg::pending, word) &= valid_bits(word);
    levels_[word] &= valid_bits(word);
    in_service_[word] &= valid_bits(word);
    events_[word] &= valid_bits(word);
  }
  for (u32 index = 0; index < contexts_.size() * words(); ++index)
    reg(Reg::enable, index) &= valid_bits(index % words());
  // The far ends of the lines do not know what was restored here.
  for (u32 context = 0; context < contexts_.size(); ++context) {
    outputs_[context] = false;
    contexts_[context].set(false);
  }
  update();
}

}  // namespace pagoda
