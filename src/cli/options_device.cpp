// SPDX-License-Identifier: MIT
// Handlers of the options that plug things in: -drive -device -object -nodefaults, and the references between them.
#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/options_block.h"
#include "cli/text.h"
#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

// Keys that every driver has.
constexpr std::array kCommonProperties = {
    DevicePropertyInfo{"", "id", PropertyKind::string, ""},
    DevicePropertyInfo{"", "bus", PropertyKind::string, ""},
};

const DevicePropertyInfo* find_property(std::string_view driver, std::string_view key) {
  for (const DevicePropertyInfo& property : kCommonProperties) {
    if (property.key == key) return &property;
  }
  for (const DevicePropertyInfo& property : kDeviceProperties) {
    if (property.driver == driver && property.key == key) return &property;
  }
  return nullptr;
}

std::vector<std::string_view> property_keys(std::string_view driver) {
  std::vector<std::string_view> keys;
  for (const DevicePropertyInfo& property : kCommonProperties) keys.push_back(property.key);
  for (const DevicePropertyInfo& property : kDeviceProperties) {
    if (property.driver == driver) keys.push_back(property.key);
  }
  return keys;
}

// QEMU's other names: "virtio-blk" is the PCI device, and modern drivers are the only ones there are.
std::string full_driver_name(std::string name) {
  constexpr std::string_view kModern = "-pci-non-transitional";
  if (name.ends_with(kModern)) name.resize(name.size() - kModern.size());
  std::string on_pci = name + "-pci";
  return std::ranges::find(kDevices, on_pci, &DeviceInfo::driver) != kDevices.end() ? on_pci : name;
}

template <class List>
bool has_id(const List& list, std::string_view id) {
  return std::ranges::any_of(list, [&](const auto& entry) { return entry.id == id; });
}

Result<> check_value(const DevicePropertyInfo& property, const KeyValue& item) {
  if (property.kind == PropertyKind::nothing) {
    if (item.value.empty()) return {};
    return fail("{}={}: only {}= without a value is supported", item.key, item.value, item.key);
  }
  if (!item.has_value || item.value.empty()) return fail("'{}' needs a value", item.key);
  if (property.kind == PropertyKind::on && item.value == "auto") return {};
  if (property.kind == PropertyKind::on || property.kind == PropertyKind::off) {
    TRY_ASSIGN(const bool value, parse_switch(item));
    const bool only = property.kind == PropertyKind::on;
    if (value != only) return fail("{}={}: only '{}' is supported", item.key, item.value, only ? "on" : "off");
  }
  if (property.kind == PropertyKind::number) TRY(parse_number(item.value, item.key, 0, 0xffff'ffff));
  if (property.kind == PropertyKind::boolean) TRY(parse_switch(item));
  if (property.kind == PropertyKind::mac) TRY(check_mac(item.value));
  return {};
}

// The device that a drive with if=virtio implies.
DeviceConfig implied_disk(const DriveConfig& drive) {
  return DeviceConfig{"virtio-blk-device", "", {{"drive", drive.id}}, drive.origin};
}

// A drive's own name where none was given; QEMU's spelling.
std::string free_drive_id(const std::vector<DriveConfig>& drives, std::string_view prefix = "virtio") {
  for (u32 i = 0;; ++i) {
    std::string id = fmt::format("{}{}", prefix, i);
    if (!has_id(drives, id)) return id;
  }
}

}  // namespace

Result<> on_drive(Builder& b, std::string_view value) {
  constexpr std::array<std::string_view, 12> kKeys = {"file",  "if",       "format",  "readonly", "id",    "media",
                                                      "cache", "snapshot", "discard", "unit",     "index", "aio"};
  TRY_ASSIGN(const auto items, parse_key_values(value, ""));
  DriveConfig drive;
  drive.origin = b.origin;
  bool is_virtio = true, is_flash = false, is_cdrom = false;
  std::optional<u64> unit, index;
  for (const KeyValue& item : items) {
    if (item.key == "if") {
      if (item.value != "none" && item.value != "virtio" && item.value != "pflash")
        return fail("if={}: only 'none', 'virtio' and 'pflash' are supported", item.value);
      is_virtio = item.value == "virtio";
      is_flash = item.value == "pflash";
    } else if (item.key == "index") {
      TRY_ASSIGN(index, parse_number(item.value, "index", 0, 255));
    } else if (item.key == "unit") {
      TRY_ASSIGN(unit, parse_number(item.value, "unit", 0, b.config.pflash.size() - 1));
    } else if (item.key == "media") {
      if (item.value != "disk" && item.value != "cdrom") return fail("media={}: disk or cdrom", item.value);
      is_cdrom = item.value == "cdrom";
    } else if (item.key == "readonly" || item.key == "read-only") {
      TRY_ASSIGN(drive.readonly, parse_switch(item));
    } else if (item.key == "id") {
      TRY(check_id(item.value));
      drive.id = item.value;
    } else {
      TRY_ASSIGN(const bool is_known, apply_drive_key(item, &drive));
      if (is_known) continue;
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, kKeys));
    }
  }
  if (drive.file.empty()) return fail("file= is missing");
  drive.readonly = drive.readonly || is_cdrom;
  if (unit && !is_flash) return fail("unit= is for if=pflash");
  if (index && unit) return fail("index= or unit=, not both");
  if (index && is_flash) {
    TRY(parse_number(std::to_string(*index), "index", 0, b.config.pflash.size() - 1));
    unit = index;
  } else if (index && is_virtio && !b.disk_indices.insert(*index).second) {
    return fail("index={} is used twice", *index);
  }
  if (drive.id.empty()) drive.id = is_flash ? free_drive_id(b.config.drives, "pflash") : free_drive_id(b.config.drives);
  if (has_id(b.config.drives, drive.id)) return fail("id '{}' is used twice", drive.id);
  if (is_virtio) b.config.devices.push_back(implied_disk(drive));
  if (is_flash) TRY(use_as_flash(b, unit, drive.id));
  b.config.drives.push_back(std::move(drive));
  return {};
}

namespace {

// A file's name as the value of a key: a comma doubled.
Result<> add_numbered_disk(Builder& b, std::string_view file, std::string_view keys) {
  if (file.empty()) return fail("a file name is missing");
  std::string escaped;
  for (const char c : file) escaped += c == ',' ? std::string(2, c) : std::string(1, c);
  return on_drive(b, fmt::format("file={},{}", escaped, keys));
}

}  // namespace

Result<> on_hda(Builder& b, std::string_view value) { return add_numbered_disk(b, value, "index=0"); }
Result<> on_hdb(Builder& b, std::string_view value) { return add_numbered_disk(b, value, "index=1"); }
Result<> on_cdrom(Builder& b, std::string_view value) { return add_numbered_disk(b, value, "index=2,media=cdrom"); }

Result<> on_device(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = device_list();
    return {};
  }
  TRY_ASSIGN(const auto items, parse_items(value, "driver"));
  DeviceConfig device;
  device.origin = b.origin;
  for (const KeyValue& item : items) {
    if (item.key == "driver" && device.driver.empty()) device.driver = item.value;
  }
  if (device.driver.empty()) return fail("a driver's name comes first (-device help lists them)");
  device.driver = full_driver_name(device.driver);
  if (std::ranges::find(kDevices, device.driver, &DeviceInfo::driver) == kDevices.end()) {
    std::vector<std::string_view> drivers;
    for (const DeviceInfo& info : kDevices) drivers.push_back(info.driver);
    return fail("unknown device '{}'{} (-device help lists them)", device.driver, suggestion(device.driver, drivers));
  }
  for (const KeyValue& item : items) {
    if (item.key == "driver") continue;
    if (is_help(item.key) && !item.has_value) {
      b.text = device_properties(device.driver);
      return {};
    }
    const DevicePropertyInfo* property = find_property(device.driver, item.key);
    if (property == nullptr) {
      return fail("'{}' has no key '{}'{}", device.driver, item.key,
                  suggestion(item.key, property_keys(device.driver)));
    }
    TRY(check_value(*property, item));
    if (device.find(item.key) != nullptr || (item.key == "id" && !device.id.empty())) {
      return fail("'{}' is given twice", item.key);
    }
    if (item.key == "id") {
      TRY(check_id(item.value));
      if (has_id(b.config.devices, item.value)) return fail("id '{}' is used twice", item.value);
      device.id = item.value;
    } else {
      device.properties.push_back({item.key, item.value});
    }
  }
  b.config.devices.push_back(std::move(device));
  return {};
}

Result<> on_object(Builder& b, std::string_view value) {
  if (is_help(value)) {
    b.text = object_list();
    return {};
  }
  constexpr std::array<std::string_view, 3> kKinds = {"rng-random", "rng-builtin", "iothread"};
  TRY_ASSIGN(auto items, parse_items(value, "qom-type"));
  // JSON has no order.
  if (const auto kind_item = std::ranges::find(items, "qom-type", &KeyValue::key); kind_item != items.end())
    std::rotate(items.begin(), kind_item, kind_item + 1);
  std::string kind, filename;
  RngConfig rng;
  rng.origin = b.origin;
  for (const KeyValue& item : items) {
    if (item.key == "qom-type") {
      kind = item.value;
      if (std::ranges::find(kKinds, kind) == kKinds.end()) {
        return fail("unknown object '{}'{} (rng-random, rng-builtin and iothread are supported)", kind,
                    suggestion(kind, kKinds));
      }
    } else if (item.key == "id") {
      TRY(check_id(item.value));
      rng.id = item.value;
    } else if (item.key == "filename" && kind == "rng-random") {
      if (item.value.empty()) return fail("a file name is missing");
      rng.filename = item.value;
    } else {
      std::vector<std::string_view> keys = {"id"};
      if (kind == "rng-random") keys.push_back("filename");
      return fail("'{}' has no key '{}'{}", kind, item.key, suggestion(item.key, keys));
    }
  }
  if (rng.id.empty()) return fail("id= is missing");
  if (has_id(b.config.rngs, rng.id) || std::ranges::find(b.iothreads, rng.id) != b.iothreads.end())
    return fail("id '{}' is used twice", rng.id);
  if (kind == "iothread") {
    b.iothreads.push_back(std::move(rng.id));
    return {};
  }
  if (kind == "rng-random" && rng.filename.empty()) rng.filename = "/dev/urandom";
  b.config.rngs.push_back(std::move(rng));
  return {};
}

Result<> on_nodefaults(Builder& b, std::string_view) {
  b.config.nodefaults = true;
  return {};
}

Result<> finish_devices(const Builder& b) {
  const MachineConfig& config = b.config;
  std::vector<std::string_view> used_drives;
  TRY(finish_flash(b));
  for (const std::string& drive : config.pflash) {
    if (!drive.empty()) used_drives.push_back(drive);
  }
  std::vector<std::string_view> used_netdevs;
  bool has_serial_bus = false;
  for (const DeviceConfig& device : config.devices) {
    const auto info = std::ranges::find(kDevices, device.driver, &DeviceInfo::driver);
    if (info->bus == "virtio-serial-bus" && !has_serial_bus) {
      return fail("{}: it needs a -device virtio-serial-device or virtio-serial-pci before it", device.origin);
    }
    if (device.driver.starts_with("virtio-serial-")) has_serial_bus = true;
    if (device.driver.starts_with("virtio-blk-") && device.find("drive") == nullptr) {
      return fail("{}: drive= is missing", device.origin);
    }
    if (device.driver.starts_with("virtio-9p-")) {
      for (const char* key : {"fsdev", "mount_tag"}) {
        if (device.find(key) == nullptr) return fail("{}: {}= is missing", device.origin, key);
      }
    }
    for (const Property& property : device.properties) {
      const PropertyKind kind = find_property(device.driver, property.key)->kind;
      const bool known = kind == PropertyKind::drive     ? has_id(config.drives, property.value)
                         : kind == PropertyKind::chardev ? has_id(config.chardevs, property.value)
                         : kind == PropertyKind::rng     ? has_id(config.rngs, property.value)
                         : kind == PropertyKind::netdev  ? has_id(config.netdevs, property.value)
                         : kind == PropertyKind::fsdev   ? has_id(config.fsdevs, property.value)
                         : kind == PropertyKind::iothread
                             ? std::ranges::find(b.iothreads, property.value) != b.iothreads.end()
                             : true;
      if (!known) return fail("{}: there is no {} with id '{}'", device.origin, property.key, property.value);
      if (kind != PropertyKind::drive && kind != PropertyKind::netdev) continue;
      std::vector<std::string_view>& used = kind == PropertyKind::drive ? used_drives : used_netdevs;
      if (std::ranges::find(used, property.value) != used.end()) {
        return fail("{}: {} '{}' is already in use", device.origin, property.key, property.value);
      }
      used.push_back(property.value);
    }
  }
  return {};
}

}  // namespace pagoda::cli
