// SPDX-License-Identifier: MIT
// Comparing counted references with refcounts, and mending.
#include "devices/storage/qcow2/check_image.h"

#include <algorithm>
#include <cstring>

#include "devices/storage/qcow2/checker.h"

namespace pagoda::qcow2 {
namespace {

Result<> host_error(const HostFile& file, int error) {
  if (error == 0) return {};
  return fail("disk image {}: {}", file.path(), std::strerror(error));
}

}  // namespace

Result<> Checker::compare(Repair repair) {
  const u64 per_block = header_.refcounts_per_block();
  refcounts_.assign(file_clusters_ + 1, 0);
  u64 last_used = 0;
  std::vector<u8> block(header_.cluster_size());
  for (u64 first = 0; first < counts_.size(); first += per_block) {
    const u64 offset = first / per_block < block_of_.size() ? block_of_[first / per_block] : 0;
    if (offset == 0) {
      std::ranges::fill(block, u8{0});
    } else if (file_.read_padded(offset, block.data(), block.size()) != 0) {
      error(fmt::format("refcount block at {:#x} cannot be read", offset));
      continue;
    }
    bool is_changed = false;
    for (u64 cluster = first; cluster < std::min<u64>(first + per_block, counts_.size()); ++cluster) {
      u64 said = get_refcount(block.data(), cluster - first, header_.refcount_order);
      const u64 counted = counts_[cluster];
      if (said != 0 || counted != 0) last_used = cluster + 1;
      if (cluster >= file_clusters_ && counted == 0) continue;
      const bool is_leak = said > counted;
      const bool mends = said != counted && offset != 0 && counted <= header_.max_refcount() &&
                         (repair == Repair::all || (repair == Repair::leaks && is_leak));
      if (said != counted) {
        note(fmt::format("{} cluster {} refcount={} reference={}",
                         mends     ? "Repairing"
                         : is_leak ? "Leaked"
                                   : "ERROR",
                         cluster, said, counted));
      }
      if (mends) {
        ++(is_leak ? result_.leaks_fixed : result_.corruptions_fixed);
        set_refcount(block.data(), cluster - first, header_.refcount_order, counted);
        is_changed = true;
        said = counted;
      } else if (said != counted) {
        ++(is_leak ? result_.leaks : result_.corruptions);
      }
      refcounts_[cluster] = static_cast<u32>(std::min<u64>(said, ~u32{0}));
    }
    if (is_changed) TRY(host_error(file_, file_.write(offset, block.data(), block.size())));
  }
  result_.image_end = last_used << header_.cluster_bits;
  return {};
}

Result<> Checker::rebuild(Header* header) {
  const u64 per_block = header_.refcounts_per_block();
  const u64 per_cluster = header_.cluster_size() / 8;
  // Behind all that is used or in the file, at most one cluster is past the file's end.
  const u64 first = counts_.back() != 0 ? counts_.size() : file_clusters_;
  u64 blocks = 1, clusters = 1;
  for (;;) {
    const u64 needed = (first + blocks + clusters + per_block - 1) / per_block;
    if (needed > blocks) {
      blocks = needed;
    } else if (clusters * per_cluster < blocks) {
      ++clusters;
    } else {
      break;
    }
  }
  if (clusters << header_.cluster_bits > kMaxReftableBytes)
    return fail("disk image {}: too large for a new refcount table", file_.path());
  refcounts_.assign(first + blocks + clusters, 0);
  std::vector<u8> table(clusters << header_.cluster_bits);
  std::vector<u8> block(header_.cluster_size());
  for (u64 i = 0; i < blocks; ++i) {
    std::ranges::fill(block, u8{0});
    for (u64 cluster = i * per_block; cluster < std::min((i + 1) * per_block, first + blocks + clusters); ++cluster) {
      const u64 count = cluster >= first ? 1 : count_of(cluster);
      if (count > header_.max_refcount())
        return fail("disk image {}: cluster {} has {} references, more than can be noted", file_.path(), cluster,
                    count);
      set_refcount(block.data(), cluster - i * per_block, header_.refcount_order, count);
      refcounts_[cluster] = static_cast<u32>(std::min<u64>(count, ~u32{0}));
    }
    const u64 offset = (first + i) << header_.cluster_bits;
    TRY(host_error(file_, file_.write(offset, block.data(), block.size())));
    store_be<u64>(&table[8 * i], offset);
  }
  const u64 offset = (first + blocks) << header_.cluster_bits;
  TRY(host_error(file_, file_.write(offset, table.data(), table.size())));
  TRY(host_error(file_, file_.sync()));
  u8 fields[12];
  store_be<u64>(fields, offset);
  store_be<u32>(fields + 8, static_cast<u32>(clusters));
  TRY(host_error(file_, file_.write(kHeaderReftable, fields, sizeof fields)));
  TRY(host_error(file_, file_.sync()));
  header->reftable_offset = offset;
  header->reftable_clusters = static_cast<u32>(clusters);
  return {};
}

Result<> Checker::check_copied(bool mend) {
  // `is_wrong`: the flag of one entry does not say whether the cluster has one reference. Writes the table back.
  const auto check_table = [&](u64 offset, std::vector<u8>& table, u64 entries, bool is_l2) -> Result<> {
    bool is_changed = false;
    for (u64 i = 0; i < entries; ++i) {
      const u64 entry = load_be<u64>(&table[8 * i]);
      const u64 host = entry & kOffsetMask;
      if (host == 0 || (host & header_.cluster_mask()) != 0 || (is_l2 && (entry & kCompressed) != 0)) continue;
      const u64 count = refcount_of(host >> header_.cluster_bits);
      if ((count == 1) == ((entry & kCopied) != 0)) continue;
      note(fmt::format("{} OFLAG_COPIED {} cluster: entry={:#x} refcount={}", mend ? "Repairing" : "ERROR",
                       is_l2 ? "data" : "L2", entry, count));
      if (mend) {
        ++result_.corruptions_fixed;
        store_be<u64>(&table[8 * i], entry ^ kCopied);
        is_changed = true;
      } else {
        ++result_.corruptions;
      }
    }
    return is_changed ? host_error(file_, file_.write(offset, table.data(), entries * 8)) : Result<>{};
  };
  std::vector<u8> l1(u64{header_.l1_size} * 8);
  if (l1.empty() || file_.read_padded(header_.l1_offset, l1.data(), l1.size()) != 0) return {};
  TRY(check_table(header_.l1_offset, l1, header_.l1_size, false));
  std::vector<u8> l2(header_.cluster_size());
  u64 last = 0;
  for (u64 i = 0; i < header_.l1_size; ++i) {
    const u64 offset = load_be<u64>(&l1[8 * i]) & kOffsetMask;
    if (offset == 0 || (offset & header_.cluster_mask()) != 0 || offset >= file_size_ || offset == last) continue;
    last = offset;
    if (file_.read_padded(offset, l2.data(), l2.size()) != 0) continue;
    TRY(check_table(offset, l2, header_.l2_entries(), true));
  }
  return {};
}

Result<CheckResult> check_image(HostFile& file, Header& header, Repair repair) {
  Checker checker(file, header);
  checker.count_references();
  if (checker.result().errors != 0) return checker.result();
  const bool is_sane = checker.count_refcount_structure();
  if (repair == Repair::none) {
    TRY(checker.compare(Repair::none));
    TRY(checker.check_copied(false));
    return checker.result();
  }
  // What the first look finds before it compares cannot be mended here, but the refcount structure can be replaced.
  TRY(checker.compare(is_sane ? repair : Repair::none));
  Checker fresh(file, header);
  Checker* last = &checker;
  if (repair == Repair::all && (!is_sane || checker.result().corruptions != 0)) {
    fresh.count_references();
    TRY(fresh.rebuild(&header));
    fresh.result().leaks_fixed = checker.result().leaks_fixed + checker.result().leaks;
    fresh.result().corruptions_fixed =
        checker.result().corruptions_fixed + checker.result().corruptions - fresh.result().corruptions;
    fresh.result().messages = std::move(checker.result().messages);
    fresh.result().messages.push_back("Rebuilding refcount structure");
    last = &fresh;
  }
  if (repair == Repair::all) TRY(last->check_copied(true));
  TRY(host_error(file, file.sync()));
  const CheckResult& first = last->result();
  TRY_ASSIGN(CheckResult second, check_image(file, header, Repair::none));
  second.corruptions_fixed = first.corruptions_fixed;
  second.leaks_fixed = first.leaks_fixed;
  second.messages.insert(second.messages.begin(), first.messages.begin(), first.messages.end());
  if (repair == Repair::all && second.corruptions == 0 && second.errors == 0 &&
      (header.incompatible & (kIncompatibleDirty | kIncompatibleCorrupt)) != 0) {
    header.incompatible &= ~(kIncompatibleDirty | kIncompatibleCorrupt);
    u8 raw[8];
    store_be<u64>(raw, header.incompatible);
    TRY(host_error(file, file.write(kHeaderIncompatible, raw, sizeof raw)));
    TRY(host_error(file, file.sync()));
  }
  return second;
}

}  // namespace pagoda::qcow2
