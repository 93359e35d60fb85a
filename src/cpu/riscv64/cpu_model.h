// SPDX-License-Identifier: MIT
// -cpu: models and extensions of the RISC-V guest, and the ISA string of the device tree.
//
// All functions are pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cpu/riscv64/extensions.h"

namespace pagoda::riscv64 {

// A model of machines/cpu_models.def ("max" is all but svade, which would turn svadu's hardware updates off), and then
// ",name=on|off" for any extension. Switching one on brings what it needs; switching one off takes along what needs it
// and was not asked for by name, but no single letter. One error line for an unknown or impossible choice.
Result<Extensions> parse_cpu(std::string_view option);

// The extensions of the default model.
Extensions default_extensions();
// Whether the set can exist (d needs f ...); the error names the option to change.
Result<> check_extensions(const Extensions& extensions);

// "rv64imafdc_zicbom_..." in canonical order (Unprivileged ISA, "ISA Extension Naming Conventions").
std::string isa_string(const Extensions& extensions);

}  // namespace pagoda::riscv64
