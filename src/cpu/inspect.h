// SPDX-License-Identifier: MIT
// What a debugger and the vcpus tell each other, as plain data: registers by description, break- and watchpoints,
// stops.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace pagoda {

// A register as a debugger sees it. Values are little-endian bytes, `bits` / 8 of them.
struct DebugRegister {
  std::string name;
  u32 number;  // unique in a guest; may leave gaps
  u32 bits;
  std::string type;      // a type of the GDB manual, appendix "Target Descriptions", or one of DebugFeature::types
  std::string group;     // "general", "float", "csr" ...
  bool is_state = true;  // worth saving around a call that the debugger makes in the guest
};
// A set of registers that debuggers know by this name ("org.gnu.gdb.riscv.cpu").
struct DebugFeature {
  std::string name;
  std::string types;  // XML of types that the registers use, or empty
  std::vector<DebugRegister> registers;
};

// A break- or watchpoint, by virtual address in whatever address space. Both kinds of breakpoint are the same thing
// here: no guest memory is changed for either.
struct DebugPoint {
  enum class Kind : u8 { software_break, hardware_break, write_watch, read_watch, access_watch };
  Kind kind;
  u64 address;
  u64 size = 0;  // watchpoints: bytes, at least 1
  bool is_break() const { return kind == Kind::software_break || kind == Kind::hardware_break; }
  bool operator==(const DebugPoint&) const = default;
};

// Why a vcpu stopped for the debugger.
struct DebugStop {
  enum class Kind : u8 {
    none,
    asked,  // somebody wanted it (Ctrl-C, the monitor)
    step,   // one instruction is done, or an exception was entered
    point,  // before the instruction of a breakpoint, or behind the access of a watchpoint
  };
  Kind kind = Kind::none;
  u32 vcpu = 0;
  DebugPoint::Kind point = DebugPoint::Kind::hardware_break;
  u64 address = 0;  // watchpoints: first byte of the watched range that was touched
};

// What each vcpu does when the machine goes on.
enum class DebugAction : u8 { stay, run, step };

}  // namespace pagoda
