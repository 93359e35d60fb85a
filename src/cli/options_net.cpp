// SPDX-License-Identifier: MIT
// Handlers of the network options: -netdev -nic -net.
#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/text.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

constexpr std::array<std::string_view, 15> kUserKeys = {
    "id",       "net",        "host",      "dns",  "dhcpstart",        "ipv4",     "ipv6",   "restrict",
    "hostname", "domainname", "dnssearch", "tftp", "tftp-server-name", "bootfile", "hostfwd"};
constexpr std::string_view kDefaultNic = "virtio-net-device";

Result<u32> parse_address(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return fail("'{}' is not an IPv4 address", text);
  return ntohl(address.s_addr);
}

// ADDRESS[/BITS or /MASK]; without a mask that of the address's class.
Result<> parse_network(std::string_view text, UserNetSpec* spec) {
  const std::size_t slash = text.find('/');
  TRY_ASSIGN(spec->network, parse_address(text.substr(0, slash)));
  u32 bits = spec->network < 0x8000'0000 ? 8 : spec->network < 0xc000'0000 ? 16 : 24;
  spec->mask = ~u32{0} << (32 - bits);
  if (slash != std::string_view::npos) {
    const std::string_view mask = text.substr(slash + 1);
    if (mask.find('.') != std::string_view::npos) {
      TRY_ASSIGN(spec->mask, parse_address(mask));
      if (((~spec->mask + 1) & ~spec->mask) != 0) return fail("'{}' is not a mask", mask);
    } else {
      TRY_ASSIGN(bits, parse_number(mask, "the number of bits of the mask", 8, 30));
      spec->mask = ~u32{0} << (32 - bits);
    }
  }
  spec->network &= spec->mask;
  return {};
}

// [tcp|udp]:[ADDRESS]:PORT-[ADDRESS]:PORT
Result<HostForward> parse_forward(std::string_view text) {
  HostForward forward;
  forward.text = text;
  std::array<std::string_view, 5> parts;  // protocol, address, port, address, port
  std::string_view rest = text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const char separator = i == 2 ? '-' : ':';
    const std::size_t end = i == 4 ? rest.size() : rest.find(separator);
    if (end == std::string_view::npos)
      return fail("hostfwd={}: not of the form tcp|udp:[address]:port-[address]:port", text);
    parts[i] = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (parts[0] != "tcp" && parts[0] != "udp" && !parts[0].empty())
    return fail("hostfwd={}: the protocol is tcp or udp", text);
  forward.udp = parts[0] == "udp";
  const auto address = [&](std::string_view part, u32* out) -> Result<> {
    if (part.empty()) return {};
    const Result<u32> parsed = parse_address(part);
    if (!parsed) return fail("hostfwd={}: {}", text, parsed.error().message);
    *out = *parsed;
    return {};
  };
  const auto port = [&](std::string_view part, u64 least, u16* out) -> Result<> {
    const Result<u64> parsed = parse_number(part, "a port", least, 65535);
    if (!parsed) return fail("hostfwd={}: {}", text, parsed.error().message);
    *out = static_cast<u16>(*parsed);
    return {};
  };
  TRY(address(parts[1], &forward.host_address));
  TRY(port(parts[2], 0, &forward.host_port));
  TRY(address(parts[3], &forward.guest_address));
  TRY(port(parts[4], 1, &forward.guest_port));
  return forward;
}

Result<> parse_user_key(const KeyValue& item, UserNetSpec* spec) {
  if (!item.has_value || item.value.empty()) return fail("'{}' needs a value", item.key);
  const auto address = [&](u32* out) -> Result<> {
    TRY_ASSIGN(*out, parse_address(item.value));
    return {};
  };
  if (item.key == "net") return parse_network(item.value, spec);
  if (item.key == "host") return address(&spec->host);
  if (item.key == "dns") return address(&spec->dns);
  if (item.key == "dhcpstart") return address(&spec->dhcp_start);
  if (item.key == "hostname") {
    spec->hostname = item.value;
  } else if (item.key == "domainname") {
    spec->domain = item.value;
  } else if (item.key == "dnssearch") {
    spec->dns_search.push_back(item.value);
  } else if (item.key == "tftp") {
    spec->tftp = item.value;
  } else if (item.key == "tftp-server-name") {
    spec->tftp_server_name = item.value;
  } else if (item.key == "bootfile") {
    spec->bootfile = item.value;
  } else if (item.key == "hostfwd") {
    TRY_ASSIGN(HostForward forward, parse_forward(item.value));
    spec->forwards.push_back(std::move(forward));
  } else if (item.key == "restrict") {
    TRY_ASSIGN(spec->restricted, parse_switch(item));
  } else if (item.key == "ipv4") {
    TRY_ASSIGN(spec->ipv4, parse_switch(item));
  } else {
    TRY_ASSIGN(spec->ipv6, parse_switch(item));
  }
  return {};
}

// The addresses are the network's own.
Result<> check_addresses(const UserNetSpec& spec) {
  for (const auto& [name, address] :
       {std::pair{"host", spec.host}, {"dns", spec.dns}, {"dhcpstart", spec.dhcp_start}}) {
    if (address != 0 && (address & spec.mask) != spec.network)
      return fail("{}= is not an address of the network", name);
  }
  for (const HostForward& forward : spec.forwards) {
    if (forward.guest_address != 0 && (forward.guest_address & spec.mask) != spec.network)
      return fail("hostfwd={}: the guest's address is not one of the network", forward.text);
  }
  return {};
}

bool has_netdev(const MachineConfig& config, std::string_view id) {
  return std::ranges::find(config.netdevs, id, &UserNetSpec::id) != config.netdevs.end();
}

Result<> set_card(const std::string& model, DeviceConfig* device) {
  device->driver = model == "virtio" ? kDefaultNic : std::string_view(model);
  const auto info = std::ranges::find(kDevices, device->driver, &DeviceInfo::driver);
  if (info == kDevices.end() || info->category != "Network")
    return fail("model={}: there is no such network card (-device help lists them)", model);
  return {};
}

// What -netdev, -net and -nic share; `device` null: without the keys of a card. `may_be_nameless`: as -nic, an id is
// made up.
Result<> parse_user(Builder& b, std::string_view value, DeviceConfig* device, bool may_be_nameless) {
  TRY_ASSIGN(const auto items, parse_items(value, "type"));
  UserNetSpec spec;
  spec.origin = b.origin;
  for (const KeyValue& item : items) {
    if (item.key == "type") {
      if (item.value != "user") return fail("'{}': only 'user' is supported", item.value);
    } else if (item.key == "id") {
      TRY(check_id(item.value));
      spec.id = item.value;
    } else if (device != nullptr && item.key == "mac") {
      TRY(check_mac(item.value));
      device->properties.push_back({"mac", item.value});
    } else if (device != nullptr && item.key == "model") {
      TRY(set_card(item.value, device));
    } else {
      if (std::ranges::find(kUserKeys, item.key) == kUserKeys.end())
        return fail("unknown key '{}'{}", item.key, suggestion(item.key, kUserKeys));
      TRY(parse_user_key(item, &spec));
    }
  }
  TRY(check_addresses(spec));
  if (!may_be_nameless && spec.id.empty()) return fail("id= is missing");
  for (u32 i = 0; spec.id.empty(); ++i) {
    std::string id = fmt::format("nic{}", i);
    if (!has_netdev(b.config, id)) spec.id = std::move(id);
  }
  if (has_netdev(b.config, spec.id)) return fail("id '{}' is used twice", spec.id);
  b.config.netdevs.push_back(std::move(spec));
  return {};
}

}  // namespace

Result<> check_mac(std::string_view text) {
  constexpr std::size_t kLength = 17;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
  bool good = text.size() == kLength;
  for (std::size_t i = 0; good && i < kLength; ++i) good = i % 3 == 2 ? text[i] == ':' : is_hex(text[i]);
  if (!good) return fail("'{}' is not an address like 52:54:00:12:34:56", text);
  // The lowest bit of the first byte marks groups.
  if (std::string_view("13579bdfBDF").find(text[1]) != std::string_view::npos)
    return fail("'{}' is the address of a group, not of a card", text);
  return {};
}

Result<> on_netdev(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = netdev_list();
    return {};
  }
  return parse_user(b, value, nullptr, false);
}

Result<> on_nic(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = netdev_list();
    return {};
  }
  if (value == "none") return {};
  DeviceConfig device;
  device.driver = kDefaultNic;
  device.origin = b.origin;
  TRY(parse_user(b, value, &device, true));
  device.properties.push_back({"netdev", b.config.netdevs.back().id});
  b.config.devices.push_back(std::move(device));
  return {};
}

Result<> on_net(Builder& b, std::string_view value) {
  if (value == "none") return {};
  TRY_ASSIGN(const auto items, parse_key_values(value, "type"));
  const std::string kind = items.front().key == "type" ? items.front().value : std::string();
  if (kind == "user") {
    TRY(parse_user(b, value, nullptr, true));
    b.net_users.push_back(b.config.netdevs.back().id);
    return {};
  }
  if (kind != "nic") return fail("'{}': only 'none', 'user' and 'nic' are supported", kind);
  DeviceConfig device;
  device.driver = kDefaultNic;
  device.origin = b.origin;
  bool has_network = false;
  for (const KeyValue& item : items) {
    if (item.key == "type") continue;
    if (item.key == "model") {
      TRY(set_card(item.value, &device));
    } else if (item.key == "macaddr") {
      TRY(check_mac(item.value));
      device.properties.push_back({"mac", item.value});
    } else if (item.key == "netdev") {
      device.properties.push_back({"netdev", item.value});
      has_network = true;
    } else {
      constexpr std::array<std::string_view, 3> kKeys = {"model", "macaddr", "netdev"};
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  if (!has_network) b.net_cards.push_back(b.config.devices.size());
  b.config.devices.push_back(std::move(device));
  return {};
}

// QEMU puts all of them on one wire; with one of each that is the same.
Result<> finish_networks(Builder& b) {
  constexpr std::string_view kWhy = "one -net user with one -net nic; -nic and -netdev make more networks";
  if (b.net_cards.size() > 1) return fail("{}: {}", b.config.devices[b.net_cards.back()].origin, kWhy);
  if (b.net_users.size() > 1) {
    const auto network = std::ranges::find(b.config.netdevs, b.net_users.back(), &UserNetSpec::id);
    return fail("{}: {}", network->origin, kWhy);
  }
  if (!b.net_users.empty() && !b.net_cards.empty())
    b.config.devices[b.net_cards.front()].properties.push_back({"netdev", b.net_users.front()});
  return {};
}

}  // namespace pagoda::cli
