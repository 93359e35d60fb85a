// SPDX-License-Identifier: MIT
// Handlers of the options that say where characters go: -serial -chardev -monitor -nographic -display.
#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/help.h"
#include "cli/text.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

struct KindName {
  std::string_view name;
  CharKind kind;
};
constexpr std::array kKinds = {
    KindName{"stdio", CharKind::stdio}, KindName{"file", CharKind::file},     KindName{"null", CharKind::null},
    KindName{"pty", CharKind::pty},     KindName{"socket", CharKind::socket}, KindName{"pipe", CharKind::pipe},
};

// Nobody's own: an id does not begin with "@".
constexpr std::string_view kGdbChardev = "@gdb";

const CharSpec* find_chardev(const MachineConfig& config, std::string_view id) {
  const auto it = std::ranges::find(config.chardevs, id, &CharSpec::id);
  return it == config.chardevs.end() ? nullptr : &*it;
}

Result<> add_chardev(MachineConfig& config, CharSpec spec) {
  if (find_chardev(config, spec.id) != nullptr) return fail("id '{}' is used twice", spec.id);
  config.chardevs.push_back(std::move(spec));
  return {};
}

// A socket's "server" and "wait", also in the old short forms "server" and "nowait", and what makes no difference here:
// "nodelay" is always on and a lost peer of a client's is not looked for again. False: not one of them.
Result<bool> take_socket_key(CharSpec& spec, const KeyValue& item) {
  if (item.key == "nowait" && !item.has_value) {
    spec.wait = false;
  } else if (item.key == "nodelay" || item.key == "delay") {
    if (item.has_value) TRY(parse_switch(item));
  } else if (item.key == "server" || item.key == "wait") {
    bool& flag = item.key == "server" ? spec.server : spec.wait;
    flag = true;
    if (item.has_value) {
      TRY_ASSIGN(flag, parse_switch(item));
    }
  } else {
    return false;
  }
  return true;
}

// "host:port", "[address]:port" or ":port".
Result<> set_tcp_address(CharSpec& spec, std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) {
    return fail("a port is missing: an address is host:port or :port");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  TRY(parse_number(text.substr(colon + 1), "the port", 1, 65535));
  spec.host = host;
  spec.port = text.substr(colon + 1);
  return {};
}

// The path of a Unix socket address, which the kernel keeps in 108 bytes.
Result<> check_socket_path(std::string_view path) {
  if (path.empty()) return fail("the socket's path is missing");
  if (path.size() > 107) return fail("the socket's path is longer than 107 characters");
  return {};
}

// What -serial and -monitor take, but for "none" and "chardev:".
Result<CharSpec> parse_backend(std::string_view value) {
  CharSpec spec;
  if (value.starts_with("mon:")) {
    spec.mux = true;
    value.remove_prefix(4);
  }
  constexpr std::array<std::string_view, 10> kNames = {"stdio", "null",  "none", "pty",     "mon:stdio",
                                                       "file:", "unix:", "tcp:", "telnet:", "pipe:"};
  if (value == "null") {
    spec.kind = CharKind::null;
  } else if (value == "stdio") {
    spec.kind = CharKind::stdio;
    spec.signal = !spec.mux;  // with the monitor at hand Ctrl-C belongs to the guest
  } else if (value == "pty") {
    spec.kind = CharKind::pty;
  } else if (value.starts_with("file:")) {
    spec.kind = CharKind::file;
    spec.path = value.substr(5);
    if (spec.path.empty()) return fail("the file's name is missing");
  } else if (value.starts_with("pipe:")) {
    spec.kind = CharKind::pipe;
    spec.path = value.substr(5);
    if (spec.path.empty()) return fail("the pipe's name is missing");
  } else if (value.starts_with("unix:") || value.starts_with("tcp:") || value.starts_with("telnet:")) {
    const bool is_unix = value.starts_with("unix:");
    spec.kind = CharKind::socket;
    spec.telnet = value.starts_with("telnet:");
    TRY_ASSIGN(const auto items, parse_key_values(value.substr(value.find(':') + 1), "address"));
    for (const KeyValue& item : items) {
      if (item.key == "address") {
        if (is_unix) {
          spec.path = item.value;
        } else {
          TRY(set_tcp_address(spec, item.value));
        }
        continue;
      }
      constexpr std::array<std::string_view, 3> kKeys = {"server", "wait", "nodelay"};
      TRY_ASSIGN(const bool taken, take_socket_key(spec, item));
      if (!taken) return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
    if (is_unix) TRY(check_socket_path(spec.path));
  } else {
    return fail(
        "unknown back end '{}'{} (stdio, mon:stdio, null, none, pty, file:, pipe:, unix:, tcp:, telnet: and chardev: "
        "are "
        "supported)",
        value, suggestion(value, kNames));
  }
  return spec;
}

// The chardev that -serial or -monitor means; an empty id for "none".
Result<std::string> resolve_backend(Builder& b, std::string_view value, std::string id) {
  if (value == "none") return std::string{};
  if (value.starts_with("chardev:")) {
    value.remove_prefix(8);
    return std::string(value);  // checked at the end: -chardev may come later
  }
  TRY_ASSIGN(CharSpec spec, parse_backend(value));
  spec.id = id;
  spec.origin = b.origin;
  if (spec.mux) {
    b.config.monitors.push_back(id);
    b.monitor_given = true;
  }
  TRY(add_chardev(b.config, std::move(spec)));
  return id;
}

// What happens to a serial port and a monitor that nobody asked for.
void add_default_consoles(Builder& b) {
  MachineConfig& config = b.config;
  const bool wants_serial = !b.serial_given && !config.nodefaults;
  const bool wants_monitor = !b.monitor_given && !config.nodefaults;
  const bool terminal_is_free =
      std::ranges::none_of(config.chardevs, [](const CharSpec& spec) { return spec.kind == CharKind::stdio; });
  // As -nographic: with no window to show, the terminal is the only place.
  const bool use_terminal = (config.nographic || !b.display_none) && terminal_is_free;
  if (!wants_serial && !(wants_monitor && use_terminal)) return;
  CharSpec spec;
  spec.id = wants_serial ? "serial0" : "monitor0";
  if (find_chardev(config, spec.id) != nullptr) spec.id += "-default";
  spec.kind = use_terminal ? CharKind::stdio : CharKind::null;
  spec.mux = use_terminal && wants_serial && wants_monitor;
  spec.signal = !spec.mux;
  spec.origin = config.nographic ? "-nographic" : "the default serial port";
  if (wants_serial) config.serials.push_back(spec.id);
  if (wants_monitor && use_terminal) config.monitors.push_back(spec.id);
  config.chardevs.push_back(std::move(spec));
}

}  // namespace

Result<> on_nographic(Builder& b, std::string_view) {
  b.config.nographic = true;
  return {};
}

Result<> on_display(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = "Available display types:\nnone\n";
    return {};
  }
  if (value != "none") return fail("only 'none' is supported");
  b.display_none = true;
  return {};
}

Result<> on_serial(Builder& b, std::string_view value) {
  b.serial_given = true;
  TRY_ASSIGN(std::string id, resolve_backend(b, value, fmt::format("serial{}", b.config.serials.size())));
  b.config.serials.push_back(std::move(id));
  return {};
}

Result<> on_monitor(Builder& b, std::string_view value) {
  b.monitor_given = true;
  TRY_ASSIGN(std::string id, resolve_backend(b, value, fmt::format("monitor{}", b.config.monitors.size())));
  const bool named_twice = !id.empty() && std::ranges::find(b.config.monitors, id) != b.config.monitors.end();
  if (!id.empty() && !named_twice) b.config.monitors.push_back(std::move(id));
  return {};
}

Result<> on_gdb(Builder& b, std::string_view value) {
  b.config.gdb.clear();
  std::erase_if(b.config.chardevs, [](const CharSpec& spec) { return spec.id == kGdbChardev; });
  if (value == "none") return {};
  if (value.starts_with("chardev:")) {
    b.config.gdb = value.substr(8);
    return {};
  }
  TRY_ASSIGN(CharSpec spec, parse_backend(value));
  if (spec.mux) return fail("a debugger shares its connection with nobody");
  spec.id = kGdbChardev;
  spec.origin = b.origin;
  // Nobody wants to wait, nor to connect to a debugger, unless he says so.
  const bool says_server = value.find(",server") != std::string_view::npos;
  if (spec.kind == CharKind::socket && !says_server) {
    spec.server = true;
    spec.wait = false;
  }
  b.config.gdb = spec.id;
  return add_chardev(b.config, std::move(spec));
}

Result<> on_gdb_default(Builder& b, std::string_view) { return on_gdb(b, "tcp::1234"); }

Result<> on_start_stopped(Builder& b, std::string_view) {
  b.config.start_stopped = true;
  return {};
}

// "[chardev=]id[,mode=readline]"
Result<> on_mon(Builder& b, std::string_view value) {
  TRY_ASSIGN(const auto items, parse_key_values(value, "chardev"));
  std::string id;
  for (const KeyValue& item : items) {
    if (item.key == "chardev") {
      id = item.value;
    } else if (item.key == "mode") {
      if (item.value != "readline") return fail("mode={}: only 'readline' is supported", item.value);
    } else {
      constexpr std::array<std::string_view, 2> kKeys = {"chardev", "mode"};
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  if (id.empty()) return fail("chardev= is missing");
  b.mon_origins.emplace(id, b.origin);
  return on_monitor(b, "chardev:" + id);
}

Result<> on_chardev(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = chardev_list();
    return {};
  }
  TRY_ASSIGN(const auto items, parse_key_values(value, "backend"));
  CharSpec spec;
  spec.origin = b.origin;
  std::vector<std::string_view> keys = {"id", "mux", "logfile", "logappend"};
  for (const KeyValue& item : items) {
    if (item.key == "backend") {
      const auto kind = std::ranges::find(kKinds, item.value, &KindName::name);
      if (kind == kKinds.end()) {
        std::vector<std::string_view> names;
        for (const KindName& row : kKinds) names.push_back(row.name);
        return fail("unknown back end '{}'{} (-chardev help lists them)", item.value, suggestion(item.value, names));
      }
      spec.kind = kind->kind;
      if (spec.kind == CharKind::stdio) keys.push_back("signal");
      if (spec.kind == CharKind::file) keys.insert(keys.end(), {"path", "append"});
      if (spec.kind == CharKind::pty || spec.kind == CharKind::pipe) keys.push_back("path");
      if (spec.kind == CharKind::socket)
        keys.insert(keys.end(), {"path", "host", "port", "server", "wait", "nowait", "nodelay", "telnet"});
      continue;
    }
    if (std::ranges::find(keys, item.key) == keys.end()) {
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, keys));
    }
    if (item.key == "id") {
      TRY(check_id(item.value));
      spec.id = item.value;
    } else if (item.key == "path") {
      spec.path = item.value;
    } else if (item.key == "host") {
      spec.host = item.value;
    } else if (item.key == "port") {
      TRY(parse_number(item.value, "port", 1, 65535));
      spec.port = item.value;
    } else if (item.key == "mux") {
      TRY_ASSIGN(spec.mux, parse_switch(item));
    } else if (item.key == "signal") {
      TRY_ASSIGN(spec.signal, parse_switch(item));
    } else if (item.key == "append") {
      TRY_ASSIGN(spec.append, parse_switch(item));
    } else if (item.key == "logfile") {
      if (item.value.empty()) return fail("logfile: a file name is missing");
      spec.log_file = item.value;
    } else if (item.key == "logappend") {
      TRY_ASSIGN(spec.log_append, parse_switch(item));
    } else if (item.key == "telnet") {
      TRY_ASSIGN(spec.telnet, parse_switch(item));
    } else {
      TRY_ASSIGN([[maybe_unused]] const bool taken, take_socket_key(spec, item));
    }
  }
  if (items.front().key != "backend") return fail("the kind of back end comes first (-chardev help lists them)");
  if (spec.id.empty()) return fail("id= is missing");
  const bool needs_path = spec.kind == CharKind::file || spec.kind == CharKind::pipe;
  if (needs_path && spec.path.empty()) return fail("path= is missing");
  if (spec.kind == CharKind::socket) {
    if (!spec.path.empty() && !(spec.port.empty() && spec.host.empty())) return fail("path= or port=, not both");
    if (!spec.host.empty() && spec.port.empty()) return fail("port= is missing");
    if (spec.port.empty() && spec.path.empty()) return fail("path= or port= is missing");
    if (spec.port.empty()) TRY(check_socket_path(spec.path));
  }
  return add_chardev(b.config, std::move(spec));
}

Result<> finish_consoles(Builder& b) {
  add_default_consoles(b);
  const MachineConfig& config = b.config;
  const CharSpec* terminal = nullptr;
  for (const CharSpec& spec : config.chardevs) {
    if (spec.kind != CharKind::stdio) continue;
    if (terminal != nullptr) return fail("{}: stdio is already taken by {}", spec.origin, terminal->origin);
    terminal = &spec;
  }
  std::vector<std::string_view> users;
  const auto use = [&](std::string_view origin, std::string_view id) -> Result<> {
    const CharSpec* spec = find_chardev(config, id);
    if (spec == nullptr) return fail("{}: there is no chardev with id '{}'", origin, id);
    if (!spec->mux && std::ranges::find(users, id) != users.end()) {
      return fail("{}: chardev '{}' is already in use (mux=on shares it)", origin, id);
    }
    users.push_back(id);
    return {};
  };
  for (const std::string& id : config.serials) {
    if (!id.empty()) TRY(use("-serial chardev:" + id, id));
  }
  for (const std::string& id : config.monitors) {
    const auto origin = b.mon_origins.find(id);
    TRY(use(origin != b.mon_origins.end() ? origin->second : "-monitor chardev:" + id, id));
  }
  if (!config.semihosting.chardev.empty()) {
    TRY(use("-semihosting-config chardev=" + config.semihosting.chardev, config.semihosting.chardev));
  }
  if (!config.gdb.empty()) TRY(use("-gdb chardev:" + config.gdb, config.gdb));
  for (const DeviceConfig& device : config.devices) {
    if (const std::string* id = device.find("chardev")) TRY(use(device.origin, *id));
  }
  return {};
}

}  // namespace pagoda::cli
