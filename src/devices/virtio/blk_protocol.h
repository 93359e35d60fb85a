// SPDX-License-Identifier: MIT
// What driver and block device say to each other (virtio 1.2, 5.2): numbers and layouts, little endian.
#pragma once

#include "base/types.h"

namespace pagoda::virtio_blk {

inline constexpr u64 kSectorSize = 512;  // the unit of every sector number, whatever the block size

// Feature bits, 5.2.3.
inline constexpr u64 kFeatureSegMax = 1u << 2;
inline constexpr u64 kFeatureReadOnly = 1u << 5;
inline constexpr u64 kFeatureBlkSize = 1u << 6;
inline constexpr u64 kFeatureFlush = 1u << 9;
inline constexpr u64 kFeatureTopology = 1u << 10;
inline constexpr u64 kFeatureConfigWce = 1u << 11;
inline constexpr u64 kFeatureMq = 1u << 12;
inline constexpr u64 kFeatureDiscard = 1u << 13;
inline constexpr u64 kFeatureWriteZeroes = 1u << 14;

// Offsets in the configuration space, 5.2.4.
inline constexpr u64 kConfigCapacity = 0;
inline constexpr u64 kConfigSegMax = 12;
inline constexpr u64 kConfigBlkSize = 20;
inline constexpr u64 kConfigPhysicalBlockExp = 24;
inline constexpr u64 kConfigMinIoSize = 26;
inline constexpr u64 kConfigWriteback = 32;
inline constexpr u64 kConfigNumQueues = 34;
inline constexpr u64 kConfigMaxDiscardSectors = 36;
inline constexpr u64 kConfigMaxDiscardSegments = 40;
inline constexpr u64 kConfigDiscardAlignment = 44;
inline constexpr u64 kConfigMaxZeroesSectors = 48;
inline constexpr u64 kConfigMaxZeroesSegments = 52;
inline constexpr u64 kConfigZeroesMayUnmap = 56;
inline constexpr u32 kConfigSize = 60;

// Our limits of one DISCARD or WRITE_ZEROES request. Zeros may have to be written out: 256 MiB a segment at most.
inline constexpr u32 kMaxDiscardSectors = 0x3fffff;
inline constexpr u32 kMaxZeroesSectors = 0x80000;
inline constexpr u32 kMaxSegments = 16;

// Request types and status values, 5.2.6.
enum Type : u32 { kIn = 0, kOut = 1, kFlush = 4, kGetId = 8, kDiscard = 11, kWriteZeroes = 13 };
enum Status : u8 { kOk = 0, kIoError = 1, kUnsupported = 2 };
inline constexpr u64 kIdSize = 20;

struct Header {
  u32 type;
  u32 reserved;
  u64 sector;
};
static_assert(sizeof(Header) == 16);

// One range of DISCARD and WRITE_ZEROES.
struct Segment {
  u64 sector;
  u32 sectors;
  u32 flags;
};
static_assert(sizeof(Segment) == 16);
inline constexpr u32 kSegmentUnmap = 1;

}  // namespace pagoda::virtio_blk
