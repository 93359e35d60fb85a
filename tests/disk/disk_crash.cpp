// SPDX-License-Identifier: MIT
// Kills a process that writes to a qcow2 image, again and again, and looks at what is left: the image is consistent,
// what was flushed is there, and nothing is there that nobody wrote. Usage: disk_crash [--count N] [--seed N] [--dir
// DIR]
//
// A page shared with the writer says of each block of the disk which version it may hold: at least the last one
// flushed, at most the last one begun. A block's bytes follow from its number and version.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "base/check.h"
#include "devices/storage/qcow2/check_image.h"
#include "devices/storage/qcow2/create.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace {

using namespace pagoda;

constexpr u64 kBlock = 4096;
constexpr u64 kBlocks = 4096;
constexpr u32 kThreads = 4;

struct Versions {
  std::atomic<u32> flushed;
  std::atomic<u32> begun;
};
struct Journal {
  Versions blocks[kBlocks];
  std::atomic<u64> flushes;
};

// Every fourth version is zeros. Version 0 is what was there first.
void fill(u64 block, u32 version, std::span<std::byte> out, char first) {
  if (version == 0 || version % 4 == 3) {
    std::ranges::fill(out, version == 0 ? static_cast<std::byte>(first) : std::byte{0});
    return;
  }
  for (u64 at = 0; at + 16 <= out.size(); at += 16) {
    const u64 words[2] = {block * kBlock + at, u64{version} * 0x9e3779b97f4a7c15};
    std::memcpy(out.data() + at, words, sizeof words);
  }
}

struct Shape {
  const char* name;
  u32 cluster_bits;
  bool lazy;
  bool backing;
};
constexpr Shape kShapes[] = {{"plain", 16, false, false},
                             {"backing", 16, false, true},
                             {"pages", 12, false, true},
                             {"lazy", 16, true, false},
                             {"sectors", 9, false, false}};

// The writer. Each thread owns every kThreads-th block and knows what it has completed since its last flush.
[[noreturn]] void write_until_killed(const std::string& path, Journal* journal, u64 seed, char first) {
  auto disk = open_disk(path, {.format = DiskFormat::qcow2});
  CHECK(disk.has_value(), "{}", disk.error().message);
  std::vector<std::thread> threads;
  for (u32 self = 0; self < kThreads; ++self) {
    threads.emplace_back([&, self] {
      std::mt19937_64 random(seed * kThreads + self);
      std::vector<std::pair<u64, u32>> done;
      std::vector<std::byte> bytes(kBlock);
      for (;;) {
        const u64 block = random() % (kBlocks / kThreads) * kThreads + self;
        const u32 version = journal->blocks[block].begun.load() + 1;
        journal->blocks[block].begun.store(version);
        fill(block, version, bytes, first);
        const int error = version % 4 == 3 ? (*disk)->write_zeroes(block * kBlock, kBlock, random() % 2 == 0)
                                           : (*disk)->write(block * kBlock, std::span<const std::byte>(bytes));
        CHECK(error == 0, "errno {}", error);
        done.emplace_back(block, version);
        if (random() % 40 != 0) continue;
        CHECK((*disk)->flush() == 0);
        for (const auto& [at, what] : done) journal->blocks[at].flushed.store(what);
        done.clear();
        ++journal->flushes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::abort();
}

// Counts, for the last line.
struct Tally {
  u64 passed = 0, failed = 0, flushes = 0, leaks = 0;
};

bool holds_allowed(const std::byte* sector, u64 block, u64 in_block, const Versions& versions, char first) {
  std::byte expected[kBlock];
  const u32 begun = versions.begun.load();
  for (u32 version = versions.flushed.load(); version <= begun; ++version) {
    fill(block, version, expected, first);
    if (std::memcmp(sector, expected + in_block, 512) == 0) return true;
  }
  return false;
}

bool is_good(const std::string& path, Journal* journal, char first, Tally* tally) {
  {
    auto file = HostFile::open(path, {.read_only = true});
    CHECK(file.has_value(), "{}", file.error().message);
    auto header = qcow2::read_header(**file);
    if (!header) {
      fmt::print("{}\n", header.error().message);
      return false;
    }
    // A lazy image may be inconsistent, for it says so.
    if ((header->incompatible & qcow2::kIncompatibleDirty) == 0) {
      const auto result = qcow2::check_image(**file, *header, qcow2::Repair::none);
      CHECK(result.has_value());
      tally->leaks += result->leaks;
      if (result->corruptions != 0 || result->errors != 0) {
        fmt::print("inconsistent: {}\n", result->messages[0]);
        return false;
      }
      if (std::system("command -v qemu-img >/dev/null") == 0) {
        const int status = std::system(("qemu-img check -q " + path + " >/dev/null 2>&1").c_str());
        if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3)) {
          fmt::print("qemu-img check: status {}\n", WEXITSTATUS(status));
          return false;
        }
      }
    }
  }
  auto disk = open_disk(path, {.format = DiskFormat::qcow2});  // repairs a lazy image
  if (!disk) {
    fmt::print("{}\n", disk.error().message);
    return false;
  }
  std::vector<std::byte> bytes(kBlock);
  for (u64 block = 0; block < kBlocks; ++block) {
    CHECK((*disk)->read(block * kBlock, bytes) == 0);
    for (u64 at = 0; at < kBlock; at += 512) {
      if (holds_allowed(bytes.data() + at, block, at, journal->blocks[block], first)) continue;
      fmt::print("block {} at {} holds none of versions {} to {}\n", block, at, journal->blocks[block].flushed.load(),
                 journal->blocks[block].begun.load());
      return false;
    }
  }
  return true;
}

void forget_history(DiskImage& disk, Journal* journal, char first) {
  std::vector<std::byte> bytes(kBlock), expected(kBlock);
  for (u64 block = 0; block < kBlocks; ++block) {
    // A block may be a mix of versions in theory; then it is written anew.
    CHECK(disk.read(block * kBlock, bytes) == 0);
    Versions& versions = journal->blocks[block];
    u32 version = versions.flushed.load();
    for (;; ++version) {
      fill(block, version, expected, first);
      if (version >= versions.begun.load() || bytes == expected) break;
    }
    if (bytes != expected) CHECK(disk.write(block * kBlock, std::span<const std::byte>(expected)) == 0);
    versions.flushed.store(version);
    versions.begun.store(version);
  }
  CHECK(disk.flush() == 0);
}

u64 number(const char* text) {
  u64 value = 0;
  std::from_chars(text, text + std::strlen(text), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  u64 count = 20, seed = 1;
  std::string dir = std::filesystem::temp_directory_path();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--count") count = number(argv[i + 1]);
    if (option == "--seed") seed = number(argv[i + 1]);
    if (option == "--dir") dir = argv[i + 1];
  }
  std::string folder = dir + "/pagoda_crash_XXXXXX";
  CHECK(mkdtemp(folder.data()) != nullptr, "{}", folder);
  void* shared = mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  auto* journal = new (shared) Journal;
  std::mt19937_64 random(seed);
  Tally tally;
  for (u64 i = 0; i < count; ++i) {
    // A few kills for each image, so that later ones meet what earlier ones left.
    constexpr u64 kKillsPerImage = 8;
    const Shape& shape = kShapes[i / kKillsPerImage % std::size(kShapes)];
    const char first = shape.backing ? 'b' : '\0';
    const std::string path = folder + "/disk";
    if (i % kKillsPerImage == 0) {
      new (shared) Journal();
      std::filesystem::remove(path);
      qcow2::Header header;
      header.size = kBlocks * kBlock;
      header.cluster_bits = shape.cluster_bits;
      header.compatible = shape.lazy ? 1 : 0;
      if (shape.backing) {
        auto base = HostFile::create(folder + "/base");
        const std::vector<char> content(header.size, first);
        CHECK(base && (*base)->write(0, content.data(), content.size()) == 0);
        header.backing_file = "base";
        header.backing_format = "raw";
      }
      auto file = HostFile::create(path);
      CHECK(file && qcow2::create(**file, header));
    }
    const u64 nap_us = 2000 + random() % 150000;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) write_until_killed(path, journal, random(), first);
    usleep(static_cast<useconds_t>(nap_us));
    kill(child, SIGKILL);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
          "the writer ended by itself: {:#x}", status);
    const bool good = is_good(path, journal, first, &tally);
    ++(good ? tally.passed : tally.failed);
    if (!good) {
      fmt::print("kill {} of seed {}, image {}, after {} us\n", i, seed, shape.name, nap_us);
      break;
    }
    auto disk = open_disk(path, {.format = DiskFormat::qcow2});
    CHECK(disk.has_value());
    forget_history(**disk, journal, first);
  }
  tally.flushes = journal->flushes.load();
  fmt::print("{} flushes since the last new image, {} leaked clusters in all\n{} passed, {} failed\n", tally.flushes,
             tally.leaks, tally.passed, tally.failed);
  if (tally.failed == 0) std::filesystem::remove_all(folder);
  return tally.failed == 0 ? 0 : 1;
}
