// SPDX-License-Identifier: MIT
// PLIC: the platform-level interrupt controller of RISC-V machines.
//
// Behaviour after "RISC-V Platform-Level Interrupt Controller Specification" 1.0.0, chapters 3 to 9; layout of SiFive's
// PLIC, as QEMU's `virt` machine has it. A gateway (1.0.0, "Interrupt Gateways") forwards one request and waits for
// completion; a request once made stays when the wire falls. Which condition makes the next one is the source's:
// * Level: the wire is high at completion. So a device that is not satisfied interrupts again.
// * Events: the wire rose, or was renewed, since the claim, and is high at completion. So a device that a driver leaves
//   asserted interrupts once for each event and does not storm, and what arrives during service is not lost. At most
//   one event is remembered.
// Priorities are 0 (never interrupts) to 7. A context is one output: by convention M and S mode of each hart in turn.
// Threading: set_irq from any thread, under the caller's lock; outputs are driven under the PLIC's lock.
#pragma once

#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class Plic final : public RegisterDevice, public IrqSink {
 public:
  static constexpr u32 kMaxSources = 1024;  // source 0 included, which does not exist
  static constexpr u32 kMaxContexts = 15872;
  static constexpr u64 kMaxPriority = 7;
  static constexpr u64 window_size(u32 contexts) { return 0x20'0000 + u64{contexts} * 0x1000; }

  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/irq/plic.def"
#undef REG
  };

  // `sources` counts the nonexistent source 0 (96 on `virt`, whose device tree says ndev 95); one line per context.
  Plic(std::string name, u32 sources, std::vector<IrqLine> contexts);

  void set_irq(u32 source, bool level) override;
  void renew_irq(u32 source) override;
  // The wire of a level source.
  IrqLine input(u32 source) { return {this, source}; }
  // The wire of a source that becomes one of events. Only while the machine is being built.
  IrqLine event_input(u32 source);

  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 private:
  static std::vector<Register> make_rows(u32 sources, u32 contexts);
  u32 words() const { return (sources_ + 31) / 32; }
  u32 valid_bits(u32 word) const;
  u64 best_source(u32 context) const;
  u64 claim_source(u32 context);
  void complete(u32 context, u64 source);
  void request(u32 source);
  void enable_written(u32 index, u64 value);
  void update();

  u32 sources_;
  std::vector<IrqLine> contexts_;
  std::vector<bool> outputs_;
  // A bit per source:
  std::vector<u32> levels_;         // the wire
  std::vector<u32> in_service_;     // claimed, not yet completed
  std::vector<u32> events_;         // an event since the claim
  std::vector<u32> event_sources_;  // how the source is wired
};

}  // namespace pagoda
