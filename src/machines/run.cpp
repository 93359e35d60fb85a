// SPDX-License-Identifier: MIT
// run_machine: builds the configured machine, runs it, reports how it ended.
#include "machines/run.h"

#include <cstdio>
#include <string_view>

#include "base/check.h"
#include "base/daemon.h"
#include "machines/backends.h"
#include "machines/boards.h"
#include "machines/lockstep.h"
#include "machines/machine.h"

namespace pagoda {
namespace {

struct Board {
  std::string_view guest;
  std::string_view machine;
  Result<> (*build)(Machine& machine);
};
constexpr Board kBoards[] = {
    {"riscv64", "virt", build_riscv64_virt},
    {"riscv64", "spike", build_riscv64_spike},
};

// The machine is gone, its terminal restored and its files written when this returns.
Result<Machine::Ending> build_and_run(const MachineConfig& config, const Controls& controls, Lockstep* lockstep) {
  for (const Board& board : kBoards) {
    if (board.guest != config.guest || board.machine != config.machine) continue;
    Machine machine(config);
    machine.set_lockstep(lockstep);
    TRY(machine.open_chardevs());
    TRY(machine.open_drives());
    TRY(machine.open_perf_map());
    TRY(board.build(machine));
    if (!config.dump_dtb.empty()) return Machine::Ending{};
    PidFile pidfile;
    TRY(pidfile.write(config.pidfile));
    if (!config.stats_json.empty()) TRY(machine.write_statistics(config.stats_json));  // better now than at the end
    if (controls.ready) controls.ready();
    const Machine::Ending ending = machine.run(controls);
    if (!config.stats_json.empty()) TRY(machine.write_statistics(config.stats_json));
    return ending;
  }
  CHECK(false, "machine {} {} of machines.def has no file", config.guest, config.machine);
}

Result<Machine::Ending> run_in_lockstep(const MachineConfig& config, const Controls& controls) {
  TRY_ASSIGN(const LockstepPair pair, start_lockstep(config));
  if (!pair.is_reference) return build_and_run(pair.config, controls, pair.side.get());
  // How it ends is for the other process to say.
  TRY(build_and_run(pair.config, {}, pair.side.get()));
  return Machine::Ending{};
}

Result<Machine::Ending> run_with_backend(const MachineConfig& config, const Controls& controls) {
  TRY_ASSIGN(const MachineConfig chosen, with_backend(config));
  return chosen.accel.lockstep ? run_in_lockstep(chosen, controls) : build_and_run(chosen, controls, nullptr);
}

}  // namespace

int run_machine(const MachineConfig& config, const Controls& controls) {
  const Result<Machine::Ending> ending = run_with_backend(config, controls);
  if (!ending) {
    fmt::print(stderr, "pagoda: {}\n", ending.error().message);
    return 1;
  }
  if (!ending->message.empty()) fmt::print(stderr, "pagoda: {}\n", ending->message);
  return ending->status;
}

}  // namespace pagoda
