// SPDX-License-Identifier: MIT
// What is left of a qcow2 file when the power goes: any of the writes since the last sync may be missing. Every such
// file must be consistent, and hold what was flushed.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "devices/storage/qcow2/create.h"
#include "disk/disk_scratch.h"

namespace pagoda::test {
namespace {

constexpr u64 kBlock = 512;  // a disk writes whole sectors

// The file as it is for sure, and the sectors written since the last sync, oldest first.
struct Recorder {
  std::string durable;
  std::vector<std::pair<u64, std::string>> pending;
  HostFile::Trace trace;

  Recorder() {
    trace.write = [this](u64 offset, IoSpan from) {
      std::string bytes;
      for (const iovec& piece : from) bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      while (!bytes.empty()) {
        const u64 step = std::min<u64>(bytes.size(), kBlock - offset % kBlock);
        pending.emplace_back(offset, bytes.substr(0, step));
        bytes.erase(0, step);
        offset += step;
      }
    };
    trace.sync = [this] {
      for (const auto& [offset, bytes] : pending) apply(durable, offset, bytes);
      pending.clear();
    };
    trace.punch = [this](u64 offset, u64 size) {
      // Cut into sectors like a write of zeros.
      for (u64 at = 0; at < size; at += kBlock) pending.emplace_back(offset + at, std::string(kBlock, '\0'));
    };
  }
  static void apply(std::string& file, u64 offset, const std::string& bytes) {
    if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
    file.replace(offset, bytes.size(), bytes);
  }
};

struct PowerShape {
  const char* name;
  u32 cluster_bits;
  bool backing;
  bool snapshot;
};
std::ostream& operator<<(std::ostream& out, const PowerShape& shape) { return out << shape.name; }

class Qcow2Power : public testing::TestWithParam<PowerShape> {};

TEST_P(Qcow2Power, EveryRestIsConsistentAndHoldsWhatWasFlushed) {
  const PowerShape& shape = GetParam();
  constexpr u64 kSize = 512 << 10;
  constexpr u64 kSectors = kSize / 512;
  Scratch scratch;
  std::mt19937_64 random(99);
  qcow2::Header header;
  header.size = kSize;
  header.cluster_bits = shape.cluster_bits;
  if (shape.backing) {
    scratch.file("base", std::string(kSize, 'b'));
    header.backing_file = "base";
    header.backing_format = "raw";
  }
  const std::string path = scratch.qcow2("disk", header);
  if (shape.snapshot) {
    if (!has_qemu_img()) GTEST_SKIP() << "qemu-img makes the snapshot";
    auto disk = must_open(path);
    ASSERT_EQ(write_string(*disk, 0, std::string(kSize / 2, 'b')), 0);
    disk.reset();
    ASSERT_EQ(qemu_img("snapshot -c one " + path), 0);
  }
  Recorder recorder;
  {
    std::ifstream file(path);
    recorder.durable.assign(std::istreambuf_iterator<char>(file), {});
  }
  auto disk = must_open(path);
  static_cast<Qcow2Image&>(*disk).file().set_trace(&recorder.trace);
  // Of each sector: what it may hold. The first is what the last flush made sure of.
  std::vector<std::vector<char>> allowed(kSectors);
  for (u64 i = 0; i < kSectors; ++i) allowed[i] = {read_string(*disk, i * 512, 1)[0]};
  u64 looked = 0;
  const auto look = [&] {
    // A file with a random part of what was not synced.
    std::string rest = recorder.durable;
    const u64 keep = random() % 5;
    for (const auto& [offset, bytes] : recorder.pending) {
      if (random() % 4 < keep) Recorder::apply(rest, offset, bytes);
    }
    const std::string copy = scratch.file("rest", rest);
    const qcow2::CheckResult result = check(copy);
    ASSERT_EQ(result.corruptions + result.errors, 0u)
        << (result.messages.empty() ? "" : result.messages[0]) << " look " << looked;
    auto left = must_open(copy, {.read_only = true});
    const std::string content = read_string(*left, 0, kSize);
    for (u64 i = 0; i < kSectors; ++i) {
      for (const u64 at : {i * 512, i * 512 + 511}) {
        ASSERT_NE(std::ranges::find(allowed[i], content[at]), allowed[i].end())
            << "sector " << i << " holds " << int{content[at]} << " look " << looked;
      }
    }
    ++looked;
  };
  for (int i = 0; i < 600; ++i) {
    const u64 count = random() % 16 == 0 ? random() % 200 + 1 : random() % 8 + 1;
    const u64 first = random() % (kSectors - count);
    const u64 what = random() % 10;
    const char letter = static_cast<char>('A' + random() % 50);
    if (what < 6) {
      for (u64 s = first; s < first + count; ++s) allowed[s].push_back(letter);
      ASSERT_EQ(write_string(*disk, first * 512, std::string(count * 512, letter)), 0);
    } else if (what < 8) {
      for (u64 s = first; s < first + count; ++s) allowed[s].push_back('\0');
      ASSERT_EQ(what == 6 ? disk->discard(first * 512, count * 512)
                          : disk->write_zeroes(first * 512, count * 512, random() % 2 == 0),
                0);
    } else {
      ASSERT_EQ(disk->flush(), 0);
      const std::string content = read_string(*disk, 0, kSize);
      for (u64 s = 0; s < kSectors; ++s) allowed[s] = {content[s * 512]};
    }
    if (i % 3 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(look());
  }
  // And in the middle of flushes: at each sync, before it is done.
  const auto sync = recorder.trace.sync;
  recorder.trace.sync = [&] {
    if (!testing::Test::HasFatalFailure()) look();
    if (!testing::Test::HasFatalFailure()) look();
    sync();
  };
  for (int i = 0; i < 100; ++i) {
    const u64 first = random() % (kSectors - 8);
    const char letter = static_cast<char>('A' + random() % 50);
    for (u64 s = first; s < first + 8; ++s) allowed[s].push_back(letter);
    ASSERT_EQ(write_string(*disk, first * 512, std::string(8 * 512, letter)), 0);
    if (i % 5 != 0) continue;
    ASSERT_EQ(disk->flush(), 0);
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    const std::string content = read_string(*disk, 0, kSize);
    for (u64 s = 0; s < kSectors; ++s) allowed[s] = {content[s * 512]};
  }
  disk.reset();
  EXPECT_GT(looked, 200u);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Qcow2Power,
                         testing::Values(PowerShape{"Small", 9, false, false},
                                         PowerShape{"SmallBacking", 9, true, false},
                                         PowerShape{"Pages", 12, true, false}, PowerShape{"Default", 16, false, false},
                                         PowerShape{"Snapshot", 12, false, true}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace pagoda::test
