// SPDX-License-Identifier: MIT
// From words to handlers: the program's name, the guest, then options by the table.
#include "cli/parse.h"

#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/disk_options.h"
#include "cli/help.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

struct Option {
  std::string_view name;
  std::string_view other_name;
  bool has_argument;
  Result<> (*handler)(Builder&, std::string_view);
};
struct UnsupportedOption {
  std::string_view name;
  std::string_view accepted;  // a harmless value, or empty
};

#define PAGODA_OPTION_GROUP(title)
#define PAGODA_OPTION(name, other_name, argument, handler, help) \
  Option{name, other_name, !std::string_view(argument).empty(), handler},
#define PAGODA_UNSUPPORTED_OPTION(name, accepted)
constexpr std::array kOptions = {
#include "cli/options.def"
};
#undef PAGODA_OPTION
#undef PAGODA_UNSUPPORTED_OPTION
#define PAGODA_OPTION(name, other_name, argument, handler, help)
#define PAGODA_UNSUPPORTED_OPTION(name, accepted) UnsupportedOption{name, accepted},
constexpr std::array kUnsupportedOptions = {
#include "cli/options.def"
};
#undef PAGODA_OPTION
#undef PAGODA_UNSUPPORTED_OPTION
#undef PAGODA_OPTION_GROUP

const Option* find_option(std::string_view name) {
  const auto it = std::ranges::find_if(
      kOptions, [&](const Option& o) { return o.name == name || (!o.other_name.empty() && o.other_name == name); });
  return it == kOptions.end() ? nullptr : &*it;
}

const UnsupportedOption* find_unsupported(std::string_view name) {
  const auto it = std::ranges::find(kUnsupportedOptions, name, &UnsupportedOption::name);
  return it == kUnsupportedOptions.end() ? nullptr : &*it;
}

bool is_guest(std::string_view name) { return std::ranges::find(kGuests, name, &GuestInfo::name) != kGuests.end(); }

// The word without its one or two dashes; empty when it is no option.
std::string_view option_name(std::string_view word) {
  if (word.size() < 2 || word[0] != '-') return {};
  return word.substr(word[1] == '-' ? 2 : 1);
}

std::unexpected<Error> unknown_option(std::string_view word, std::string_view name) {
  const std::string_view before_equals = name.substr(0, name.find('='));
  if (before_equals.size() < name.size() && find_option(before_equals) != nullptr) {
    return fail("{}: the value is a word of its own: -{} {}", word, before_equals,
                name.substr(before_equals.size() + 1));
  }
  return fail("{}: unknown option{}", word, suggestion(name, option_names(), "-"));
}

// Handles words[at] and its argument; returns how many words that were.
Result<std::size_t> parse_option(Builder& b, std::span<const std::string> words, std::size_t at) {
  const std::string& word = words[at];
  const std::string_view name = option_name(word);
  if (name.empty()) {
    if (word.empty()) return fail("an empty argument where an option is expected");
    return fail("{}: an option is expected (a disk image is given as -drive file={})", word, word);
  }
  const Option* option = find_option(name);
  if (option == nullptr) {
    const UnsupportedOption* unsupported = find_unsupported(name);
    if (unsupported == nullptr) return unknown_option(word, name);
    if (unsupported->accepted.empty()) return fail("{}: this option of QEMU's is not supported", word);
    if (at + 1 < words.size() && words[at + 1] == unsupported->accepted) return 2;
    return fail("{}: only '{}' is supported", word, unsupported->accepted);
  }
  std::string_view value;
  b.origin = word;
  if (option->has_argument) {
    if (at + 1 >= words.size()) return fail("{}: an argument is missing", word);
    value = words[at + 1];
    b.origin += ' ';
    b.origin += value;
  }
  if (auto done = option->handler(b, value); !done) return fail("{}: {}", b.origin, done.error().message);
  return option->has_argument ? 2 : 1;
}

Result<ParsedCommandLine> parse_options(std::string_view guest, std::span<const std::string> words) {
  Builder b;
  b.config.guest = guest;
  for (std::size_t at = 0; at < words.size();) {
    TRY_ASSIGN(const std::size_t used, parse_option(b, words, at));
    if (b.text) return ParsedCommandLine{ParsedCommandLine::Command::print, {}, std::move(*b.text), {}, {}};
    at += used;
  }
  TRY(finish(b));
  return ParsedCommandLine{ParsedCommandLine::Command::run, std::move(b.config), {}, {}, {}};
}

// "pagoda-system-riscv64" names its guest.
constexpr std::string_view kLinkPrefix = "pagoda-system-";

std::string guest_names() {
  std::string names;
  for (const GuestInfo& guest : kGuests) names += fmt::format("{}{}", names.empty() ? "" : ", ", guest.name);
  return names;
}

}  // namespace

Result<ParsedCommandLine> parse(std::span<const std::string> arguments) {
  const auto print = [](std::string text) {
    return ParsedCommandLine{ParsedCommandLine::Command::print, {}, std::move(text), {}, {}};
  };
  std::string_view program = arguments.empty() ? std::string_view("pagoda") : std::string_view(arguments[0]);
  if (!arguments.empty()) arguments = arguments.subspan(1);
  program.remove_prefix(program.rfind('/') == std::string_view::npos ? 0 : program.rfind('/') + 1);
  if (program.starts_with(kLinkPrefix)) {
    const std::string_view guest = program.substr(kLinkPrefix.size());
    if (!is_guest(guest)) return fail("{}: there is no guest '{}' (guests: {})", program, guest, guest_names());
    return parse_options(guest, arguments);
  }
  if (arguments.empty()) return fail("no guest given; 'pagoda help' tells how to start one");
  const std::string& first = arguments[0];
  const std::span<const std::string> rest = arguments.subspan(1);
  if (is_guest(first)) return parse_options(first, rest);
  if (first == "describe" || first == "backends") {
    ParsedCommandLine line;
    line.command = first == "describe" ? ParsedCommandLine::Command::describe : ParsedCommandLine::Command::backends;
    line.arguments.assign(rest.begin(), rest.end());
    return line;
  }
  if (first == "disk") {
    TRY_ASSIGN(auto command, parse_disk_command(rest));
    if (auto* text = std::get_if<std::string>(&command)) return print(std::move(*text));
    ParsedCommandLine parsed;
    parsed.command = ParsedCommandLine::Command::disk;
    parsed.disk = std::move(std::get<DiskCommand>(command));
    return parsed;
  }
  const std::string_view option = option_name(first);
  if (first == "help" || option == "help" || option == "h") {
    if (rest.empty()) return print(help_text(""));
    if (!is_guest(rest[0])) return fail("{}: there is no guest '{}' (guests: {})", first, rest[0], guest_names());
    return print(help_text(rest[0]));
  }
  if (first == "version" || option == "version") return print(version_text());
  if (!option.empty()) {
    return fail("{}: the first argument is the guest: pagoda {} {} ...", first, kGuests[0].name, first);
  }
  std::vector<std::string_view> words = {"backends", "describe", "disk", "help", "version"};
  for (const GuestInfo& guest : kGuests) words.push_back(guest.name);
  return fail("{}: neither a guest ({}) nor a command{}", first, guest_names(), suggestion(first, words));
}

Result<> handle_option(Builder& b, std::string_view name, std::string_view value) {
  const Option* option = find_option(name);
  if (option == nullptr) return fail("-{}: this option of QEMU's is not supported", name);
  b.origin = fmt::format("-{} {}", name, value);
  if (auto done = option->handler(b, value); !done) return fail("{}: {}", b.origin, done.error().message);
  return {};
}

Result<> finish(Builder& b) {
  for (DriveConfig& drive : b.config.drives) drive.snapshot = drive.snapshot || b.snapshot;
  TRY(finish_machine(b));
  TRY(finish_networks(b));
  TRY(finish_consoles(b));
  TRY(finish_run(b));
  return finish_devices(b);
}

}  // namespace pagoda::cli
