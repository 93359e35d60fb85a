// SPDX-License-Identifier: MIT
// The x86-64 decoder and disassembler against Zydis.
//
// PAGODA_DECODE_CASES sets the number of random cases (quick: 300000), PAGODA_SEED where they begin.
#include <cstdlib>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/x86_64/decode.h"
#include "cpu/x86_64/disassembler.h"
#include "decode/x86_64_bytes.h"
#include "decode/x86_64_zydis.h"

namespace pagoda::x86_64 {
namespace {

u64 environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

std::string hex(std::span<const u8> bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

using Status = OracleDecode::Status;

class Comparison {
 public:
  Comparison() {
    for (const Row& row : all_rows()) known_.insert(row.name);
    for (const char* name : {"movsw", "movsq", "cmpsw", "cmpsq", "stosw", "stosq", "lodsw", "lodsq", "scasw", "scasq",
                             "cbw", "cdqe", "cwd", "cqo", "pushf", "popf", "jecxz"}) {
      known_.insert(name);
    }
    // What shares a mnemonic with a row, but is another instruction.
    for (const char* other : {"mov", "nop", "push", "pop", "ret", "jmp", "call", "movsd", "cmpsd"})
      ambiguous_.insert(other);
  }

  // Empty, or how the two differ.
  std::string difference(std::span<const u8> bytes) {
    const OracleDecode wanted = zydis_decode(bytes);
    Insn insn;
    const Decoded got = decode(bytes, kAllFeatures, insn);
    if (got == Decoded::ok) {
      const std::string text = disassemble(insn);
      if (wanted.status != Status::ok) return fmt::format("ours {} {}, Zydis none", insn.length, text);
      if (insn.length == wanted.length && text == wanted.text) return ++agreed_, "";
      if (insn.length == wanted.length && is_explained(explanation(insn, wanted))) return "";
      return fmt::format("ours {} {}, Zydis {} {}", insn.length, text, wanted.length, wanted.text);
    }
    if (wanted.status == Status::ok) {
      if (got == Decoded::truncated) return fmt::format("ours truncated, Zydis {} {}", wanted.length, wanted.text);
      if (got == Decoded::too_long) return fmt::format("ours too long, Zydis {} {}", wanted.length, wanted.text);
      if (wanted.is_coprocessor && is_explained(Explained::coprocessor)) return "";
      if (known_.count(wanted.mnemonic) == 0 || is_other_form(wanted)) return ++left_out_[wanted.mnemonic], "";
      return fmt::format("ours undefined, Zydis {} {}", wanted.length, wanted.text);
    }
    // What is undefined may be found out before or after the end of the bytes.
    ++refused_[static_cast<u32>(got)];
    return "";
  }

  std::string summary() const {
    std::string text =
        fmt::format("{} agreed; refused by both: {} undefined, {} truncated, {} too long\n", agreed_,
                    refused_[static_cast<u32>(Decoded::undefined)], refused_[static_cast<u32>(Decoded::truncated)],
                    refused_[static_cast<u32>(Decoded::too_long)]);
    for (u32 i = 1; i < std::size(kExplained); ++i)
      text += fmt::format("explained: {}: {}\n", kExplained[i], explained_[i]);
    u64 total = 0;
    for (const auto& [name, count] : left_out_) total += count;
    text += fmt::format("no rows, left out by name: {} cases of {} mnemonics:", total, left_out_.size());
    for (const auto& [name, count] : left_out_) text += " " + name;
    return text + "\n";
  }

 private:
  // Where the manual is on our side, or processors are; docs/guest-x86-64.md lists the same.
  enum class Explained : u8 { none, movsxd, no_base, pause, coprocessor };
  static constexpr const char* kExplained[] = {
      "",
      "movsxd with 66 reads 16 bits (SDM volume 2, MOVSXD); Zydis says 32 for memory",
      "a SIB byte without base (mod 0, base 5) has none with REX.B either (SDM volume 2, table 2-3); Zydis forgets it, "
      "and the displacement, for 32-bit addresses",
      "F3 41 90 exchanges r8 and rax on processors (SDM volume 2, XCHG: 90 with REX.B); Zydis says pause",
      "popcnt, tzcnt, lzcnt with VEX are the Knights Corner coprocessor's, undefined by SDM volume 2; Zydis knows both",
  };

  static Explained explanation(const Insn& insn, const OracleDecode& wanted) {
    const bool without_base = insn.memory.short_address && insn.memory.base == Memory::kNone;
    if (wanted.mnemonic == "movsxd" && insn.operand_size == 2) return Explained::movsxd;
    if (without_base && wanted.text.find("[r13d") != std::string::npos) return Explained::no_base;
    if (wanted.mnemonic == "pause" && insn.operand_count == 2) return Explained::pause;
    return Explained::none;
  }
  bool is_explained(Explained reason) {
    if (reason == Explained::none) return false;
    ++explained_[static_cast<u32>(reason)];
    return true;
  }

  // Forms with segment, control, debug or vector registers, far pointers, and reserved nops: no rows yet.
  bool is_other_form(const OracleDecode& wanted) const {
    if (wanted.is_other_encoding) return true;
    for (const char* word : {" mm", ", mm"}) {
      if (wanted.text.find(word) != std::string::npos) return true;
    }
    if (ambiguous_.count(wanted.mnemonic) == 0) return false;
    if (wanted.mnemonic == "nop") return true;
    for (const char* word : {"cr", "dr", " fs", " gs", " cs", " ds", " es", " ss", "far", "xmm", ", fs", ", gs", ", cs",
                             ", ds", ", es", ", ss"}) {
      if (wanted.text.find(word) != std::string::npos) return true;
    }
    return false;
  }

  std::set<std::string, std::less<>> known_, ambiguous_;
  std::map<std::string, u64> left_out_;
  u64 agreed_ = 0, refused_[4] = {}, explained_[std::size(kExplained)] = {};
};

TEST(X86Decode, AgreesWithZydis) {
  const u64 cases = environment("PAGODA_DECODE_CASES", 300'000);
  const u64 seed = environment("PAGODA_SEED", 7);
  Rng rng(seed);
  const auto rows = all_rows();
  Comparison comparison;
  u32 differences = 0;
  for (u64 i = 0; i < cases; ++i) {
    const u64 kind = rng() % 8;
    Bytes bytes = kind == 0 ? random_bytes(rng)
                            : bytes_of_row(rng, rows[rng() % rows.size()],
                                           kind == 1  ? 14
                                           : kind < 4 ? 3
                                                      : 0);
    if (rng() % 8 == 0) bytes.size = static_cast<u32>(rng() % 17);  // ends of pages
    const std::string difference = comparison.difference(bytes.span());
    if (difference.empty()) continue;
    ADD_FAILURE() << hex(bytes.span()) << ": " << difference;
    if (++differences == 30) break;
  }
  fmt::print("{} cases from seed {}: {}", cases, seed, comparison.summary());
}

}  // namespace
}  // namespace pagoda::x86_64
