// SPDX-License-Identifier: MIT
// pagoda: command line -> MachineConfig -> run.
#include <cstdio>
#include <string>
#include <vector>

#include "base/daemon.h"
#include "base/log.h"
#include "cli/parse.h"
#include "control/gdb_stub.h"
#include "control/monitor.h"
#include "machines/backends.h"
#include "machines/describe.h"
#include "machines/disk/disk_tool.h"
#include "machines/run.h"

namespace {

using pagoda::cli::ParsedCommandLine;

int report(const pagoda::Error& error) {
  fmt::print(stderr, "pagoda: {}\n", error.message);
  return 1;
}

pagoda::Result<> set_log(const pagoda::MachineConfig& config) {
  if (!config.log_file.empty()) TRY(pagoda::set_log_file(config.log_file));
  if (!config.log_items.empty()) TRY(pagoda::set_log_mask(config.log_items));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  const auto parsed = pagoda::cli::parse(arguments);
  if (!parsed) return report(parsed.error());
  switch (parsed->command) {
    case ParsedCommandLine::Command::print:
      std::fputs(parsed->text.c_str(), stdout);
      return std::fflush(stdout) == 0 ? 0 : 1;
    case ParsedCommandLine::Command::backends:
      return pagoda::print_backends(parsed->arguments);
    case ParsedCommandLine::Command::describe:
      return pagoda::describe(parsed->arguments);
    case ParsedCommandLine::Command::disk:
      return pagoda::run_disk_command(parsed->disk);
    case ParsedCommandLine::Command::run:
      break;
  }
  pagoda::Daemon daemon;
  if (parsed->config.daemonize) {
    if (const auto done = daemon.start(); !done) return report(done.error());
  }
  if (const auto done = set_log(parsed->config); !done) return report(done.error());
  return pagoda::run_machine(
      parsed->config,
      {.monitor = pagoda::start_monitor, .debugger = pagoda::start_gdb_stub, .ready = [&daemon] { daemon.ready(); }});
}
