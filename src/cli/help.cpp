// SPDX-License-Identifier: MIT
// Help texts, made from the tables.
#include "cli/help.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/log.h"
#include "machines/catalog.h"
#include "machines/config.h"

namespace pagoda::cli {
namespace {

struct HelpRow {
  bool is_group;
  std::string_view name;  // or the group's title
  std::string_view other_name;
  std::string_view argument;
  std::string_view help;
};
constexpr std::array kHelpRows = {
#define PAGODA_OPTION_GROUP(title) HelpRow{true, title, "", "", ""},
#define PAGODA_OPTION(name, other_name, argument, handler, help) HelpRow{false, name, other_name, argument, help},
#define PAGODA_UNSUPPORTED_OPTION(name, accepted)
#include "cli/options.def"
#undef PAGODA_OPTION_GROUP
#undef PAGODA_OPTION
#undef PAGODA_UNSUPPORTED_OPTION
};

struct ListRow {
  std::string_view name;
  std::string help;
};

std::string columns(const std::vector<ListRow>& rows, std::string_view indent) {
  std::size_t width = 0;
  for (const ListRow& row : rows) width = std::max(width, row.name.size());
  std::string text;
  for (const ListRow& row : rows) text += fmt::format("{}{:{}}  {}\n", indent, row.name, width, row.help);
  return text;
}

std::string with_default(std::string_view help, bool is_default) {
  return fmt::format("{}{}", help, is_default ? " (default)" : "");
}

std::string_view kind_name(PropertyKind kind) {
  switch (kind) {
    case PropertyKind::number:
      return "uint32";
    case PropertyKind::boolean:
    case PropertyKind::off:
      return "bool";
    case PropertyKind::on:
      return "OnOffAuto";
    default:
      return "str";
  }
}

}  // namespace

std::string version_text() { return "Pagoda emulator version " PAGODA_VERSION "\n"; }

std::string help_text(std::string_view guest) {
  std::string text = version_text();
  text += fmt::format(
      "usage: pagoda {0} [options]        or, by a link of that name: pagoda-system-{0} [options]\n"
      "       pagoda describe {0} HEX     how instruction bytes are decoded and translated\n"
      "       pagoda backends [--json]        what can execute translated code\n"
      "       pagoda disk COMMAND ...         disk images: create, info, check, convert (pagoda disk help)\n",
      guest.empty() ? "GUEST" : guest);
  if (guest.empty()) {
    text += "       pagoda help [GUEST]\n\nGuests:\n";
    std::vector<ListRow> rows;
    for (const GuestInfo& info : kGuests) rows.push_back({info.name, std::string(info.help)});
    text += columns(rows, "  ");
  }
  text +=
      "\n"
      "Options have QEMU's syntax, with one or two dashes. A comma inside a value is written twice. 'help' or '?' in\n"
      "place of a value lists what it can be (-M -cpu -accel -device -netdev -object -chardev -d).\n";
  for (const HelpRow& row : kHelpRows) {
    if (row.is_group) {
      text += fmt::format("\n{}:\n", row.name);
      continue;
    }
    const std::string other = row.other_name.empty() ? "" : fmt::format(", -{}", row.other_name);
    text += fmt::format("  -{}{}{}{}\n", row.name, other, row.argument.empty() ? "" : " ", row.argument);
    for (std::string_view rest = row.help; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      text += fmt::format("        {}\n", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  text += fmt::format(
      "\n"
      "Keys when the serial port shares the terminal (-nographic, mon:stdio): Ctrl-A X quits, Ctrl-A C switches "
      "between\n"
      "guest and monitor, Ctrl-A B sends a break, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A H lists these.\n"
      "\n"
      "Exit status: 0 the guest powered off or the user quit; 1 a bad option or file; 128+N ended by signal N; others\n"
      "report a failure of the guest.\n"
      "\n"
      "Example: pagoda {} -M virt -smp 2 -m 1G -kernel Image -initrd initrd.gz -append console=ttyS0 -nographic\n",
      guest.empty() ? kGuests[0].name : guest);
  return text;
}

std::string machine_list(std::string_view guest) {
  std::vector<ListRow> rows;
  for (const MachineInfo& info : kMachines) {
    if (info.guest == guest) rows.push_back({info.name, with_default(info.help, info.is_default)});
  }
  return "Supported machines are:\n" + columns(rows, "");
}

std::string cpu_list(std::string_view guest) {
  std::vector<ListRow> models, features;
  for (const CpuModelInfo& info : kCpuModels) {
    if (info.guest == guest) models.push_back({info.name, with_default(info.help, info.is_default)});
  }
  for (const CpuFeatureInfo& info : kCpuFeatures) {
    if (info.guest == guest)
      features.push_back({info.name, fmt::format("{}{}", info.help, info.is_default ? "" : " (off by default)")});
  }
  return "Available CPUs:\n" + columns(models, "  ") + "\nFeatures, as in -cpu MODEL,feature=on|off:\n" +
         columns(features, "  ");
}

std::string accel_list() {
  const std::vector<ListRow> keys = {
      {"max-tier=n",
       fmt::format("highest tier to use (0: interpreter, 1: lightweight compiler, 2: optimizing compiler; "
                   "default: {})",
                   kHighestTier)},
      {"force-tier=n", "run everything on this tier"},
      {"backend=name", "whose code runs above tier 0 (\"pagoda backends\" lists them; also PAGODA_BACKEND)"},
      {"plugins=folder", "loads the backends in it (also PAGODA_PLUGINS)"},
      {"policy=name", "when blocks are promoted to a higher tier (default: threshold)"},
      {"tier1-threshold=n", "weighted entries of a block before tier 1 compiles it (default: 8)"},
      {"tier2-threshold=n", "the same for tier 2, where a backend has that tier (default: 10000)"},
      {"code-cache=size", "compiled code at most, a power of two (default: 128M)"},
      {"compile-thread=on|off", "regions are compiled on a thread of their own (default: on)"},
      {"opt-level=n", "passes over regions, 0 to 3 (default: 3)"},
      {"clock-divisor=n", "the guest's clocks run n times slower than the host's, for slow builds (default: 1)"},
      {"fusion=on|off", "tier 0: fused instruction sequences (default: on)"},
      {"lockstep=on|off", "with -icount: compare each block with an unfused tier 0, for developers (default: off)"},
      {"no-pass=name", "this pass does not run; may be said again, for developers"},
      {"opt-fuel=n", "changes that passes may make to a region, for developers (default: any number)"},
      {"most-regions=n", "no more regions are compiled, for developers (default: any number)"},
      {"page-sharing=on|off", "accesses of a region share page checks, for developers (default: on)"},
      {"spill-everything=on|off", "regions keep values in memory, for developers (default: off)"},
      {"shuffle-registers=n", "regions use registers in an order made from n, for developers"},
      {"check-registers=on|off", "register allocation is checked, for developers (default: off)"},
      {"count-regions=on|off", "regions count how they are left, for -d tier, for developers (default: off)"},
      {"fail-every=n", "every n-th step of the translator fails, for developers (default: none)"},
      {"thread=multi|single", "a thread for each vcpu (default), or with -icount one for all"},
  };
  std::vector<ListRow> policies;
  for (const PolicyInfo& info : kPolicies) policies.push_back({info.name, std::string(info.help)});
  return "Accelerators supported:\ntiered (another name: tcg)\n\nKeys:\n" + columns(keys, "  ") + "\nPolicies:\n" +
         columns(policies, "  ");
}

std::string device_list() {
  std::string text;
  std::string_view category;
  for (const DeviceInfo& info : kDevices) {
    if (info.category != category) {
      text += fmt::format("{}{} devices:\n", text.empty() ? "" : "\n", info.category);
      category = info.category;
    }
    text += fmt::format("name \"{}\", bus {}, desc \"{}\"\n", info.driver, info.bus, info.help);
  }
  return text;
}

std::string device_properties(std::string_view driver) {
  std::vector<std::string> names = {"bus=<str>", "id=<str>"};
  std::vector<std::string_view> help = {"bus to plug into", "name for this device"};
  for (const DevicePropertyInfo& info : kDeviceProperties) {
    if (info.driver != driver) continue;
    names.push_back(fmt::format("{}=<{}>", info.key, kind_name(info.kind)));
    help.push_back(info.help);
  }
  std::string text = fmt::format("{} options:\n", driver);
  for (std::size_t i = 0; i < names.size(); ++i) text += fmt::format("  {:<22} - {}\n", names[i], help[i]);
  return text;
}

std::string chardev_list() {
  const std::vector<ListRow> rows = {
      {"file", "path=file[,append=on|off]"},
      {"null", "goes nowhere"},
      {"pipe", "path=name: FIFOs name.in and name.out, or one for both"},
      {"pty", "[path=link]"},
      {"socket", "path=unix-socket|[host=name,]port=number[,server=on|off][,wait=on|off][,telnet=on|off]"},
      {"stdio", "[signal=on|off]: off sends Ctrl-C to the guest"},
  };
  std::string text = "Available chardev backend types:\n";
  for (const ListRow& row : rows) text += fmt::format("  {:<8}{}\n", row.name, row.help);
  return text +
         "All take id=id, mux=on|off (shared by several users, Ctrl-A commands), logfile=file (a copy of what is "
         "written) and logappend=on|off.\n";
}

std::string netdev_list() {
  const std::vector<ListRow> rows = {
      {"net=address[/bits]", "the network (default: 10.0.2.0/24)"},
      {"host=address", "the host in it, router (default: .2)"},
      {"dns=address", "the name server in it (default: .3)"},
      {"dhcpstart=address", "the first address DHCP gives out (default: .15)"},
      {"ipv4=on|off, ipv6=on|off", "protocols (default: both)"},
      {"restrict=on|off", "on: nothing leaves the network but forwarded ports"},
      {"hostfwd=tcp|udp:[addr]:port-[addr]:port", "a port of the host leads to one of the guest"},
      {"hostname=, domainname=, dnssearch=", "what DHCP tells"},
      {"tftp=folder, bootfile=file", "files for booting, tftp-server-name="},
  };
  return "Available netdev backend types:\nuser\n\nKeys of user, beside id=id:\n" + columns(rows, "  ") +
         "\n-nic takes the same and mac=address,model=card.\n";
}

std::string object_list() {
  return "List of user creatable objects:\n"
         "  rng-builtin  entropy of the emulator's own\n"
         "  rng-random   entropy from a file: filename=file (default: /dev/urandom)\n";
}

std::string log_list() {
  std::size_t count = 0;
  const LogInfo* table = log_table(&count);
  std::vector<ListRow> rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back({table[i].name, table[i].help});
  rows.push_back({"all", "all of these"});
  return "Log items (comma separated):\n" + columns(rows, "");
}

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  for (const HelpRow& row : kHelpRows) {
    if (row.is_group) continue;
    names.push_back(row.name);
    if (!row.other_name.empty()) names.push_back(row.other_name);
  }
  return names;
}

}  // namespace pagoda::cli
