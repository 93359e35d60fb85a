// SPDX-License-Identifier: MIT
// DiskCommand: what "pagoda disk ..." was asked to do, parsed and typed. src/cli fills it in.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"

namespace pagoda {

struct DiskCommand {
  enum class Action : u8 { create, info, check, convert };
  enum class Repair : u8 { none, leaks, all };
  enum class Preallocation : u8 { off, metadata, falloc, full };

  Action action = Action::info;
  std::string format;         // -f: "raw", "qcow2" or empty: by the file's content; create: raw
  std::string output_format;  // convert -O
  std::string file;
  std::string output;       // convert: the new file
  std::optional<u64> size;  // create: bytes
  bool json = false;
  bool quiet = false;
  bool chain = false;          // info --backing-chain
  bool compress = false;       // convert -c
  bool into_existing = false;  // convert -n: the new file is there
  bool force_share = false;    // -U: read even what another program writes
  bool unsafe_backing = false;
  Repair repair = Repair::none;

  // -o
  std::optional<u32> cluster_bits;    // 9 to 21
  std::optional<u32> refcount_order;  // 0 to 6
  std::optional<u32> version;         // 2 or 3
  std::optional<bool> lazy_refcounts;
  std::optional<bool> zstd;
  std::string backing_file;
  std::string backing_format;
  Preallocation preallocation = Preallocation::off;
};

}  // namespace pagoda
