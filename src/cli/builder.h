// SPDX-License-Identifier: MIT
// Builder: what the option handlers fill in; inside src/cli only.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "machines/config.h"

namespace pagoda::cli {

struct Builder {
  MachineConfig config;
  std::optional<std::string> text;  // set by a handler that lists: printed, and nothing runs
  std::string origin;               // the option being handled as typed: "-m 12x"
  std::string initrd_origin;
  std::string append_origin;
  std::string icount_origin;
  std::string smp_origin;
  std::array<std::string, 2> pflash_origin;
  std::map<std::string, std::string> mon_origins;  // by chardev
  std::string single_thread_origin;                // "-accel tiered,thread=single", valid only with -icount
  std::set<u64> disk_indices;                      // of -drive if=virtio,index=
  std::vector<std::string> iothreads;              // ids; every disk has threads of its own whatever it names
  // "-net nic" and "-net user" belong together in whatever order they come.
  std::vector<std::size_t> net_cards;  // indices of devices that wait for a network
  std::vector<std::string> net_users;  // ids of networks
  bool snapshot = false;
  bool display_none = false;
  bool serial_given = false;
  bool monitor_given = false;
};

// One for each row of options.def. The error is without the option: the parser puts it in front.
#define PAGODA_OPTION_GROUP(title)
#define PAGODA_OPTION(name, other_name, argument, handler, help) Result<> handler(Builder& b, std::string_view value);
#define PAGODA_UNSUPPORTED_OPTION(name, accepted)
#include "cli/options.def"
#undef PAGODA_OPTION_GROUP
#undef PAGODA_OPTION
#undef PAGODA_UNSUPPORTED_OPTION

// An option by its name without dashes, from a file: as if it had been typed.
Result<> handle_option(Builder& b, std::string_view name, std::string_view value);
// Puts a drive into a flash bank, the next free one if none is named.
Result<> use_as_flash(Builder& b, std::optional<u64> bank, const std::string& drive);

// After the last option: defaults and references between options. The error begins with the option.
Result<> finish(Builder& b);
// Its parts, by subject.
Result<> finish_machine(Builder& b);
Result<> finish_run(Builder& b);
Result<> finish_flash(const Builder& b);
Result<> finish_devices(const Builder& b);
Result<> finish_consoles(Builder& b);
Result<> finish_networks(Builder& b);

// A network card's own address, as 52:54:00:12:34:56.
Result<> check_mac(std::string_view text);

}  // namespace pagoda::cli
