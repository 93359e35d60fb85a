// SPDX-License-Identifier: MIT
// -cpu of the RISC-V guest and its ISA string.
#include "cpu/riscv64/cpu_model.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/random_insn.h"

namespace pagoda::riscv64 {
namespace {

std::string error_of(std::string_view option) {
  const auto result = parse_cpu(option);
  return result ? "accepted" : result.error().message;
}

std::string isa_of(std::string_view option) {
  const auto result = parse_cpu(option);
  return result ? isa_string(*result) : result.error().message;
}

// Names of an ISA string; the single letters each by itself.
std::set<std::string> names_of(const std::string& isa) {
  std::set<std::string> names;
  std::istringstream parts(isa.substr(4));  // rv64
  std::string part;
  std::getline(parts, part, '_');
  for (const char letter : part) names.insert(std::string(1, letter));
  while (std::getline(parts, part, '_')) names.insert(part);
  return names;
}

TEST(RiscvCpuModel, ModelsInCanonicalOrder) {
  EXPECT_EQ(isa_of("rv64"),
            "rv64imafdc_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintntl_"
            "zihintpause_zihpm_zmmul_za64rs_zaamo_zalrsc_zawrs_zfa_zca_zcd_zba_zbb_zbc_zbs_ssccptr_sscounterenw_sstc_"
            "sstvala_sstvecd_ssu64xl_svadu_svvptc");
  EXPECT_EQ(isa_of("max"),
            "rv64imafdcb_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicond_zicsr_zifencei_"
            "zihintntl_zihintpause_zihpm_zimop_zmmul_za64rs_zaamo_zabha_zacas_zalrsc_zawrs_zfa_zfh_zfhmin_zca_zcb_zcd_"
            "zcmop_zba_zbb_zbc_zbkb_zbkc_zbkx_zbs_zknd_zkne_zknh_zkr_zksed_zksh_zkt_smcntrpmf_smstateen_ssccptr_"
            "sscofpmf_sscounterenw_ssstateen_sstc_sstvala_sstvecd_ssu64xl_svadu_svinval_svnapot_svpbmt_svvptc");
  EXPECT_EQ(isa_of("rva22s64"),
            "rv64imafdcb_zic64b_zicbom_zicbop_zicboz_ziccamoa_ziccif_zicclsm_ziccrse_zicntr_zicsr_zifencei_zihintpause_"
            "zihpm_zmmul_za64rs_zaamo_zalrsc_zfhmin_zca_zcd_zba_zbb_zbs_zkt_ssccptr_sscounterenw_sstvala_sstvecd_"
            "ssu64xl_svade_svinval_svpbmt_svvptc");
  EXPECT_EQ(parse_cpu("rv64")->bits, default_extensions().bits);
}

TEST(RiscvCpuModel, TheLastSettingOfANameCounts) {
  EXPECT_EQ(isa_of("rv64,sstc=off,zba=false,zbb=off,zbb=on"), isa_of("rv64,zba=off,sstc=off"));
  EXPECT_FALSE(names_of(isa_of("rv64,zba=off")).contains("zba"));
  EXPECT_TRUE(names_of(isa_of("rv64,zba=off,zba=true")).contains("zba"));
}

TEST(RiscvCpuModel, LettersAreTheirParts) {
  EXPECT_EQ(
      isa_of("max,m=off,a=off,d=off,f=off,c=off,svade=on"),
      "rv64ib_zic64b_zicbom_zicbop_zicboz_ziccif_zicclsm_zicntr_zicond_zicsr_zifencei_zihintntl_zihintpause_zihpm_"
      "zimop_zba_zbb_zbc_zbkb_zbkc_zbkx_zbs_zknd_zkne_zknh_zkr_zksed_zksh_zkt_smcntrpmf_smstateen_ssccptr_sscofpmf_"
      "sscounterenw_ssstateen_sstc_sstvala_sstvecd_ssu64xl_svade_svadu_svinval_svnapot_svpbmt_svvptc");
  const auto has = [](std::string_view option, const char* name) { return names_of(isa_of(option)).contains(name); };
  EXPECT_TRUE(has("rv64,m=off,zmmul=on", "zmmul"));
  EXPECT_FALSE(has("rv64,m=off,zmmul=on", "m"));
  EXPECT_TRUE(has("rv64,c=off,zca=on", "zca"));
  EXPECT_FALSE(has("rv64,c=off,zca=on", "zcd"));
  EXPECT_FALSE(has("rv64,d=off", "zcd"));
  EXPECT_TRUE(has("rv64,a=off,zaamo=on", "zaamo"));
  EXPECT_FALSE(has("rv64,a=off,zaamo=on", "zalrsc"));
}

// B is the three together.
TEST(RiscvCpuModel, BitManipulationByOneName) {
  const auto has = [](std::string_view option, const char* name) { return names_of(isa_of(option)).contains(name); };
  EXPECT_TRUE(has("rv64,zba=off,zba=on,b=on", "zba"));
  EXPECT_TRUE(has("rv64,b=on", "b"));
  EXPECT_FALSE(has("max,zbs=off", "b"));
  EXPECT_TRUE(has("max,b=off", "zbs"));
}

TEST(RiscvCpuModel, AnExtensionBringsWhatItNeeds) {
  const auto has = [](std::string_view option, const char* name) { return names_of(isa_of(option)).contains(name); };
  EXPECT_TRUE(has("rv64,zfh=on", "zfhmin"));
  EXPECT_TRUE(has("rv64,a=off,zacas=on", "zaamo"));
  EXPECT_FALSE(has("rv64,a=off,zacas=on", "a"));
  EXPECT_TRUE(has("rv64,c=off,zcb=on", "zca"));
  // What needs it goes with it, unless it was asked for.
  EXPECT_FALSE(has("max,zfhmin=off", "zfh"));
  EXPECT_FALSE(has("max,a=off", "zabha"));
  EXPECT_FALSE(has("max,c=off", "zcmop"));
}

// Letters that others build on are switched off with these.
std::string off_option(const std::string& name) {
  return "max," + name + "=off" +
         (name == "f"       ? ",d=off"
          : name == "zmmul" ? ",m=off"
          : name == "zcd"   ? ",d=off"
                            : "") +
         (name == "zaamo" || name == "zalrsc" ? ",a=off"
          : name == "zca"                     ? ",c=off"
                                              : "");
}

TEST(RiscvCpuModel, OffLeavesTheIsaString) {
  u32 count = 0;
  for (u32 number = 1; number < kExtensionCount; ++number) {
    const auto extension = static_cast<Extension>(number);
    const std::string name = extension_name(extension);
    if (extension == Extension::zicsr) continue;  // cannot go
    const std::string on = isa_of("max," + name + "=on"), off = isa_of(off_option(name));
    EXPECT_TRUE(names_of(on).contains(name)) << on;
    EXPECT_FALSE(names_of(off).contains(name)) << off_option(name) << ": " << off;
    EXPECT_TRUE(off.starts_with("rv64i")) << off;
    ++count;
  }
  EXPECT_EQ(count, kExtensionCount - 2);
}

// Each instruction exists as long as one of the sets that its row names is there, and no longer.
TEST(RiscvCpuModel, OffMakesInstructionsIllegal) {
  const Extensions everything = *parse_cpu("max");
  Rng rng(1);
  std::set<Extension> covered;
  const auto decodes = [](u32 word, Extensions extensions, const InsnRow& row) {
    Insn insn;
    return decode(word, extensions, insn) && insn.row == &row;
  };
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row) || row.needs.first == Extension::i) continue;
    const u32 word = random_instruction(row, rng).value();
    EXPECT_TRUE(decodes(word, everything, row)) << row.name;
    std::string off = "max";
    const bool either = row.needs.all[0] != row.needs.all[1];
    for (u32 number = 1; number < kExtensionCount; ++number) {
      const auto extension = static_cast<Extension>(number);
      if ((row.needs.all[0] >> number & 1) == 0 && (row.needs.all[1] >> number & 1) == 0) continue;
      const std::string name = extension_name(extension);
      if (extension == Extension::zicsr) continue;
      covered.insert(extension);
      EXPECT_EQ(decodes(word, *parse_cpu(off_option(name)), row), either) << row.name << " with " << off_option(name);
      off += "," + name + "=off";
    }
    if (either) {
      EXPECT_FALSE(decodes(word, *parse_cpu(off), row)) << row.name << " with " << off;
    }
  }
  // The others are promises, letters that are their parts, or matters of CSRs and page tables, which have tests of
  // their own.
  for (u32 number = 1; number < kExtensionCount; ++number) {
    const auto extension = static_cast<Extension>(number);
    using E = Extension;
    constexpr Extension others[] = {E::smaia, E::ssaia,     E::c,         E::zicntr,   E::zicsr,   E::zkt,
                                    E::sstc,  E::svade,     E::svadu,     E::a,        E::b,       E::zihpm,
                                    E::zkr,   E::smcntrpmf, E::smstateen, E::sscofpmf, E::svnapot, E::svpbmt};
    const bool other = std::find(std::begin(others), std::end(others), extension) != std::end(others);
    EXPECT_NE(covered.contains(extension), other) << extension_name(extension);
  }
}

TEST(RiscvCpuModel, ErrorsNameTheNearestAndTheRemedy) {
  EXPECT_EQ(error_of("rv46"), "-cpu: unknown model 'rv46' (rv64, max, rva22s64); did you mean 'rv64'?");
  EXPECT_EQ(error_of(""), "-cpu: unknown model '' (rv64, max, rva22s64)");
  EXPECT_EQ(error_of("rv64,zicbon=on"), "-cpu: extension 'zicbon' is not implemented; did you mean 'zicbom'?");
  EXPECT_EQ(error_of("rv64,hypervisor=on"), "-cpu: extension 'hypervisor' is not implemented");
  EXPECT_EQ(error_of("rv64,sstc"), "-cpu: 'sstc' wants on or off, as in sstc=on");
  EXPECT_EQ(error_of("rv64,sstc=maybe"), "-cpu: 'sstc=maybe' wants on or off, as in sstc=on");
  EXPECT_EQ(error_of("rv64,f=off"), "-cpu: d needs f: add f=on or d=off");
  EXPECT_EQ(error_of("rv64,zfh=on,zfhmin=off"), "-cpu: zfh needs zfhmin: add zfhmin=on or zfh=off");
  EXPECT_EQ(error_of("rv64,zacas=on,zaamo=off,a=off"), "-cpu: zacas needs zaamo: add zaamo=on or zacas=off");
  EXPECT_EQ(error_of("rv64,zca=off"), "-cpu: c needs zca: add zca=on or c=off");
  EXPECT_EQ(error_of("rv64,zcd=off"), "-cpu: c needs zcd: add zcd=on or c=off");
  EXPECT_EQ(error_of("rv64,f=off,d=off,zfa=on"), "-cpu: zfa needs f: add f=on or zfa=off");
  EXPECT_EQ(error_of("rv64,zicsr=off"), "-cpu: zicsr=off: the privileged architecture needs zicsr");
}

}  // namespace
}  // namespace pagoda::riscv64
