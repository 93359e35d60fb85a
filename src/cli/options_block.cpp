// SPDX-License-Identifier: MIT
// What -drive and -blockdev say of a disk image: format, cache, discard; and -blockdev, -snapshot themselves.
#include "cli/options_block.h"

#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/json.h"

namespace pagoda::cli {
namespace {

Result<> check_format(std::string_view key, std::string_view format) {
  if (format == "raw" || format == "qcow2") return {};
  return fail("{}={}: only 'raw' and 'qcow2' are supported", key, format);
}

Result<> apply_cache(const std::string& mode, DriveConfig* drive) {
  constexpr std::array<std::string_view, 5> kModes = {"writeback", "none", "unsafe", "writethrough", "directsync"};
  if (std::ranges::find(kModes, mode) == kModes.end())
    return fail("cache={}: unknown mode{}", mode, suggestion(mode, kModes));
  drive->direct = mode == "none" || mode == "directsync";
  drive->no_flush = mode == "unsafe";
  drive->write_cache = mode != "writethrough" && mode != "directsync";
  return {};
}

Result<> apply_discard(const std::string& mode, DriveConfig* drive) {
  if (mode != "unmap" && mode != "on" && mode != "ignore" && mode != "off")
    return fail("discard={}: unmap or ignore", mode);
  drive->unmap = mode == "unmap" || mode == "on";
  return {};
}

// How the host does its I/O is the emulator's business: its own threads, whatever is asked for.
Result<> check_aio(const KeyValue& item) {
  constexpr std::array<std::string_view, 3> kWays = {"threads", "native", "io_uring"};
  if (std::ranges::find(kWays, item.value) != kWays.end()) return {};
  return fail("aio={}: threads, native or io_uring{}", item.value, suggestion(item.value, kWays));
}

// "auto" is what is built in: locks where the host's file system has them.
Result<> apply_locking(const KeyValue& item, DriveConfig* drive) {
  drive->locking = true;
  if (item.value == "auto") return {};
  TRY_ASSIGN(drive->locking, parse_switch(item));
  return {};
}

Result<> check_file_driver(const KeyValue& item) {
  if (item.value == "file" || item.value == "host_device") return {};
  return fail("{}={}: only 'file' and 'host_device' are supported", item.key, item.value);
}

// Keys that can only have the value that is built in.
Result<> only(const KeyValue& item, std::string_view value) {
  if (item.value == value) return {};
  return fail("{}={}: only '{}' is supported", item.key, item.value, value);
}

// Of a -blockdev: what is said with and without "file." in front.
struct Node {
  std::string driver;
  std::string name;
  std::string filename;
  std::string file_driver;
  std::string file;  // another node's name
};

Result<> apply_node_key(const KeyValue& item, std::string_view key, bool in_file, Node* node, DriveConfig* drive) {
  if (key == "driver") {
    (in_file ? node->file_driver : node->driver) = item.value;
  } else if (key == "filename") {
    node->filename = item.value;
  } else if (key == "node-name" && !in_file) {
    TRY(check_id(item.value));
    node->name = item.value;
  } else if (key == "read-only") {
    TRY_ASSIGN(const bool on, parse_switch(item));
    drive->readonly = drive->readonly || on;
  } else if (key == "cache.direct") {
    TRY_ASSIGN(drive->direct, parse_switch(item));
  } else if (key == "cache.no-flush") {
    TRY_ASSIGN(drive->no_flush, parse_switch(item));
  } else if (key == "discard") {
    TRY(apply_discard(item.value, drive));
  } else if (key == "auto-read-only") {
    TRY(parse_switch(item));  // a permission that nothing makes use of
  } else if (key == "locking") {
    return apply_locking(item, drive);
  } else if (key == "aio") {
    return check_aio(item);
  } else if (key == "detect-zeroes") {
    return only(item, "off");
  } else {
    constexpr std::array<std::string_view, 8> kKeys = {"driver",       "filename",       "node-name", "read-only",
                                                       "cache.direct", "cache.no-flush", "discard",   "file"};
    return fail("unknown key '{}'{}", item.key, suggestion(key, kKeys));
  }
  return {};
}

template <class List>
auto by_id(List& list, std::string_view id) {
  return std::ranges::find_if(list, [&](const auto& entry) { return entry.id == id; });
}

}  // namespace

Result<bool> apply_drive_key(const KeyValue& item, DriveConfig* drive) {
  if (item.key == "format" || item.key == "driver") {
    TRY(check_format(item.key, item.value));
    drive->format = item.value;
  } else if (item.key == "file" || item.key == "file.filename") {
    drive->file = item.value;
  } else if (item.key == "file.driver") {
    TRY(check_file_driver(item));
  } else if (item.key == "file.locking") {
    TRY(apply_locking(item, drive));
  } else if (item.key == "snapshot") {
    TRY_ASSIGN(drive->snapshot, parse_switch(item));
  } else if (item.key == "cache") {
    TRY(apply_cache(item.value, drive));
  } else if (item.key == "discard") {
    TRY(apply_discard(item.value, drive));
  } else if (item.key == "aio") {
    TRY(check_aio(item));
  } else if (item.key == "detect-zeroes") {
    TRY(only(item, "off"));
  } else if (item.key == "werror" || item.key == "rerror") {
    TRY(only(item, "report"));
  } else {
    return false;
  }
  return true;
}

Result<> on_blockdev(Builder& b, std::string_view value) {
  TRY_ASSIGN(const auto items, parse_items(value, "driver"));
  Node node;
  DriveConfig drive;
  drive.origin = b.origin;
  for (const KeyValue& item : items) {
    if (!item.has_value || item.value.empty()) return fail("'{}' needs a value", item.key);
    if (item.key == "file") {
      node.file = item.value;
      continue;
    }
    const bool in_file = item.key.starts_with("file.");
    TRY(apply_node_key(item, std::string_view(item.key).substr(in_file ? 5 : 0), in_file, &node, &drive));
  }
  if (node.name.empty()) return fail("node-name= is missing");
  if (by_id(b.config.drives, node.name) != b.config.drives.end()) return fail("id '{}' is used twice", node.name);
  if (node.driver == "file" || node.driver == "host_device") {
    drive.format = "raw";
  } else if (node.driver == "raw" || node.driver == "qcow2") {
    drive.format = node.driver;
    if (!node.file_driver.empty() && node.file_driver != "file" && node.file_driver != "host_device")
      return fail("file.driver={}: only 'file' and 'host_device' are supported", node.file_driver);
  } else {
    constexpr std::array<std::string_view, 4> kDrivers = {"file", "host_device", "qcow2", "raw"};
    return fail("driver={}: only 'file', 'host_device', 'raw' and 'qcow2' are supported{}", node.driver,
                suggestion(node.driver, kDrivers));
  }
  if (!node.file.empty()) {
    // A format on top of a node given before, which is no disk of its own then.
    const auto below = by_id(b.config.drives, node.file);
    if (below == b.config.drives.end() || !node.filename.empty() || node.driver == "file")
      return fail("file={}: there is no node of that name before it", node.file);
    node.filename = below->file;
    drive.readonly = drive.readonly || below->readonly;
    drive.direct = drive.direct || below->direct;
    drive.no_flush = drive.no_flush || below->no_flush;
    drive.locking = drive.locking && below->locking;
    drive.unmap = drive.unmap && below->unmap;
    b.config.drives.erase(below);
  }
  if (node.filename.empty()) return fail("file.filename= is missing");
  drive.file = node.filename;
  drive.id = node.name;
  b.config.drives.push_back(std::move(drive));
  return {};
}

Result<> on_snapshot(Builder& b, std::string_view) {
  b.snapshot = true;
  return {};
}

}  // namespace pagoda::cli
