// SPDX-License-Identifier: MIT
// Handlers of the options about the program's own life and the guest's surroundings: -pidfile -daemonize -action
// -no-reboot -no-shutdown -rtc -semihosting -semihosting-config -global.
#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/text.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

// Seconds since 1970 of "2026-11-22T13:14:15" or "2026-11-22", in UTC.
std::optional<i64> parse_date(const std::string& text) {
  std::tm time{};
  int used = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &time.tm_year, &time.tm_mon, &time.tm_mday, &used);
  if (fields != 3) return {};
  const char* rest = text.c_str() + used;
  if (*rest != '\0') {
    int more = 0;
    if (std::sscanf(rest, "T%2d:%2d:%2d%n", &time.tm_hour, &time.tm_min, &time.tm_sec, &more) != 3 ||
        rest[more] != '\0')
      return {};
  }
  const std::tm wanted = {.tm_sec = time.tm_sec,
                          .tm_min = time.tm_min,
                          .tm_hour = time.tm_hour,
                          .tm_mday = time.tm_mday,
                          .tm_mon = time.tm_mon - 1,
                          .tm_year = time.tm_year - 1900};
  std::tm normal = wanted;
  const std::time_t seconds = timegm(&normal);
  // A date that does not exist comes back as another one.
  const bool is_real = normal.tm_mday == wanted.tm_mday && normal.tm_mon == wanted.tm_mon &&
                       normal.tm_hour == wanted.tm_hour && normal.tm_min == wanted.tm_min &&
                       normal.tm_sec == wanted.tm_sec && time.tm_year >= 1970;
  if (!is_real) return {};
  return seconds;
}

// What -action knows: an event and the values it takes.
struct ActionValue {
  std::string_view event, value;
};
constexpr std::array kActionValues = {
    ActionValue{"reboot", "reset"},       ActionValue{"reboot", "shutdown"},   ActionValue{"shutdown", "poweroff"},
    ActionValue{"shutdown", "pause"},     ActionValue{"panic", "pause"},       ActionValue{"panic", "shutdown"},
    ActionValue{"panic", "exit-failure"}, ActionValue{"panic", "none"},        ActionValue{"watchdog", "reset"},
    ActionValue{"watchdog", "shutdown"},  ActionValue{"watchdog", "poweroff"}, ActionValue{"watchdog", "inject-nmi"},
    ActionValue{"watchdog", "pause"},     ActionValue{"watchdog", "debug"},    ActionValue{"watchdog", "none"},
};

// Globals that scripts for QEMU set and that hold here anyway.
constexpr std::array kTrueGlobals = {
    std::array<std::string_view, 3>{"virtio-mmio", "force-legacy", "false"},
    std::array<std::string_view, 3>{"virtio-mmio", "force-legacy", "off"},
};

bool has_property(std::string_view driver, std::string_view key) {
  return std::ranges::any_of(kDeviceProperties,
                             [&](const DevicePropertyInfo& info) { return info.driver == driver && info.key == key; });
}

Result<> take_semihosting_key(SemihostingConfig& config, const KeyValue& item) {
  if (item.key == "enable") {
    TRY_ASSIGN(config.enabled, parse_switch(item));
  } else if (item.key == "userspace") {
    TRY_ASSIGN(config.allows_user, parse_switch(item));
  } else if (item.key == "target") {
    if (item.value != "native" && item.value != "auto") return fail("target={}: only 'native' and 'auto'", item.value);
  } else if (item.key == "chardev") {
    config.chardev = item.value;
  } else if (item.key == "arg") {
    config.arguments.push_back(item.value);
  } else {
    constexpr std::array<std::string_view, 5> kKeys = {"enable", "userspace", "target", "chardev", "arg"};
    return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
  }
  return {};
}

}  // namespace

Result<> on_pidfile(Builder& b, std::string_view value) {
  if (value.empty()) return fail("a file name is missing");
  b.config.pidfile = value;
  return {};
}

Result<> on_stats_json(Builder& b, std::string_view value) {
  if (value.empty()) return fail("a file name is missing");
  b.config.stats_json = value;
  return {};
}

Result<> on_perfmap(Builder& b, std::string_view) {
  b.config.perf_map = true;
  return {};
}

Result<> on_daemonize(Builder& b, std::string_view) {
  b.config.daemonize = true;
  return {};
}

Result<> on_no_reboot(Builder& b, std::string_view) {
  b.config.no_reboot = true;
  return {};
}

Result<> on_no_shutdown(Builder& b, std::string_view) {
  b.config.pause_on_shutdown = true;
  return {};
}

Result<> on_action(Builder& b, std::string_view value) {
  TRY_ASSIGN(const auto items, parse_key_values(value, ""));
  for (const KeyValue& item : items) {
    constexpr std::array<std::string_view, 4> kEvents = {"reboot", "shutdown", "panic", "watchdog"};
    if (std::ranges::find(kEvents, item.key) == kEvents.end()) {
      return fail("unknown event '{}'{}", item.key, suggestion(item.key, kEvents));
    }
    const bool known = std::ranges::any_of(
        kActionValues, [&](const ActionValue& row) { return row.event == item.key && row.value == item.value; });
    if (!known) {
      std::string values;
      for (const ActionValue& row : kActionValues) {
        if (row.event == item.key) values += fmt::format("{}{}", values.empty() ? "" : ", ", row.value);
      }
      return fail("{}={}: it can be {}", item.key, item.value, values);
    }
    // No machine has a device for guest panics or a watchdog: those never happen.
    if (item.key == "reboot") b.config.no_reboot = item.value == "shutdown";
    if (item.key == "shutdown") b.config.pause_on_shutdown = item.value == "pause";
  }
  return {};
}

Result<> on_rtc(Builder& b, std::string_view value) {
  TRY_ASSIGN(const auto items, parse_key_values(value, ""));
  for (const KeyValue& item : items) {
    if (item.key == "base") {
      b.config.rtc.start.reset();
      b.config.rtc.is_local = item.value == "localtime";
      if (item.value == "utc" || item.value == "localtime") continue;
      b.config.rtc.start = parse_date(item.value);
      if (!b.config.rtc.start)
        return fail("base={}: 'utc', 'localtime' or a date like 2026-01-31T12:00:00", item.value);
    } else if (item.key == "clock") {
      if (item.value != "host" && item.value != "vm" && item.value != "rt") {
        return fail("clock={}: 'host', 'rt' or 'vm'", item.value);
      }
      b.config.rtc.is_virtual = item.value == "vm";
    } else if (item.key == "driftfix") {
      if (item.value != "none") return fail("driftfix={}: only 'none' is supported", item.value);
    } else {
      constexpr std::array<std::string_view, 3> kKeys = {"base", "clock", "driftfix"};
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  return {};
}

Result<> on_semihosting(Builder& b, std::string_view) {
  b.config.semihosting.enabled = true;
  return {};
}

Result<> on_semihosting_config(Builder& b, std::string_view value) {
  TRY_ASSIGN(const auto items, parse_key_values(value, "enable"));
  b.config.semihosting.enabled = true;
  for (const KeyValue& item : items) TRY(take_semihosting_key(b.config.semihosting, item));
  return {};
}

// "driver.key=value", or "driver=...,property=...,value=..." as in configuration files.
Result<> on_global(Builder& b, std::string_view value) {
  GlobalProperty global;
  global.origin = b.origin;
  const std::size_t dot = value.find('.'), equals = value.find('=');
  if (dot != std::string_view::npos && equals != std::string_view::npos && dot < equals) {
    global.driver = value.substr(0, dot);
    global.key = value.substr(dot + 1, equals - dot - 1);
    global.value = value.substr(equals + 1);
  } else {
    TRY_ASSIGN(const auto items, parse_key_values(value, ""));
    for (const KeyValue& item : items) {
      if (item.key == "driver") global.driver = item.value;
      if (item.key == "property") global.key = item.value;
      if (item.key == "value") global.value = item.value;
    }
  }
  if (global.driver.empty() || global.key.empty()) return fail("a global is driver.key=value");
  const std::array<std::string_view, 3> words = {global.driver, global.key, global.value};
  if (std::ranges::find(kTrueGlobals, words) != kTrueGlobals.end()) return {};
  std::vector<std::string_view> drivers;
  for (const DeviceInfo& info : kDevices) drivers.push_back(info.driver);
  if (std::ranges::find(drivers, global.driver) == drivers.end()) {
    return fail("unknown device '{}'{} (-device help lists them)", global.driver, suggestion(global.driver, drivers));
  }
  if (!has_property(global.driver, global.key)) {
    return fail("'{}' has no key '{}' (-device {},help lists them)", global.driver, global.key, global.driver);
  }
  b.config.globals.push_back(std::move(global));
  return {};
}

// A device's own word counts more than a global, a later global more than an earlier one.
Result<> finish_run(Builder& b) {
  for (DeviceConfig& device : b.config.devices) {
    for (auto global = b.config.globals.rbegin(); global != b.config.globals.rend(); ++global) {
      if (global->driver != device.driver || device.find(global->key) != nullptr) continue;
      device.properties.push_back({global->key, global->value});
    }
  }
  if (!b.config.daemonize) return {};
  for (const CharSpec& spec : b.config.chardevs) {
    if (spec.kind != CharKind::stdio) continue;
    return fail("-daemonize: {} needs the terminal (-display none -monitor none does not)", spec.origin);
  }
  return {};
}

}  // namespace pagoda::cli
