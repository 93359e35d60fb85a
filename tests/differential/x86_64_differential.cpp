// SPDX-License-Identifier: MIT
// x86-64 instructions on all tiers against the host processor.
//
// PAGODA_X86_CASES: executions a form on each side (quick: 60, long suite: 20000); PAGODA_X86_SEQUENCES; PAGODA_SEED;
// PAGODA_X86_ROW: only rows with this mnemonic; PAGODA_X86_TABLE: a file for the table of forms with their counts. The
// host executes the instruction itself, so what it lacks is left out by name.
#include <cpuid.h>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/x86_64/disassembler.h"
#include "cpu/x86_64/processor.h"
#include "differential/x86_64_generator.h"
#include "differential/x86_64_native.h"
#include "differential/x86_64_subject.h"

namespace pagoda::x86_64 {

std::string difference(const Outcome& host, const Outcome& ours, u64 flags_mask) {
  std::string text;
  const auto compare = [&](const std::string& name, u64 a, u64 b) {
    if (a != b) text += fmt::format("  {}: host {:#x}, ours {:#x}\n", name, a, b);
  };
  // Which of the two a stack access raises depends on more than the access; ours knows no stack segment.
  const auto either = [](u32 number) { return number == static_cast<u32>(Vector::stack_fault) ? 13 : number; };
  compare("vector", either(host.vector), either(ours.vector));
  compare("pc", host.pc, ours.pc);
  compare("fault address", host.fault_address, ours.fault_address);
  for (u32 i = 0; i < 16; ++i) compare(register_name(i, 8), host.gpr[i], ours.gpr[i]);
  compare("flags", host.rflags & flags_mask, ours.rflags & flags_mask);
  const auto vector = [&](u32 i, const FpImage& from) {
    std::array<u64, 4> value;
    std::memcpy(value.data(), &from.fx[FpImage::kXmm + 16 * i], 16);
    std::memcpy(value.data() + 2, from.high[i].data(), 16);
    return value;
  };
  for (u32 i = 0; i < 16; ++i) {
    const auto a = vector(i, host.fp), b = vector(i, ours.fp);
    if (a == b) continue;
    text += fmt::format("  ymm{}: host {:016x}_{:016x}_{:016x}_{:016x}, ours {:016x}_{:016x}_{:016x}_{:016x}\n", i,
                        a[3], a[2], a[1], a[0], b[3], b[2], b[1], b[0]);
  }
  compare("x87 control", host.fp.get<u16>(FpImage::kControl), ours.fp.get<u16>(FpImage::kControl));
  compare("x87 status", host.fp.get<u16>(FpImage::kStatus), ours.fp.get<u16>(FpImage::kStatus));
  compare("x87 tags", host.fp.fx[FpImage::kTags], ours.fp.fx[FpImage::kTags]);
  for (u32 i = 0; i < 8; ++i) {
    const u32 at = FpImage::kStack + 16 * i;
    compare(fmt::format("st{}", i), host.fp.get<u64>(at), ours.fp.get<u64>(at));
    compare(fmt::format("st{} sign and exponent", i), host.fp.get<u16>(at + 8), ours.fp.get<u16>(at + 8));
  }
  compare("mxcsr", host.fp.get<u32>(FpImage::kMxcsr), ours.fp.get<u32>(FpImage::kMxcsr));
  return text;
}

namespace {

// What difference() looks at, without its text.
bool is_same(const Outcome& a, const Outcome& b, u64 flags_mask) {
  return a.vector == b.vector && a.pc == b.pc && a.fault_address == b.fault_address &&
         std::memcmp(a.gpr, b.gpr, sizeof a.gpr) == 0 && ((a.rflags ^ b.rflags) & flags_mask) == 0 &&
         std::memcmp(&a.fp.fx[FpImage::kStack], &b.fp.fx[FpImage::kStack], a.fp.fx.size() - FpImage::kStack) == 0 &&
         a.fp.high == b.fp.high && a.fp.get<u32>(FpImage::kControl) == b.fp.get<u32>(FpImage::kControl) &&
         a.fp.fx[FpImage::kTags] == b.fp.fx[FpImage::kTags] &&
         a.fp.get<u32>(FpImage::kMxcsr) == b.fp.get<u32>(FpImage::kMxcsr);
}

// A table of the forms that were executed, a line each.
class Table {
 public:
  Table() = default;
  ~Table() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  void add(const Row& row, u64 executions, u64 faults, u64 encodings, u64 differences) {
    const char* path = std::getenv("PAGODA_X86_TABLE");
    if (path == nullptr) return;
    if (file_ == nullptr) {
      file_ = std::fopen(path, "w");
      ASSERT_NE(file_, nullptr) << path;
      fmt::print(file_, "mnemonic,opcode,operands,executions,faults,encodings,differences\n");
    }
    std::string operands = row.operands;
    std::ranges::replace(operands, ',', ' ');
    fmt::print(file_, "{},{},{},{},{},{},{}\n", row.name, row.opcode, operands, executions, faults, encodings,
               differences);
  }

 private:
  std::FILE* file_ = nullptr;
};

u64 environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

// What the processor under the test has, by the numbers in cpu_features.def's second column.
Features host_features() {
  u32 a, b, c, d;
  u64 bits = 1;
  const auto set = [&](Feature feature, bool has) { bits |= u64{has} << static_cast<u32>(feature); };
  __cpuid(1, a, b, c, d);
  set(Feature::cx16, c >> 13 & 1);
  set(Feature::movbe, c >> 22 & 1);
  set(Feature::popcnt, c >> 23 & 1);
  set(Feature::sse42, c >> 20 & 1);
  set(Feature::sse3, c & 1);
  set(Feature::ssse3, c >> 9 & 1);
  set(Feature::sse41, c >> 19 & 1);
  set(Feature::pclmul, c >> 1 & 1);
  set(Feature::aes, c >> 25 & 1);
  set(Feature::fma, c >> 12 & 1);
  set(Feature::avx, c >> 28 & 1);
  set(Feature::f16c, c >> 29 & 1);
  __cpuid_count(7, 0, a, b, c, d);
  set(Feature::bmi1, b >> 3 & 1);
  set(Feature::bmi2, b >> 8 & 1);
  set(Feature::adx, b >> 19 & 1);
  set(Feature::avx2, b >> 5 & 1);
  set(Feature::vaes, c >> 9 & 1);
  set(Feature::vpclmul, c >> 10 & 1);
  set(Feature::cet, true);  // a nop where it is not known
  __cpuid(0x80000001, a, b, c, d);
  set(Feature::lzcnt, c >> 5 & 1);
  set(Feature::lahf64, c & 1);
  return {bits};
}

class X86Differential : public testing::Test {
 protected:
  void SetUp() override {
    native_ = NativeProcessor::create();
    if (native_ == nullptr) GTEST_SKIP() << "the addresses of the cases are taken";
    randomize_memory();
  }

  void randomize_memory() {
    for (u64 i = 0; i < kDataBytes; ++i) {
      native_->data()[i] = static_cast<u8>(rng_() % 4 == 0 ? 0 : rng_() % 3 == 0 ? 2 : rng_());
    }
    copy_memory();
  }
  void copy_memory() {
    for (Subject& subject : subjects_) std::memcpy(subject.data(), native_->data(), kDataBytes);
  }
  void poke(const Poke& poke) {
    if (poke.bytes == 0) return;
    const u64 offset = poke.address - kDataAddress;
    std::memcpy(native_->data() + offset, poke.value, poke.bytes);
    for (Subject& subject : subjects_) std::memcpy(subject.data() + offset, poke.value, poke.bytes);
  }

  static std::string text_of(const Case& c) {
    std::string text;
    for (u32 at = 0; at < c.code_bytes;) {
      Insn insn;
      if (decode(c.bytes().subspan(at), kAllFeatures, insn) != Decoded::ok) break;
      text += fmt::format("{:02x}  {}\n", fmt::join(c.bytes().subspan(at, insn.length), ""), disassemble(insn));
      at += insn.length;
    }
    for (u32 i = 0; i < 16; ++i) text += fmt::format("{}={:#x} ", register_name(i, 8), c.gpr[i]);
    text += fmt::format("fcw={:#x} fsw={:#x} tags={:#x} ", c.fp.get<u16>(FpImage::kControl),
                        c.fp.get<u16>(FpImage::kStatus), c.fp.fx[FpImage::kTags]);
    for (u32 i = 0; i < 8; ++i) {
      const u32 at = FpImage::kStack + 16 * i;
      text += fmt::format("st{}={:04x}_{:016x} ", i, c.fp.get<u16>(at + 8), c.fp.get<u64>(at));
    }
    text += fmt::format("mxcsr={:#x}\n", c.fp.get<u32>(FpImage::kMxcsr));
    for (u32 i = 0; i < 16; ++i) {
      text += fmt::format("xmm{}={:016x}_{:016x} ", i, c.fp.get<u64>(FpImage::kXmm + 16 * i + 8),
                          c.fp.get<u64>(FpImage::kXmm + 16 * i));
    }
    return text + fmt::format("rflags={:#x}\n", c.rflags);
  }

  // On the host and the first `sides` of ours. False after a difference.
  bool run(const Generated& g, u32 sides) {
    poke(g.poke);
    Outcome host;
    native_->run(g.from, host);
    bool same = true;
    const u64 ignored = g.ignored - kDataAddress;
    for (u32 i = 0; i < sides && same; ++i) {
      Subject& subject = subjects_[i];
      Outcome ours;
      subject.run(g.from, ours);
      if (ignored < kDataBytes - 4) std::memcpy(subject.data() + ignored, native_->data() + ignored, 4);
      if (g.any_fault_address && ours.fault_address != 0 && host.fault_address != 0) {
        ours.fault_address = host.fault_address;
      }
      const bool same_memory = std::memcmp(native_->data(), subject.data(), kDataBytes) == 0;
      if (same_memory && is_same(host, ours, g.flags_mask)) continue;
      std::string differs = difference(host, ours, g.flags_mask);
      for (u64 at = 0; at < kDataBytes && !same_memory; ++at) {
        if (native_->data()[at] == subject.data()[at]) continue;
        differs += fmt::format("  memory {:#x}: host {:#x}, ours {:#x}\n", kDataAddress + at, native_->data()[at],
                               subject.data()[at]);
        break;
      }
      if (differs.empty()) continue;  // #SS and #GP are taken for the same
      same = false;
      ADD_FAILURE() << kSides[i].name << ":\n" << text_of(g.from) << differs;
    }
    if (!same) copy_memory();
    ++executions_;
    faults_ += host.vector != Outcome::kRanOn;
    return same;
  }

  // Executes one form `cases` times; returns the number of differences.
  u64 run_form(const Row& row, u64 cases) {
    const u64 sets = std::clamp<u64>(cases / 200, 8, kMostSets);
    u64 done = 0, differences = 0, encodings = 0;
    faults_ = 0;
    for (u64 tries = 0; done < cases && tries < cases * 50 + 1000 && differences < 3; ++tries) {
      auto generated = instruction_of(rng_, row);
      if (!generated) continue;
      ++encodings;
      for (u64 set = 0; set < sets && done < cases && differences < 3; ++set, ++done) {
        if (set != 0) fill_operands(rng_, *generated, set % 16 == 0);
        if (!run(*generated, kFormSides)) ++differences;
        if (done % 256 == 255) randomize_memory();
      }
    }
    table_.add(row, done, faults_, encodings, differences);
    EXPECT_TRUE(done >= cases || differences != 0) << row.name << " " << row.opcode << ": only " << done << " cases";
    fewest_ = std::min(fewest_, done);
    return differences;
  }

  static constexpr u64 kMostSets = 64;  // operand sets for one encoding
  Rng rng_{environment("PAGODA_SEED", 11)};
  std::unique_ptr<NativeProcessor> native_;
  std::vector<Subject> subjects_{std::begin(kSides), std::end(kSides)};
  Table table_;
  u64 executions_ = 0, faults_ = 0, fewest_ = ~u64{0};
};

TEST_F(X86Differential, EveryForm) {
  const u64 cases = environment("PAGODA_X86_CASES", 60);
  const char* only = std::getenv("PAGODA_X86_ROW");
  const Features features = host_features();
  u32 forms = 0, failed = 0;
  for (const Row& row : all_rows()) {
    if (only != nullptr && std::string_view(only) != row.name) continue;
    if (const std::string why = left_out(row); !why.empty()) {
      fmt::print("left out: {} ({})\n", row.name, why);
      continue;
    }
    if (!features.has(row.feature)) {
      fmt::print("left out: {} {} (the host has no {})\n", row.name, row.operands, feature_name(row.feature));
      continue;
    }
    ++forms;
    failed += run_form(row, cases) != 0;
    if (failed == 40) break;
  }
  fmt::print("{} forms, none with fewer than {} executions (asked for: {}), {} executions on the host and on each of:",
             forms, fewest_, cases, executions_);
  for (u32 i = 0; i < kFormSides; ++i) {
    fmt::print(" {} ({} of {} blocks as host code)", kSides[i].name, subjects_[i].compiled_runs(), subjects_[i].runs());
    EXPECT_EQ(subjects_[i].compiled_runs() != 0, kSides[i].compiled);
  }
  fmt::print("\n");
  EXPECT_GE(fewest_, cases);
  EXPECT_TRUE(only != nullptr || forms >= 150);
}

TEST_F(X86Differential, Sequences) {
  const u64 cases = environment("PAGODA_X86_SEQUENCES", 3000);
  u32 differences = 0;
  for (u64 made = 0; executions_ < cases && differences < 5; ++made) {
    Generated generated = sequence(rng_);
    for (u32 set = 0; set < 4 && differences < 5; ++set) {
      if (set != 0) fill_sequence(rng_, generated);
      if (!run(generated, std::size(kSides))) ++differences;
    }
    if (made % 16 == 15) randomize_memory();
  }
  fmt::print("{} executions of sequences, {} with a fault, on the host and on each of {} sides\n", executions_, faults_,
             std::size(kSides));
}

}  // namespace
}  // namespace pagoda::x86_64
