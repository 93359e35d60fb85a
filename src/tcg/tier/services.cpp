// SPDX-License-Identifier: MIT
// The table that plugins get.
#include "tcg/tier/services.h"

namespace pagoda::tier {

const Services& services() {
  static constexpr Services kServices{
      .handler_of = interp::handler_of,
      .step = interp::step,
      .repair = interp::repair,
      .finish = interp::finish,
      .execute = interp::execute,
      .new_lowering = [](ir::SlotTable slots, HelperTable helpers,
                         u32 fusions) { return new interp::Lowering(slots, helpers, fusions); },
      .free_lowering = [](interp::Lowering* lowering) { delete lowering; },
      .lower = [](interp::Lowering& lowering, const ir::Block& block,
                  const u8* next_page) { return lowering.lower(block, next_page); },
  };
  return kServices;
}

}  // namespace pagoda::tier
