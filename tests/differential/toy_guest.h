// SPDX-License-Identifier: MIT
// A guest of slots and 16 KiB of memory, without instructions: what blocks of IR run on to compare tiers.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "ir/random_block.h"
#include "tcg/interp/interp.h"
#include "tcg/light/light.h"
#include "tcg/tier/backend.h"

namespace pagoda {

// Four pages: the first level of the TLB grants reading and writing, only reading, only writing, nothing. What it does
// not grant goes through the slow paths, which here allow everything; some stores there ask to leave behind their
// instruction, and some accesses move the first page to another place in the host's memory, as what happens at a
// safepoint may. Neighbours are no neighbours in the host's memory. The second level of the TLB has all that the first
// one has, which may lack the first two pages.
inline constexpr u64 kToyMemoryBase = 0x100000, kToyMemoryBytes = 0x4000;
inline constexpr u64 kToyPc = 0x7000;

enum class ToySlot : u32 {
  base0,
  base1,
  a0,
  a1,
  a2,
  b0,
  b1,
  w0,
  w1,
  h0,
  h1,
  c0,
  c1,
  t0,
  t1,
  q0,
  q1,
  f0,
  f1,
  s0,
  s1,
  cc,
  v0,
  v1,
  y0,
  count
};

struct ToyState : VcpuFrame {
  u64 base[2], a[3], b[2];
  u32 w[2];
  u16 h[2];
  u8 c[2], t[2];
  alignas(16) u64 q[4];
  u64 f[2];
  u32 s[2];
  u64 cc;
  alignas(16) u64 v[4];
  alignas(32) u64 y[4];
};

ir::SlotTable toy_slots();
HelperTable toy_helpers();

// What a backend's engine has to know of toys.
tier::Setup toy_setup();

// Code memory and stubs for toys; null where executable memory cannot be had.
struct ToyHost {
  std::unique_ptr<CodeMemory> memory;
  std::unique_ptr<light::Stubs> stubs;
  std::unique_ptr<light::Compiler> compiler;
};
std::unique_ptr<ToyHost> make_toy_host();

class Toy {
 public:
  Toy();
  ToyState& state() { return *state_; }

  // Random registers and memory; base registers point into the memory.
  void randomize(ir::Rng& rng);
  // Makes this one's registers and memory those of another.
  void copy_from(const Toy& other);
  // Executes the block on tier 0, lowered as `lowering` does.
  interp::LeaveInfo run(interp::Lowering& lowering, const ir::Block& block);

  // The same on tier 1; false if it has no code for the block.
  bool run_compiled(ToyHost& host, interp::Lowering& lowering, const ir::Block& block);

  // Executes a unit that `engine` compiled.
  void run_on(tier::Engine& engine, Unit& unit);

  // Empty if two that ran the same block ended alike; else what differs, a line each.
  std::string difference(const Toy& other) const;

 private:
  struct Paths;
  friend std::unique_ptr<ToyHost> make_toy_host();
  friend tier::Setup toy_setup();
  struct Frame {  // compiled code finds the table behind the state
    ToyState state;
    TlbTable tlb;
    SecondTlbTable second_tlb;
  };
  static constexpr u32 kPages = kToyMemoryBytes >> kTlbPageBits;
  void prepare();
  void fill_tlb();
  static const HelperFn* helper_functions();
  std::unique_ptr<Frame> frame_;
  ToyState* state_;
  TlbTable* tlb_;
  std::unique_ptr<JumpCacheEntry[]> jump_cache_;
  // By page of the host: the guest's, and one that is out of use.
  alignas(4096) std::array<u8, kToyMemoryBytes + 4096> memory_{};
  std::array<u8, kPages + 1> host_page_{3, 4, 1, 0, 2};  // by page of the guest; the last one is out of use
  std::array<bool, 2> only_second_level_{};              // by page: what the first level lacks at the start
  interp::Leave reason_{};
};

}  // namespace pagoda
