// SPDX-License-Identifier: MIT
// Fuzzes what reads files of a boot: programs (ELF, Image, gzip, flat), their placement in RAM, device trees.
//
// The first byte of the input says what the rest is.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "fuzz/target.h"
#include "machines/boot/boot_images.h"
#include "machines/boot/program_image.h"
#include "machines/fdt/fdt_builder.h"
#include "machines/sample_files.h"

namespace {

using namespace pagoda;

constexpr u64 kRamBase = 0x8000'0000;
constexpr u64 kRamSize = 1 << 20;

void fuzz_program(std::span<const std::byte> input) {
  auto image = identify_riscv64_program({input.begin(), input.end()}, kRamSize);
  if (!image) {
    CHECK(!image.error().message.empty());
    return;
  }
  (void)find_elf_symbol(image->file, "tohost");
  BootImages images(kRamBase, kRamSize);
  if (image->kind == ProgramImage::Kind::elf) {
    for (const ElfSegment& segment : image->elf.segments) {
      if (!images.add("segment", segment.address, segment.bytes, segment.memory_size)) return;
    }
  } else if (!images.add("program", kRamBase + image->text_offset, image->file, image->memory_size)) {
    return;
  }
  GuestMemory memory;
  if (!memory.add_ram(GuestPhys(kRamBase), kRamSize, "ram")) return;
  images.load(memory);
  // What was placed is there.
  std::array<std::byte, 64> page;
  const u64 last = images.end() - std::min<u64>(images.end() - kRamBase, page.size());
  const auto piece = std::span(page).first(images.end() - last);
  CHECK(memory.read(GuestPhys(last), piece));
  const std::vector<u8> expected = images.content(last, piece.size());
  CHECK(std::equal(piece.begin(), piece.end(), reinterpret_cast<const std::byte*>(expected.data())));
}

void fuzz_tree(std::span<const std::byte> input) {
  auto tree = FdtBuilder::from_bytes(input);
  if (!tree) return;
  tree->set_string("/chosen", "bootargs", "console=ttyS0");
  tree->set_u64("/chosen", "linux,initrd-start", kRamBase);
  (void)tree->cell("/reserved-memory", "#address-cells", 2);
  tree->set_reg("/reserved-memory/mmode_resv0@80000000", kRamBase, 0x40000);
  const auto blob = tree->finish();
  CHECK(!blob || FdtBuilder::from_bytes(*blob).has_value());
}

constexpr u8 kProgram = 0, kTree = 1;

}  // namespace

std::vector<std::vector<u8>> test::fuzz_seeds() {
  std::vector<std::vector<u8>> seeds;
  const auto add = [&](u8 kind, const Bytes& file) {
    std::vector<u8>& seed = seeds.emplace_back(1, kind);
    for (const std::byte byte : file) seed.push_back(static_cast<u8>(byte));
  };
  add(kProgram, ElfFile().bytes());
  add(kProgram, linux_image(0x20000, 0x3000, 0x1000));
  add(kProgram, gzipped(linux_image(0x20000, 0x3000, 0x1000)));
  add(kProgram, gzipped(ElfFile().bytes()));
  FdtBuilder tree;
  tree.set_cells("/", "#address-cells", {2});
  tree.set_string("/chosen", "bootargs", "quiet");
  tree.set_reg("/memory@80000000", kRamBase, kRamSize);
  tree.reserve(kRamBase, 0x1000);
  add(kTree, *tree.finish());
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span input(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  if (data[0] % 2 == kProgram) {
    fuzz_program(input);
  } else {
    fuzz_tree(input);
  }
  return 0;
}
