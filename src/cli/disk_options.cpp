// SPDX-License-Identifier: MIT
// The disk tool's words and options.
#include "cli/disk_options.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/suggest.h"
#include "cli/text.h"

namespace pagoda::cli {
namespace {

using Action = DiskCommand::Action;

constexpr std::string_view kHelp =
    "usage: pagoda disk create [-q] [-f FORMAT] [-b BACKING -F FORMAT] [-u] [-o OPTIONS] FILE [SIZE]\n"
    "       pagoda disk info [-U] [-f FORMAT] [--output=human|json] [--backing-chain] FILE\n"
    "       pagoda disk check [-qU] [-f FORMAT] [--output=human|json] [-r leaks|all] FILE\n"
    "       pagoda disk convert [-qU] [-f FORMAT] [-O FORMAT] [-c] [-o OPTIONS] FILE NEW-FILE\n"
    "       pagoda disk convert [-qU] [-f FORMAT] -n -O FORMAT [-c] FILE EXISTING-FILE\n"
    "\n"
    "Options and output are qemu-img's. FORMAT is raw or qcow2 (create and -O: default raw; -f: by content). SIZE is "
    "in\n"
    "bytes or has a suffix k, M, G, T. -b: changes to BACKING go to the new image; -u: without looking at it.\n"
    "-c compresses, -r repairs, -q is silent, -U reads what another program may be writing. check ends with 0, 1 (not "
    "checked), 2 (corrupt), 3 (space lost), 63 "
    "(raw).\n"
    "\n"
    "OPTIONS: key=value,... of\n"
    "  size=SIZE  cluster_size=512..2M (64k)  backing_file=FILE  backing_fmt=FORMAT  compat=0.10|1.1 (1.1)\n"
    "  lazy_refcounts=on|off (off)  refcount_bits=1..64 (16)  compression_type=zlib|zstd (zlib)\n"
    "  preallocation=off|metadata|falloc|full (off; raw: no metadata)\n";

constexpr std::array<std::string_view, 10> kKeys = {
    "size",           "cluster_size",  "backing_file",     "backing_fmt",   "compat",
    "lazy_refcounts", "refcount_bits", "compression_type", "preallocation", "extended_l2"};

Result<u32> power_of_two(const KeyValue& item, u64 unit_least, u64 most) {
  TRY_ASSIGN(const u64 value, parse_size(item.value, 1));
  if (!std::has_single_bit(value) || value < unit_least || value > most)
    return fail("{}={}: a power of two from {} to {}", item.key, item.value, unit_least, most);
  return static_cast<u32>(std::countr_zero(value));
}

Result<> apply_option(const KeyValue& item, DiskCommand* command) {
  if (!item.has_value) return fail("'{}' needs a value", item.key);
  const std::string& value = item.value;
  if (item.key == "size") {
    TRY_ASSIGN(command->size, parse_size(value, 1));
  } else if (item.key == "cluster_size") {
    TRY_ASSIGN(command->cluster_bits, power_of_two(item, 512, u64{2} << 20));
  } else if (item.key == "refcount_bits") {
    TRY_ASSIGN(command->refcount_order, power_of_two(item, 1, 64));
  } else if (item.key == "backing_file") {
    command->backing_file = value;
  } else if (item.key == "backing_fmt") {
    command->backing_format = value;
  } else if (item.key == "compat") {
    if (value != "0.10" && value != "1.1" && value != "v2" && value != "v3")
      return fail("compat={}: 0.10 or 1.1", value);
    command->version = value == "0.10" || value == "v2" ? 2 : 3;
  } else if (item.key == "lazy_refcounts") {
    TRY_ASSIGN(command->lazy_refcounts, parse_switch(item));
  } else if (item.key == "compression_type") {
    if (value != "zlib" && value != "zstd") return fail("compression_type={}: zlib or zstd", value);
    command->zstd = value == "zstd";
  } else if (item.key == "preallocation") {
    constexpr std::array<std::string_view, 4> kValues = {"off", "metadata", "falloc", "full"};
    const auto it = std::ranges::find(kValues, value);
    if (it == kValues.end()) return fail("preallocation={}: off, metadata, falloc or full", value);
    command->preallocation = static_cast<DiskCommand::Preallocation>(it - kValues.begin());
  } else if (item.key == "extended_l2") {
    if (value != "off") return fail("extended_l2={}: only 'off' is supported", value);
  } else {
    return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
  }
  return {};
}

struct OptionInfo {
  std::string_view name;
  bool has_value;
  std::string_view actions;  // first letters: c(r)eate is r, info i, check k, convert v
};
constexpr std::array kOptions = {
    OptionInfo{"f", true, "rikv"},
    OptionInfo{"o", true, "rv"},
    OptionInfo{"b", true, "r"},
    OptionInfo{"F", true, "r"},
    OptionInfo{"u", false, "r"},
    OptionInfo{"q", false, "rkv"},
    OptionInfo{"r", true, "k"},
    OptionInfo{"c", false, "v"},
    OptionInfo{"O", true, "v"},
    OptionInfo{"p", false, "v"},
    OptionInfo{"output", true, "ik"},
    OptionInfo{"backing-chain", false, "i"},
    OptionInfo{"U", false, "ikv"},
    OptionInfo{"n", false, "v"},
    // How qemu-img goes about it; nothing that shows in the result.
    OptionInfo{"m", true, "v"},
    OptionInfo{"W", false, "v"},
    OptionInfo{"t", true, "v"},
    OptionInfo{"T", true, "kv"},
};
constexpr std::string_view kActionLetters = "rikv";  // in the order of Action

Result<> apply(std::string_view name, const std::string& value, DiskCommand* command) {
  if (name == "f") command->format = value;
  if (name == "O") command->output_format = value;
  if (name == "b") command->backing_file = value;
  if (name == "F") command->backing_format = value;
  if (name == "u") command->unsafe_backing = true;
  if (name == "q") command->quiet = true;
  if (name == "c") command->compress = true;
  if (name == "U") command->force_share = true;
  if (name == "n") command->into_existing = true;
  if (name == "m") TRY(parse_number(value, "the number of coroutines", 1, 16));
  if (name == "t" || name == "T") {
    constexpr std::array<std::string_view, 5> kModes = {"writeback", "none", "unsafe", "writethrough", "directsync"};
    if (std::ranges::find(kModes, value) == kModes.end())
      return fail("unknown cache mode{}", suggestion(value, kModes));
  }
  if (name == "backing-chain") command->chain = true;
  if (name == "r") {
    if (value != "leaks" && value != "all") return fail("leaks or all");
    command->repair = value == "all" ? DiskCommand::Repair::all : DiskCommand::Repair::leaks;
  }
  if (name == "output") {
    if (value != "human" && value != "json") return fail("human or json");
    command->json = value == "json";
  }
  if (name == "o") {
    TRY_ASSIGN(const auto items, parse_key_values(value, ""));
    for (const KeyValue& item : items) TRY(apply_option(item, command));
  }
  return {};
}

Result<> take_files(const std::vector<std::string>& files, std::string_view action_name, DiskCommand* command) {
  const std::size_t most = command->action == Action::create || command->action == Action::convert ? 2 : 1;
  const std::size_t least = command->action == Action::convert ? 2 : 1;
  if (files.size() < least)
    return fail("disk {}: {} is missing", action_name, files.empty() ? "a file" : "the new file");
  if (files.size() > most) return fail("disk {}: {}: one word too many", action_name, files[most]);
  command->file = files[0];
  if (command->action == Action::convert) command->output = files[1];
  if (command->action == Action::create && files.size() == 2) {
    auto size = parse_size(files[1], 1);
    if (!size) return fail("disk create: {}: {}", files[1], size.error().message);
    command->size = *size;
  }
  constexpr u64 kLargest = u64{1} << 62;
  if (command->size.value_or(0) > kLargest) return fail("disk create: {} bytes are too many", *command->size);
  return {};
}

}  // namespace

Result<std::variant<DiskCommand, std::string>> parse_disk_command(std::span<const std::string> words) {
  constexpr std::array<std::string_view, 4> kActions = {"create", "info", "check", "convert"};
  if (words.empty()) return fail("disk: a command is missing: create, info, check or convert");
  const std::string& action = words[0];
  if (is_help(action) || action == "-h" || action == "-help" || action == "--help")
    return std::variant<DiskCommand, std::string>(std::string(kHelp));
  const auto it = std::ranges::find(kActions, action);
  if (it == kActions.end()) return fail("disk {}: no such command{}", action, suggestion(action, kActions));
  DiskCommand command;
  command.action = static_cast<Action>(it - kActions.begin());
  const char letter = kActionLetters[static_cast<std::size_t>(command.action)];
  std::vector<std::string> files;
  bool only_files = false;
  for (std::size_t at = 1; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (only_files || word.size() < 2 || word[0] != '-') {
      files.push_back(word);
      continue;
    }
    if (word == "--") {
      only_files = true;
      continue;
    }
    if (word == "-h" || word == "--help") return std::variant<DiskCommand, std::string>(std::string(kHelp));
    // "-f qcow2", "-fqcow2", "--output json", "--output=json".
    const bool is_long = word.starts_with("--");
    std::string_view name = is_long ? std::string_view(word).substr(2) : std::string_view(word).substr(1, 1);
    std::string value;
    bool has_value = false;
    if (const std::size_t equals = name.find('='); is_long && equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
      has_value = true;
    } else if (!is_long && word.size() > 2) {
      value = word.substr(2);
      has_value = true;
    }
    const auto option = std::ranges::find_if(
        kOptions, [&](const OptionInfo& o) { return o.name == name && (o.name.size() > 1) == is_long; });
    if (option == kOptions.end() || option->actions.find(letter) == std::string_view::npos)
      return fail("disk {}: {}: unknown option (pagoda disk help lists them)", action, word);
    if (has_value && !option->has_value) return fail("disk {}: {}: unknown option", action, word);
    if (option->has_value && !has_value) {
      if (at + 1 == words.size()) return fail("disk {}: {}: a value is missing", action, word);
      value = words[++at];
    }
    const std::string shown = has_value || !option->has_value ? word : word + " " + value;
    if (auto done = apply(name, value, &command); !done)
      return fail("disk {}: {}: {}", action, shown, done.error().message);
  }
  TRY(take_files(files, action, &command));
  if (command.into_existing && command.output_format.empty()) return fail("disk convert: -n needs -O");
  if (command.force_share && command.repair != DiskCommand::Repair::none)
    return fail("disk check: -U is for reading, -r writes");
  return std::variant<DiskCommand, std::string>(std::move(command));
}

}  // namespace pagoda::cli
