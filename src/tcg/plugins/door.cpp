// SPDX-License-Identifier: MIT
// Linked into plugins in place of tcg/interp: its functions, done by the program (tcg/tier/services.h). A plugin's
// factory calls enter_door() with its Setup first.
#include "tcg/plugins/door.h"

#include "base/check.h"
#include "tcg/tier/services.h"

namespace pagoda {
namespace {
const tier::Services* program = nullptr;
}  // namespace

namespace tier {
void enter_door(const Setup& setup) {
  CHECK(setup.services != nullptr);
  program = setup.services;
}
}  // namespace tier

namespace interp {

Handler handler_of(const void* address) { return program->handler_of(address); }
void step(VcpuFrame& frame, const ThreadedOp& op) { program->step(frame, op); }
void repair(VcpuFrame& frame, const Unit& unit, u32 index) { program->repair(frame, unit, index); }
LeaveInfo finish(VcpuFrame& frame, const Unit& unit, u32 op, u32 index) {
  return program->finish(frame, unit, op, index);
}
LeaveInfo execute(VcpuFrame& frame, const Unit& unit) { return program->execute(frame, unit); }

struct Lowering::Work {
  Work(ir::SlotTable slots, HelperTable helpers, u32 fusions)
      : theirs(program->new_lowering(slots, helpers, fusions)) {}
  ~Work() { program->free_lowering(theirs); }
  Lowering* theirs;
};
Lowering::Lowering(ir::SlotTable slots, HelperTable helpers, u32 fusions)
    : work_(std::make_unique<Work>(slots, helpers, fusions)), slots_(slots), helpers_(helpers), fusions_(fusions) {}
Lowering::~Lowering() = default;
Unit* Lowering::lower(const ir::Block& block, const u8* next_page) {
  return program->lower(*work_->theirs, block, next_page);
}

}  // namespace interp
}  // namespace pagoda
