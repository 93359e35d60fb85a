// SPDX-License-Identifier: MIT
// x86-64 instructions on all tiers against the host processor.
//
// PAGODA_X86_CASES: executions a form (quick: 60, long suite: 20000); PAGODA_X86_SEQUENCES; PAGODA_SEED;
// PAGODA_X86_ROW: only rows with this mnemonic. The host executes the instruction itself, so what it lacks is left out
// by name.
#include <cpuid.h>
#include <cstdlib>
#include <cstring>

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

  // False after a difference.
  bool run(const Generated& g) {
    poke(g.poke);
    Outcome host;
    native_->run(g.from, host);
    bool same = true;
    const u64 ignored = g.ignored - kDataAddress;
    for (u32 i = 0; i < 3; ++i) {
      Outcome ours;
      subjects_[i].run(g.from, ours);
      if (ignored < kDataBytes - 4) std::memcpy(subjects_[i].data() + ignored, native_->data() + ignored, 4);
      if (g.any_fault_address && ours.fault_address != 0 && host.fault_address != 0) {
        ours.fault_address = host.fault_address;
      }
      std::string differs = difference(host, ours, g.flags_mask);
      if (std::memcmp(native_->data(), subjects_[i].data(), kDataBytes) != 0) {
        for (u64 at = 0; at < kDataBytes; ++at) {
          if (native_->data()[at] == subjects_[i].data()[at]) continue;
          differs += fmt::format("  memory {:#x}: host {:#x}, ours {:#x}\n", kDataAddress + at, native_->data()[at],
                                 subjects_[i].data()[at]);
          break;
        }
      }
      if (differs.empty()) continue;
      same = false;
      ADD_FAILURE() << kTierNames[i] << ":\n" << text_of(g.from) << differs;
      break;
    }
    if (!same) copy_memory();
    ++executions_;
    return same;
  }

  Rng rng_{environment("PAGODA_SEED", 11)};
  std::unique_ptr<NativeProcessor> native_;
  Subject subjects_[3]{Subject(Tier::reference), Subject(Tier::fused), Subject(Tier::compiled)};
  u64 executions_ = 0;
};

TEST_F(X86Differential, EveryForm) {
  const u64 cases = environment("PAGODA_X86_CASES", 60);
  const char* only = std::getenv("PAGODA_X86_ROW");
  const Features features = host_features();
  constexpr u64 kOperandSets = 8;
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
    u64 done = 0, differences = 0;
    for (u64 tries = 0; done < cases && tries < cases * 50 + 1000 && differences < 3; ++tries) {
      auto generated = instruction_of(rng_, row);
      if (!generated) continue;
      for (u64 set = 0; set < kOperandSets && done < cases && differences < 3; ++set, ++done) {
        if (set != 0) fill_operands(rng_, *generated);
        if (!run(*generated)) ++differences;
        if (done % 256 == 255) randomize_memory();
      }
    }
    if (differences != 0) ++failed;
    EXPECT_TRUE(done >= cases || differences != 0) << row.name << " " << row.opcode << ": only " << done << " cases";
    if (failed == 40) break;
  }
  fmt::print("{} forms, {} executions on each of 3 tiers and the host; {} of {} blocks ran as host code\n", forms,
             executions_, subjects_[2].compiled_runs(), subjects_[2].runs());
  EXPECT_TRUE(only != nullptr || forms >= 150);
  EXPECT_GT(subjects_[2].compiled_runs(), 0u);
}

TEST_F(X86Differential, Sequences) {
  const u64 cases = environment("PAGODA_X86_SEQUENCES", 3000);
  u32 differences = 0;
  for (u64 i = 0; i < cases && differences < 5; ++i) {
    if (!run(sequence(rng_))) ++differences;
    if (i % 64 == 63) randomize_memory();
  }
  fmt::print("{} sequences\n", executions_);
}

}  // namespace
}  // namespace pagoda::x86_64
