// SPDX-License-Identifier: MIT
// "pagoda disk info": what an image is, as text or JSON.
#include <ctime>
#include <set>

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/qcow2_image.h"
#include "machines/disk/disk_tool.h"

namespace pagoda::disk_tool {
namespace {

struct Info {
  std::string path;
  DiskFormat format = DiskFormat::raw;
  u64 size = 0;
  u64 allocated = 0;
  qcow2::Header header;
  std::vector<qcow2::Snapshot> snapshots;
  std::string backing_path;
  std::pair<u64, u64> identity;
};

Result<Info> look(const std::string& path, DiskFormat format, bool locking) {
  Info info;
  info.path = path;
  if (format == DiskFormat::probe) {
    TRY_ASSIGN(format, probe_disk(path, locking));
  }
  info.format = format;
  TRY_ASSIGN(const auto file, HostFile::open(path, {.read_only = true, .locking = locking}));
  info.identity = file->identity();
  info.allocated = file->allocated();
  int error = 0;
  info.size = file->size(&error);
  if (info.format == DiskFormat::raw) return info;
  TRY_ASSIGN(info.header, qcow2::read_header(*file));
  info.size = info.header.size;
  u64 table_size = 0;
  TRY_ASSIGN(info.snapshots, qcow2::read_snapshots(*file, info.header, &table_size));
  if (!info.header.backing_file.empty()) {
    const auto resolved = resolve_backing(path, info.header.backing_file);
    if (resolved) info.backing_path = *resolved;
  }
  return info;
}

std::string snapshots_json(const Info& info, const std::string& in) {
  std::string text = fmt::format("{}\"snapshots\": [\n", in);
  for (std::size_t i = 0; i < info.snapshots.size(); ++i) {
    const qcow2::Snapshot& each = info.snapshots[i];
    text += fmt::format("{}    {{\n", in);
    if (each.icount != ~u64{0}) text += fmt::format("{}        \"icount\": {},\n", in, each.icount);
    text += fmt::format(
        "{0}        \"vm-clock-nsec\": {1},\n{0}        \"name\": {2},\n{0}        \"date-sec\": {3},\n"
        "{0}        \"date-nsec\": {4},\n{0}        \"vm-clock-sec\": {5},\n{0}        \"id\": {6},\n"
        "{0}        \"vm-state-size\": {7}\n{0}    }}{8}\n",
        in, each.vm_clock_ns % 1'000'000'000, json_string(each.name), each.date_s, each.date_ns,
        each.vm_clock_ns / 1'000'000'000, json_string(each.id), each.vm_state_size,
        i + 1 < info.snapshots.size() ? "," : "");
  }
  return text + fmt::format("{}],\n", in);
}

std::string json(const Info& info, const std::string& outer) {
  const std::string in = outer + "    ";
  const qcow2::Header& h = info.header;
  std::string text = outer + "{\n";
  if (!h.backing_format.empty())
    text += fmt::format("{}\"backing-filename-format\": {},\n", in, json_string(h.backing_format));
  if (!info.snapshots.empty()) text += snapshots_json(info, in);
  text += fmt::format("{0}\"virtual-size\": {1},\n{0}\"filename\": {2},\n", in, info.size, json_string(info.path));
  if (info.format == DiskFormat::qcow2) text += fmt::format("{}\"cluster-size\": {},\n", in, h.cluster_size());
  text += fmt::format("{0}\"format\": \"{1}\",\n{0}\"actual-size\": {2},\n", in,
                      info.format == DiskFormat::qcow2 ? "qcow2" : "raw", info.allocated);
  if (info.format == DiskFormat::qcow2) {
    text += fmt::format("{0}\"format-specific\": {{\n{0}    \"type\": \"qcow2\",\n{0}    \"data\": {{\n", in);
    text += fmt::format("{0}        \"compat\": \"{1}\",\n{0}        \"compression-type\": \"{2}\",\n", in,
                        h.version == 2 ? "0.10" : "1.1", h.compression == qcow2::Compression::zstd ? "zstd" : "zlib");
    if (h.version >= 3) text += fmt::format("{}        \"lazy-refcounts\": {},\n", in, (h.compatible & 1) != 0);
    text += fmt::format("{}        \"refcount-bits\": {}", in, 1u << h.refcount_order);
    if (h.version >= 3)
      text += fmt::format(",\n{0}        \"corrupt\": {1},\n{0}        \"extended-l2\": false", in,
                          (h.incompatible & qcow2::kIncompatibleCorrupt) != 0);
    text += fmt::format("\n{0}    }}\n{0}}},\n", in);
  }
  if (!h.backing_file.empty()) {
    if (!info.backing_path.empty())
      text += fmt::format("{}\"full-backing-filename\": {},\n", in, json_string(info.backing_path));
    text += fmt::format("{}\"backing-filename\": {},\n", in, json_string(h.backing_file));
  }
  text += fmt::format("{}\"dirty-flag\": {}\n", in, (h.incompatible & qcow2::kIncompatibleDirty) != 0);
  return text + outer + "}";
}

std::string snapshot_line(const qcow2::Snapshot& snapshot) {
  const std::time_t seconds = snapshot.date_s;
  std::tm date{};
  localtime_r(&seconds, &date);
  char date_text[32];
  std::strftime(date_text, sizeof date_text, "%Y-%m-%d %H:%M:%S", &date);
  const u64 clock_s = snapshot.vm_clock_ns / 1'000'000'000;
  const std::string clock = fmt::format("{:02}:{:02}:{:02}.{:03}", clock_s / 3600, clock_s / 60 % 60, clock_s % 60,
                                        snapshot.vm_clock_ns / 1'000'000 % 1000);
  const std::string icount = snapshot.icount == ~u64{0} ? "" : std::to_string(snapshot.icount);
  return fmt::format("{:<9} {:<16} {:>8} {:>20} {:>13} {:>10}\n", snapshot.id, snapshot.name,
                     human_size(snapshot.vm_state_size), date_text, clock, icount);
}

std::string text_of(const Info& info) {
  const qcow2::Header& h = info.header;
  std::string text = fmt::format("image: {}\nfile format: {}\nvirtual size: {} ({} bytes)\ndisk size: {}\n", info.path,
                                 info.format == DiskFormat::qcow2 ? "qcow2" : "raw", human_size(info.size), info.size,
                                 human_size(info.allocated));
  if (info.format == DiskFormat::raw) return text;
  if ((h.incompatible & qcow2::kIncompatibleDirty) != 0) text += "cleanly shut down: no\n";
  text += fmt::format("cluster_size: {}\n", h.cluster_size());
  if (!h.backing_file.empty()) {
    text += fmt::format("backing file: {}", h.backing_file);
    if (!info.backing_path.empty() && info.backing_path != h.backing_file)
      text += fmt::format(" (actual path: {})", info.backing_path);
    text += '\n';
    if (!h.backing_format.empty()) text += fmt::format("backing file format: {}\n", h.backing_format);
  }
  if (!info.snapshots.empty()) {
    text += fmt::format("Snapshot list:\n{:<9} {:<16} {:>8} {:>20} {:>13} {:>10}\n", "ID", "TAG", "VM SIZE", "DATE",
                        "VM CLOCK", "ICOUNT");
    for (const qcow2::Snapshot& each : info.snapshots) text += snapshot_line(each);
  }
  text += fmt::format("Format specific information:\n    compat: {}\n    compression type: {}\n",
                      h.version == 2 ? "0.10" : "1.1", h.compression == qcow2::Compression::zstd ? "zstd" : "zlib");
  if (h.version >= 3) text += fmt::format("    lazy refcounts: {}\n", (h.compatible & 1) != 0);
  text += fmt::format("    refcount bits: {}\n", 1u << h.refcount_order);
  if (h.version >= 3)
    text +=
        fmt::format("    corrupt: {}\n    extended l2: false\n", (h.incompatible & qcow2::kIncompatibleCorrupt) != 0);
  return text;
}

}  // namespace

Result<int> info(const DiskCommand& command) {
  TRY_ASSIGN(const DiskFormat format, format_named(command.format));
  std::vector<Info> chain;
  TRY_ASSIGN(chain.emplace_back(), look(command.file, format, !command.force_share));
  std::set<std::pair<u64, u64>> seen = {chain[0].identity};
  while (command.chain && !chain.back().header.backing_file.empty()) {
    const qcow2::Header& above = chain.back().header;
    TRY_ASSIGN(const std::string path, resolve_backing(chain.back().path, above.backing_file));
    TRY_ASSIGN(const DiskFormat below, format_named(above.backing_format));
    TRY_ASSIGN(Info next, look(path, below, !command.force_share));
    if (!seen.insert(next.identity).second) return fail("disk image {}: is its own backing file", path);
    chain.push_back(std::move(next));
  }
  std::string text;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (command.json) {
      text += json(chain[i], command.chain ? "    " : "");
      text += i + 1 < chain.size() ? ",\n" : "\n";
    } else {
      if (i != 0) text += '\n';
      text += text_of(chain[i]);
    }
  }
  if (command.json && command.chain) text = "[\n" + text + "]\n";
  fmt::print("{}", text);
  return 0;
}

}  // namespace pagoda::disk_tool
