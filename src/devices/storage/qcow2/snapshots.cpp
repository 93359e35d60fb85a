// SPDX-License-Identifier: MIT
// Reading a qcow2 file's header and its snapshot table.
#include <algorithm>
#include <cstring>

#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda::qcow2 {

Result<Header> read_header(const HostFile& file) {
  int error = 0;
  const u64 file_size = file.size(&error);
  if (error != 0) return fail("disk image {}: {}", file.path(), std::strerror(error));
  std::vector<u8> bytes(std::min<u64>(file_size, u64{1} << kMaxClusterBits));
  error = file.read_padded(0, bytes.data(), bytes.size());
  if (error != 0) return fail("disk image {}: {}", file.path(), std::strerror(error));
  return parse_header(bytes, file.path());
}

Result<std::vector<Snapshot>> read_snapshots(const HostFile& file, const Header& header, u64* table_size) {
  std::vector<Snapshot> snapshots;
  *table_size = 0;
  if (header.snapshots == 0) return snapshots;
  constexpr u64 kFixed = 40;
  constexpr u64 kMaxExtra = 1024;
  int error = 0;
  const u64 file_size = file.size(&error);
  const auto malformed = [&](std::string_view why) {
    return fail("disk image {}: malformed: internal snapshots: {}", file.path(), why);
  };
  u64 at = header.snapshots_offset;
  u64 l1_bytes = 0;
  for (u32 i = 0; i < header.snapshots; ++i) {
    u8 fixed[kFixed];
    if (at > file_size || file_size - at < kFixed) return malformed("beyond the file's end");
    if (error = file.read(at, fixed, kFixed); error != 0)
      return fail("disk image {}: internal snapshots: {}", file.path(), std::strerror(error));
    Snapshot snapshot;
    snapshot.l1_offset = load_be<u64>(fixed);
    snapshot.l1_size = load_be<u32>(fixed + 8);
    const u64 id_size = load_be<u16>(fixed + 12);
    const u64 name_size = load_be<u16>(fixed + 14);
    snapshot.date_s = load_be<u32>(fixed + 16);
    snapshot.date_ns = load_be<u32>(fixed + 20);
    snapshot.vm_clock_ns = load_be<u64>(fixed + 24);
    snapshot.vm_state_size = load_be<u32>(fixed + 32);
    const u64 extra_size = load_be<u32>(fixed + 36);
    if (extra_size > kMaxExtra) return malformed("too much extra data");
    const u64 rest = extra_size + id_size + name_size;
    if (file_size - at - kFixed < rest) return malformed("beyond the file's end");
    std::vector<u8> bytes(rest);
    if (error = file.read(at + kFixed, bytes.data(), rest); error != 0)
      return fail("disk image {}: internal snapshots: {}", file.path(), std::strerror(error));
    if (extra_size >= 8) snapshot.vm_state_size = load_be<u64>(bytes.data());
    if (extra_size >= 24) snapshot.icount = load_be<u64>(bytes.data() + 16);
    const char* text = reinterpret_cast<const char*>(bytes.data()) + extra_size;
    snapshot.id.assign(text, id_size);
    snapshot.name.assign(text + id_size, name_size);
    // Their tables are different parts of the file.
    l1_bytes += u64{snapshot.l1_size} * 8;
    if ((snapshot.l1_offset & header.cluster_mask()) != 0 || snapshot.l1_offset > file_size || l1_bytes > file_size ||
        u64{snapshot.l1_size} * 8 > file_size - snapshot.l1_offset || u64{snapshot.l1_size} * 8 > kMaxL1Bytes)
      return malformed(fmt::format("an L1 table of {} entries at {:#x}", snapshot.l1_size, snapshot.l1_offset));
    snapshots.push_back(std::move(snapshot));
    at += (kFixed + rest + 7) & ~u64{7};
  }
  *table_size = at - header.snapshots_offset;
  return snapshots;
}

}  // namespace pagoda::qcow2
