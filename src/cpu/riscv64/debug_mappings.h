// SPDX-License-Identifier: MIT
// "info mem": a hart's page tables as text.
#pragma once

#include <string>

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

// Contiguous pages of equal attributes in a line each. Stops after a bounded number of tables and lines, and says so: a
// guest's tables may lead in circles.
std::string mappings_text(Vcpu& vcpu);

}  // namespace pagoda::riscv64
