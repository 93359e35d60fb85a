// SPDX-License-Identifier: MIT
// XML from the guest's register descriptions.
#include "control/gdb_xml.h"

#include <fmt/format.h>

namespace pagoda::gdb {

std::string description_xml(const DebugHooks& hooks) {
  std::string text = fmt::format(
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
      "<target version=\"1.0\">\n<architecture>{}</architecture>\n",
      hooks.architecture);
  for (const DebugFeature& feature : hooks.features) {
    text += fmt::format("<feature name=\"{}\">\n{}{}", feature.name, feature.types, feature.types.empty() ? "" : "\n");
    for (const DebugRegister& reg : feature.registers) {
      text += fmt::format("<reg name=\"{}\" bitsize=\"{}\" regnum=\"{}\" type=\"{}\" group=\"{}\"{}/>\n", reg.name,
                          reg.bits, reg.number, reg.type, reg.group, reg.is_state ? "" : " save-restore=\"no\"");
    }
    text += "</feature>\n";
  }
  return text + "</target>\n";
}

}  // namespace pagoda::gdb
