// SPDX-License-Identifier: MIT
// Aplic: one domain of an advanced platform-level interrupt controller (RISC-V Advanced Interrupt Architecture 1.0,
// chapter 4): wires come in; interrupts go out as pins of harts (direct) or as messages to their IMSICs.
//
// The root domain has the wires. A source it delegates belongs to its one child from then on. Where messages go is
// wired: the address registers can be read and are locked. Threading: set_irq from any thread, under the caller's lock;
// pins and messages are driven under the domain's lock. Lock order: root domain -> child -> IMSIC.
#pragma once

#include <functional>
#include <vector>

#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class Aplic final : public RegisterDevice, public IrqSink {
 public:
  static constexpr u64 kWindowSize = 0x8000;
  static constexpr u32 kMaxHarts = 512;  // whose delivery controls fit into the window
  // Sends a message with this identity to the hart's file at the domain's level.
  using Message = std::function<void(u32 hart, u32 identity)>;
  struct Wiring {
    u32 sources = 0;            // source 0 included, which does not exist
    std::vector<IrqLine> pins;  // of each hart, for direct delivery
    Message message;            // empty: there is direct delivery only, else messages only
    Aplic* child = nullptr;     // the domain that sources can be delegated to
    bool is_root = true;
    // What the address registers say: first page of the harts' files at machine and at supervisor level.
    u64 machine_files = 0;
    u64 supervisor_files = 0;
  };
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/irq/aplic.def"
#undef REG
  };

  Aplic(std::string name, Wiring wiring);

  void set_irq(u32 source, bool level) override;
  IrqLine input(u32 source) { return {this, source}; }

  void reset() override;
  void visit_state(StateVisitor& visitor) override;

 private:
  struct Source {
    u16 config = 0;
    bool is_ours = false;  // delegated to this domain; the root has all to begin with
    bool input = false;    // the wire
    bool pending = false;
    bool enabled = false;
    u32 target = 0;
  };
  static std::vector<Register> make_rows(u32 sources, u32 harts, bool messages);
  bool sends_messages() const { return wiring_.message != nullptr; }
  static bool is_active(const Source& source);
  static bool is_level(const Source& source);
  static bool rectified(const Source& source);
  void take_over(u32 source, bool is_ours, bool level);
  void set_input(Source& source, bool level);
  void set_pending(u32 source);
  void clear_pending(u32 source);
  void set_enabled(u32 source, bool enabled);
  void update();
  void update_hart(u32 hart);
  template <class Change>
  void each_of(u32 word, u64 bits, Change change);

  u64 domaincfg() const;
  void write_domaincfg(u64 value);
  u64 sourcecfg(u32 index) const { return sources_[index + 1].config; }
  void write_sourcecfg(u32 index, u64 value);
  u64 msi_address(u32 index) const;
  u64 pending_word(u32 word) const;
  u64 input_word(u32 word) const;
  u64 enabled_word(u32 word) const;
  void set_pending_word(u32 word, u64 bits);
  void clear_pending_word(u32 word, u64 bits);
  void set_enabled_word(u32 word, u64 bits);
  void clear_enabled_word(u32 word, u64 bits);
  void set_pending_number(u64 source);
  void set_pending_number_swapped(u64 source) { set_pending_number(__builtin_bswap32(static_cast<u32>(source))); }
  void clear_pending_number(u64 source);
  void set_enabled_number(u64 source);
  void clear_enabled_number(u64 source);
  void generate_message(u64 value);
  u64 target(u32 index) const { return sources_[index + 1].target; }
  void write_target(u32 index, u64 value);
  u64 top(u32 hart) const;
  u64 claim(u32 hart);

  const Wiring wiring_;
  bool enabled_ = false;  // domaincfg.IE
  std::vector<Source> sources_;
};

}  // namespace pagoda
