// SPDX-License-Identifier: MIT
// The command line: QEMU's option syntax to a MachineConfig.
//
//   pagoda GUEST [options]            the first argument is the guest
//   pagoda-system-GUEST [options]     a link of that name does the same
//   pagoda describe GUEST HEX         how instruction bytes are decoded and translated
//   pagoda disk COMMAND ...           disk images: create, info, check, convert
//   pagoda help | -help | -version    also with two dashes, as every option
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "machines/config.h"
#include "machines/disk/disk_command.h"

namespace pagoda::cli {

struct ParsedCommandLine {
  enum class Command {
    run,       // run `config`
    print,     // write `text` to stdout and exit with status 0 (help, version, listings)
    backends,  // the same, "backends"
    describe,  // `arguments` follow "describe"
    disk,      // `disk`
  };
  Command command = Command::run;
  MachineConfig config;
  std::string text;
  std::vector<std::string> arguments;
  DiskCommand disk;
};

// `arguments` begins with the program's name. Nothing is printed, and no file but
// those of -readconfig is read. An error reads
// "-opt value: what is wrong"; the caller puts the program's name in front and exits with status 1.
Result<ParsedCommandLine> parse(std::span<const std::string> arguments);

}  // namespace pagoda::cli
