// SPDX-License-Identifier: MIT
// -cpu of the RISC-V guest and its ISA string.
#include "cpu/riscv64/cpu_model.h"

#include <gtest/gtest.h>

namespace pagoda::riscv64 {
namespace {

std::string error_of(std::string_view option) {
  const auto result = parse_cpu(option);
  return result ? "accepted" : result.error().message;
}

TEST(RiscvCpuModel, DefaultModelInCanonicalOrder) {
  const auto rv64 = parse_cpu("rv64");
  ASSERT_TRUE(rv64);
  EXPECT_EQ(isa_string(*rv64), "rv64imafdc_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_zba_zbb_zbs_sstc_svadu");
  EXPECT_EQ(rv64->bits, default_extensions().bits);
}

TEST(RiscvCpuModel, SettingsApplyInOrder) {
  const auto less = parse_cpu("rv64,sstc=off,zba=false,zbb=off,zbb=on");
  ASSERT_TRUE(less);
  EXPECT_EQ(isa_string(*less), "rv64imafdc_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_zbb_zbs_svadu");
  const auto bare = parse_cpu("max,m=off,a=off,d=off,f=off,c=off,svade=on");
  ASSERT_TRUE(bare);
  EXPECT_EQ(isa_string(*bare), "rv64i_zicbom_zicbop_zicboz_zicntr_zicsr_zifencei_zba_zbb_zbs_smaia_ssaia_sstc_svade_svadu");
}

TEST(RiscvCpuModel, ErrorsNameTheNearestAndTheRemedy) {
  EXPECT_EQ(error_of("rv46"), "-cpu: unknown model 'rv46' (rv64, max); did you mean 'rv64'?");
  EXPECT_EQ(error_of(""), "-cpu: unknown model '' (rv64, max)");
  EXPECT_EQ(error_of("rv64,zicbon=on"), "-cpu: extension 'zicbon' is not implemented; did you mean 'zicbom'?");
  EXPECT_EQ(error_of("rv64,hypervisor=on"), "-cpu: extension 'hypervisor' is not implemented");
  EXPECT_EQ(error_of("rv64,sstc"), "-cpu: 'sstc' wants on or off, as in sstc=on");
  EXPECT_EQ(error_of("rv64,sstc=maybe"), "-cpu: 'sstc=maybe' wants on or off, as in sstc=on");
  EXPECT_EQ(error_of("rv64,f=off"), "-cpu: d needs f: add f=on or d=off");
  EXPECT_EQ(error_of("rv64,zicsr=off"), "-cpu: zicsr=off: the privileged architecture needs zicsr");
}

}  // namespace
}  // namespace pagoda::riscv64
