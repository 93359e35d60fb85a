// SPDX-License-Identifier: MIT
// SiFive test finisher: the power-off and reset register of QEMU's riscv `virt` machine ("sifive,test1").
//
// The low half of a write says what to do, the high half is the exit code of a failure: 0x5555 power off (exit code 0),
// 0x3333 power off with the code, 0x7777 reset. Behaviour after the Linux binding "syscon-poweroff"/"syscon-reboot".
// Threading: no state of its own; the sink is called on the writer's thread (see PowerSink).
#pragma once

#include "devices/bus/power.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class SifiveTest final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x1000;
  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/firmware/sifive_test.def"
#undef REG
  };

  SifiveTest(std::string name, PowerSink power);
  void reset() override {}

 private:
  static std::vector<Register> make_rows();
  void finish(u64 value);

  PowerSink power_;
};

}  // namespace pagoda
