// SPDX-License-Identifier: MIT
// -readconfig: groups of a configuration file as the options they stand for.
#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <string>

#include "base/suggest.h"
#include "cli/builder.h"

namespace pagoda::cli {
namespace {

// A group's name in the file, the option it stands for, and the key of the group's id in quotes.
struct Group {
  std::string_view name, option, id_key;
};
constexpr std::array kGroups = {
    Group{"machine", "machine", ""},
    Group{"memory", "m", ""},
    Group{"smp-opts", "smp", ""},
    Group{"name", "name", ""},
    Group{"accel", "accel", ""},
    Group{"icount", "icount", ""},
    Group{"rtc", "rtc", ""},
    Group{"action", "action", ""},
    Group{"semihosting-config", "semihosting-config", ""},
    Group{"global", "global", ""},
    Group{"drive", "drive", "id"},
    Group{"device", "device", "id"},
    Group{"object", "object", "id"},
    Group{"chardev", "chardev", "id"},
    Group{"mon", "mon", ""},
    Group{"netdev", "netdev", "id"},
    Group{"net", "net", ""},
    Group{"nic", "nic", ""},
    Group{"fsdev", "fsdev", "id"},
    Group{"virtfs", "virtfs", ""},
    Group{"boot-opts", "boot", ""},
    Group{"fw_cfg", "fw_cfg", ""},
};

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  while (!text.empty() && kBlanks.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  return text;
}

// "text" without its quotes; nothing if it has none.
std::optional<std::string_view> quoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return {};
  text = text.substr(1, text.size() - 2);
  if (text.find('"') != std::string_view::npos) return {};
  return text;
}

struct Section {
  const Group* group = nullptr;
  std::string value;  // of the option, so far

  void add(std::string_view key, std::string_view text) {
    // The kind of a thing is the option's first word.
    const bool has_kind = group->option != "global" && group->option != "drive";
    const bool is_kind = has_kind && (key == "type" || key == "driver" || key == "qom-type" || key == "backend");
    std::string item = is_kind ? std::string() : fmt::format("{}=", key);
    for (const char c : text) {
      item += c;
      if (c == ',') item += ',';
    }
    if (item.empty()) return;
    if (value.empty()) {
      value = item;
    } else if (is_kind) {
      value = fmt::format("{},{}", item, value);
    } else {
      value += fmt::format(",{}", item);
    }
  }
};

Result<> finish_section(Builder& b, const Section& section) {
  if (section.group == nullptr) return {};
  const std::string origin = b.origin;
  auto done = handle_option(b, section.group->option, section.value);
  b.origin = origin;
  return done;
}

// "[group]" or "[group "id"]"
Result<Section> begin_section(std::string_view line) {
  std::string_view inside = trim(line.substr(1, line.size() - 2));
  const std::string_view name = inside.substr(0, inside.find_first_of(" \t"));
  const auto group = std::ranges::find(kGroups, name, &Group::name);
  if (group == kGroups.end()) {
    std::vector<std::string_view> names;
    for (const Group& row : kGroups) names.push_back(row.name);
    return fail("unknown group '{}'{}", name, suggestion(name, names));
  }
  Section section{&*group, {}};
  const std::string_view id = trim(inside.substr(name.size()));
  if (id.empty()) return section;
  const auto text = quoted(id);
  if (!text || text->empty()) return fail("a group is [name] or [name \"id\"]");
  if (!group->id_key.empty()) section.add(group->id_key, *text);
  return section;
}

}  // namespace

Result<> on_readconfig(Builder& b, std::string_view value) {
  const std::string path(value);
  std::ifstream file(path);
  if (!file) return fail("the file cannot be read");
  Section section;
  u32 number = 0;
  const auto in_line = [&](const Error& error) { return fail("line {}: {}", number, error.message); };
  for (std::string text; std::getline(file, text);) {
    ++number;
    const std::string_view line = trim(text);
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '[') {
      if (line.back() != ']') return fail("line {}: a group's name ends in ]", number);
      if (const auto done = finish_section(b, section); !done) return in_line(done.error());
      auto next = begin_section(line);
      if (!next) return in_line(next.error());
      section = std::move(*next);
      continue;
    }
    const std::size_t equals = line.find('=');
    const auto word = equals == std::string_view::npos ? std::nullopt : quoted(trim(line.substr(equals + 1)));
    if (!word) return fail("line {}: expected key = \"value\"", number);
    if (section.group == nullptr) return fail("line {}: a [group] comes first", number);
    section.add(trim(line.substr(0, equals)), *word);
  }
  if (const auto done = finish_section(b, section); !done) return in_line(done.error());
  return {};
}

}  // namespace pagoda::cli
