// SPDX-License-Identifier: MIT
// Handlers of the options that firmware sees: -boot -fw_cfg, and the flash banks of -drive and -machine.
#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/text.h"

namespace pagoda::cli {
namespace {

// Drive letters as a PC has them (a: floppy disk, c: hard disk, d: CD-ROM, n to p: network), each once.
Result<> check_order(const KeyValue& item) {
  std::string seen;
  for (const char letter : item.value) {
    if (letter < 'a' || letter > 'p') return fail("{}={}: letters from a to p", item.key, item.value);
    if (seen.find(letter) != std::string::npos) return fail("{}={}: '{}' is given twice", item.key, item.value, letter);
    seen += letter;
  }
  return {};
}

}  // namespace

Result<> on_boot(Builder& b, std::string_view value) {
  constexpr std::array<std::string_view, 6> kKeys = {"order",       "once",           "menu",
                                                     "splash-time", "reboot-timeout", "strict"};
  constexpr u64 kLongest = 0xffff;
  TRY_ASSIGN(const auto items, parse_key_values(value, "order"));
  BootConfig& boot = b.config.boot;
  for (const KeyValue& item : items) {
    if (item.key == "order" || item.key == "once") {
      TRY(check_order(item));
    } else if (item.key == "menu") {
      TRY_ASSIGN(boot.menu, parse_switch(item));
    } else if (item.key == "strict") {
      TRY_ASSIGN(boot.strict, parse_switch(item));
    } else if (item.key == "splash-time") {
      TRY_ASSIGN(const u64 time, parse_number(item.value, "splash-time", 0, kLongest));
      boot.splash_time_ms = static_cast<u32>(time);
    } else if (item.key == "reboot-timeout") {
      if (item.value == "-1") {
        boot.reboot_timeout_ms = -1;
        continue;
      }
      TRY_ASSIGN(const u64 time, parse_number(item.value, "reboot-timeout", 0, kLongest));
      boot.reboot_timeout_ms = static_cast<i32>(time);
    } else {
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  return {};
}

Result<> on_fw_cfg(Builder& b, std::string_view value) {
  constexpr std::array<std::string_view, 3> kKeys = {"name", "file", "string"};
  constexpr std::size_t kLongestName = 55;
  TRY_ASSIGN(const auto items, parse_key_values(value, "name"));
  FwCfgItemConfig config;
  config.origin = b.origin;
  bool has_text = false;
  for (const KeyValue& item : items) {
    if (item.key == "name") {
      config.name = item.value;
    } else if (item.key == "file") {
      if (item.value.empty()) return fail("a file name is missing");
      config.file = item.value;
    } else if (item.key == "string") {
      config.text = item.value;
      has_text = true;
    } else {
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  if (config.name.empty()) return fail("name= is missing");
  if (config.name.size() > kLongestName) return fail("the name has more than {} characters", kLongestName);
  if (has_text == !config.file.empty()) return fail("either file= or string= is needed");
  for (const FwCfgItemConfig& other : b.config.fw_cfg) {
    if (other.name == config.name) return fail("the name '{}' is used twice", config.name);
  }
  b.config.fw_cfg.push_back(std::move(config));
  return {};
}

Result<> use_as_flash(Builder& b, std::optional<u64> bank, const std::string& drive) {
  auto& banks = b.config.pflash;
  if (!bank) {
    bank = 0;
    while (*bank < banks.size() && !banks[*bank].empty()) ++*bank;
    if (*bank == banks.size()) return fail("both flash banks are in use");
  }
  if (!banks[*bank].empty()) return fail("flash bank {} is used twice", *bank);
  if (std::ranges::find(banks, drive) != banks.end()) return fail("drive '{}' is already in use", drive);
  banks[*bank] = drive;
  b.pflash_origin[*bank] = b.origin;
  return {};
}

Result<> finish_flash(const Builder& b) {
  for (std::size_t bank = 0; bank < b.config.pflash.size(); ++bank) {
    const std::string& id = b.config.pflash[bank];
    if (id.empty()) continue;
    if (b.config.machine != "virt")
      return fail("{}: machine '{}' has no flash", b.pflash_origin[bank], b.config.machine);
    if (std::ranges::find(b.config.drives, id, &DriveConfig::id) == b.config.drives.end()) {
      return fail("{}: there is no drive with id '{}'", b.pflash_origin[bank], id);
    }
  }
  return {};
}

}  // namespace pagoda::cli
