// SPDX-License-Identifier: MIT
// Tier 0 against itself on random instruction sequences: whole blocks with all fusions and forwarded state, against
// blocks without, against one instruction a block, against tier 1. They run in the machine, with traps, interrupts and
// exact counts.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/fp_state.h"
#include "differential/generator.h"
#include "unit/riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kHandler = kRam, kCode = kRam + 0x200000, kCodeBytes = 0x4000, kData = kRam + 0x300000,
              kDataBytes = 0x2000;
constexpr u64 kTvec = 0x305, kPmpcfg0 = 0x3a0, kPmpaddr0 = 0x3b0, kMhpmevent3 = 0x323, kMhpmcounter3 = 0xb03,
              kMie = 0x304;
// Hold addresses of data and are not written by the sequences: all that x8..x15 of compressed ones and sp can reach.
constexpr u32 kBases[] = {2, 8, 9};
// CSRs that a sequence can use without losing its trap handler.
constexpr u32 kCsrs[] = {0x001, 0x002, 0x003, 0x100, 0x104, 0x106, 0x140, 0x141, 0x142, 0x143, 0x144, 0x300, 0x301,
                         0x304, 0x306, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0xb00, 0xb02, 0xc00, 0xc01, 0xc02,
                         0x7ff, 0x10c, 0x30c, 0x321, 0x322, 0x323, 0x323, 0x324, 0xb03, 0xb03, 0xb04, 0xc03, 0xda0};

// A trap goes on 4 bytes behind what it was taken at, which may well be inside an instruction.
constexpr u32 kHandlerCode[] = {
    0x340f9ff3,            // csrrw x31, mscratch, x31
    0x34102ff3 | 31 << 7,  // csrrs x31, mepc, x0
    0x004f8f93,            // addi x31, x31, 4
    0x341f9073,            // csrrw x0, mepc, x31
    0x340f9ff3,            // csrrw x31, mscratch, x31
    0x30200073,            // mret
};

bool is_base(u32 reg) { return reg == kBases[0] || reg == kBases[1] || reg == kBases[2]; }

struct Sequence {
  u64 pc;
  std::vector<u8> bytes;
  std::vector<std::pair<u32, u32>> words;  // offset, word
  u64 x[32], f[32];
  u8 frm, flags;
  u64 fs;
  i64 count;       // instructions to run
  i64 first_part;  // of them, for the sides that run in two goes
  u64 data_seed;
};

class Maker {
 public:
  explicit Maker(u64 seed) : rng_(seed) {
    for (const InsnRow& row : insn_rows()) {
      const std::string_view name = row.name;
      if (name != "wfi" && !is_reserved(row)) rows_.push_back(&row);
    }
  }

  Sequence make() {
    Sequence s{};
    const u32 length = 1 + below(14);
    for (u32 i = 0; i < length; ++i) {
      const u32 word = draw();
      s.words.push_back({static_cast<u32>(s.bytes.size()), word});
      for (u32 k = 0; k < instruction_bytes(word); ++k) s.bytes.push_back(static_cast<u8>(word >> 8 * k));
    }
    s.pc = kCode + (below(4) == 0 ? 0x1000 - 2 * below(length + 1) : 2 * below(64));
    for (u64& x : s.x) x = random_integer(rng_);
    for (const u32 base : kBases)
      s.x[base] = kData + (below(4) == 0 ? rng_() % kDataBytes : kDataBytes / 2 + 8 * below(64) - 256);
    s.x[0] = 0;
    random_floats(rng_, 64, s.f, 16);
    random_floats(rng_, 32, s.f + 16, 16);
    s.frm = static_cast<u8>(below(8));
    s.flags = static_cast<u8>(below(4) == 0 ? below(32) : 0);
    constexpr u64 kClean = status::kFs & (0 - status::kFs);
    s.fs = below(8) == 0 ? 0 : kClean << below(2) | (below(2) == 0 ? status::kFs : 0);
    s.count = 1 + below(below(3) == 0 ? 200 : length + 4);
    s.first_part = 1 + below(static_cast<u64>(s.count));
    s.data_seed = rng_();
    return s;
  }

 private:
  u32 below(u64 n) { return static_cast<u32>(rng_() % n); }

  u32 draw() {
    for (;;) {
      const InsnRow& row = *rows_[below(rows_.size())];
      const RowPlan plan(row);
      // Few registers, so that what one instruction writes another reads.
      RegisterChoice choice;
      for (int* reg : {&choice.a, &choice.b, &choice.c, &choice.d})
        *reg = below(4) == 0 ? -1 : 8 + static_cast<int>(below(6));
      if (plan.is_csr || plan.is_relative) choice.b = -1;
      if (plan.is_memory) choice.a = static_cast<int>(kBases[below(3)]);
      std::optional<u32> word = random_instruction(row, rng_, choice);
      if (!word) continue;
      if (plan.rounds && below(4) != 0) word = set_pattern_field(row.pattern, 'm', below(2) == 0 ? 7 : below(5), *word);
      if (plan.is_csr) word = set_pattern_field(row.pattern, 'i', kCsrs[below(std::size(kCsrs))], *word);
      Insn insn;
      if (!decode(*word, kAllExtensions, insn) || insn.row != &row) continue;
      const std::string_view operands = format_info(row.format).operands;
      if (operands.find('d') != std::string_view::npos && is_base(insn.rd)) continue;
      if (plan.is_memory && !is_base(insn.rs1)) continue;
      // Mostly to somewhere near.
      if (plan.is_relative && (insn.immediate < -32 || insn.immediate > 32) && below(64) != 0) continue;
      return *word;
    }
  }

  Rng rng_;
  std::vector<const InsnRow*> rows_;
};

// Names and values of all that a hart has.
struct Collector final : StateVisitor {
  void scalar(std::string_view name, void* data, u32 size) override {
    u64 value = 0;
    std::memcpy(&value, data, size);
    values.push_back({std::string(name), value});
  }
  void bytes(std::string_view, std::vector<u8>*) override {}
  std::vector<std::pair<std::string, u64>> values;
};

class Side {
 public:
  Side(const CodeOptions& options, bool in_parts)
      : in_parts_(in_parts), bench_("rv64,sscofpmf=on,smcntrpmf=on,smstateen=on", options), data_(kDataBytes) {
    put(kHandler, kHandlerCode, sizeof kHandlerCode);
  }

  void run(const Sequence& s) {
    put(kCode, std::vector<u8>(0x2000).data(), 0x2000);
    put(s.pc, s.bytes.data(), s.bytes.size());
    Rng rng(s.data_seed);
    for (u64 i = 0; i < kDataBytes; i += 8) {
      const u64 value = i % 16 == 0 ? random_integer(rng) : random_float(rng, i % 32 == 8 ? 32 : 64);
      std::memcpy(&data_[i], &value, 8);
    }
    put(kData, data_.data(), kDataBytes);

    Hart& hart = bench_.hart();
    bench_.vcpu->reset();
    std::memcpy(hart.x, s.x, sizeof hart.x);
    std::memcpy(hart.f, s.f, sizeof hart.f);
    hart.frm = s.frm;
    hart.fp_control = fp_control(s.frm, s.flags);
    hart.mstatus |= s.fs;
    bench_.write(kTvec, kHandler);
    // Code cannot be written, data not be executed, nothing else be reached, whatever the sequence makes of its bases.
    const auto region = [](u64 base, u64 size) { return (base | (size / 2 - 1)) >> 2; };
    bench_.write(kPmpaddr0, region(kHandler, 0x1000));
    bench_.write(kPmpaddr0 + 1, region(kCode, kCodeBytes));
    bench_.write(kPmpaddr0 + 2, region(kData, kDataBytes));
    bench_.write(kPmpaddr0 + 3, ~u64{0});
    bench_.write(kPmpcfg0, 0x989b9d9d);
    // A counter that will overflow, at times with its interrupt on.
    bench_.write(kMhpmevent3, (s.data_seed & 7) << 60 | (1 + (s.data_seed >> 3 & 1)));
    bench_.write(kMhpmcounter3, 0 - (s.data_seed >> 4 & 63));
    if ((s.data_seed >> 10 & 7) == 0) {
      bench_.write(kMie, irq::kLcofip);
      hart.mstatus |= status::kMie;
    }
    hart.pc = s.pc;
    update_mode(*bench_.vcpu, hart);

    const i64 parts[] = {in_parts_ ? s.first_part : s.count, in_parts_ ? s.count - s.first_part : 0};
    for (const i64 part : parts) {
      if (part != 0) CHECK(bench_.vcpu->run(part) == Vcpu::Stop::budget);
    }
    // What became due with the last instruction is noticed when the vcpu goes on, or was, if it looked for another
    // reason.
    bench_.vcpu->guest().until_event(*bench_.vcpu);
    CHECK(bench_.memory.read(GuestPhys(kData), std::as_writable_bytes(std::span(data_))));
  }

  std::string difference(Side& other) {
    std::string text;
    Collector mine, theirs;
    visit_hart(*bench_.vcpu, mine);
    visit_hart(*other.bench_.vcpu, theirs);
    for (std::size_t i = 0; i < mine.values.size(); ++i) {
      const auto& [name, value] = mine.values[i];
      if (value != theirs.values[i].second)
        text += fmt::format("  {}: {:#x}, {:#x}\n", name, value, theirs.values[i].second);
    }
    for (u64 i = 0; i < kDataBytes; ++i) {
      if (data_[i] != other.data_[i])
        text += fmt::format("  data + {:#x}: {:#x}, {:#x}\n", i, data_[i], other.data_[i]);
    }
    return text;
  }
  u64 code_bytes() { return bench_.code->statistics().code_bytes; }
  // What the test reached: traps taken last.
  u64 cause() { return bench_.hart().mcause; }

 private:
  void put(u64 address, const void* from, u64 size) {
    CHECK(bench_.memory.write(GuestPhys(address), std::as_bytes(std::span(static_cast<const u8*>(from), size))));
  }

  const bool in_parts_;
  Bench bench_;
  std::vector<u8> data_;
};

std::string describe(const Sequence& s) {
  std::string text = fmt::format("  {} instructions, the first part {}\n", s.count, s.first_part);
  for (const auto& [offset, word] : s.words) {
    text += fmt::format("  {:#x}: {:08x}  {}\n", s.pc + offset, word, disassemble(word, s.pc + offset));
  }
  return text;
}

TEST(Sequences, FusedOrNotOrOneByOneOrCompiled) {
  // Until so many sequences and so many instructions on each side are done.
  const char *seed_text = std::getenv("PAGODA_SEED"), *count_text = std::getenv("PAGODA_SEQUENCE_INSTRUCTIONS");
  const u64 seed = seed_text != nullptr ? std::strtoull(seed_text, nullptr, 0) : 1;
  const u64 least_instructions = count_text != nullptr ? std::strtoull(count_text, nullptr, 0) : 0;
  constexpr u32 kSequences = 12'000;
  Maker maker(seed);
  Side fused({}, true), plain({.fusions = 0, .forward_state = false}, false),
      single({.fusions = 0, .max_block_insns = 1, .forward_state = false}, false),
      compiled({.max_tier = 1, .min_tier = 1}, true);
  u64 causes[16] = {}, overflows = 0, instructions = 0;
  u32 n = 0;
  for (; n < kSequences || instructions < least_instructions; ++n) {
    const Sequence s = maker.make();
    instructions += static_cast<u64>(s.count);
    fused.run(s);
    plain.run(s);
    single.run(s);
    compiled.run(s);
    const std::string from_plain = fused.difference(plain), from_single = plain.difference(single);
    ASSERT_TRUE(from_plain.empty()) << "seed " << seed << ", sequence " << n << ", fused against plain\n"
                                    << from_plain << describe(s);
    ASSERT_TRUE(from_single.empty()) << "seed " << seed << ", sequence " << n
                                     << ", blocks against single instructions\n"
                                     << from_single << describe(s);
    const std::string from_compiled = fused.difference(compiled);
    ASSERT_TRUE(from_compiled.empty()) << "seed " << seed << ", sequence " << n << ", tier 0 against tier 1\n"
                                       << from_compiled << describe(s);
    if (single.cause() < std::size(causes)) ++causes[single.cause()];
    overflows += single.cause() == (cause::kInterrupt | irq::kLcofi) ? 1 : 0;
  }
  std::printf("%u sequences, %llu instructions on each side\n", n, static_cast<unsigned long long>(instructions));
  EXPECT_GT(compiled.code_bytes(), 0u) << "tier 1 compiled nothing";
  EXPECT_GT(overflows, 100u);
  // Illegal instructions, breakpoints, misaligned atomics, access faults, calls: all of them happened.
  for (const u32 cause : {1, 2, 3, 5, 6, 7, 11}) EXPECT_GT(causes[cause], 10u) << cause;
}

}  // namespace
}  // namespace pagoda::riscv64
