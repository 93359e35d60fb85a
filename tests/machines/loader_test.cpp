// SPDX-License-Identifier: MIT
// Loaders: what programs are taken for, and that hostile files get an error.
#include <elf.h>
#include <cstring>
#include <random>

#include "machines/boot/boot_images.h"
#include "machines/boot/file.h"
#include "machines/boot/program_image.h"
#include "machines/sample_files.h"
#include "machines/tiny_guest.h"

namespace pagoda {
namespace {

constexpr u64 kLimit = 16 << 20;

std::string elf_error(const ElfFile& file) {
  const auto image = parse_elf(file.bytes(), kElfRiscv);
  return image ? "(none)" : image.error().message;
}

TEST(Elf, ParsesSegmentsEntryAndSymbols) {
  const Bytes file = ElfFile().bytes();
  const auto image = parse_elf(file, kElfRiscv);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->entry, 0x8000'0004u);  // moved with its segment
  ASSERT_EQ(image->segments.size(), 1u);
  EXPECT_EQ(image->segments[0].address, 0x8000'0000u);
  EXPECT_EQ(image->segments[0].bytes.size(), 16u);
  EXPECT_EQ(image->segments[0].memory_size, 64u);
  EXPECT_EQ(find_elf_symbol(file, "tohost"), 0x8000'1000u);
  EXPECT_EQ(find_elf_symbol(file, "fromhost"), std::nullopt);
  EXPECT_EQ(find_elf_symbol(file, "tohos"), std::nullopt);
}

TEST(Elf, Refuses) {
  ElfFile file;
  file.header.e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(elf_error(file), "it is a 32-bit ELF file; the guest is RISC-V, 64 bits");
  file = {};
  file.header.e_ident[EI_DATA] = ELFDATA2MSB;
  EXPECT_EQ(elf_error(file), "it is a big-endian ELF file; the guest is RISC-V");
  file = {};
  file.header.e_machine = EM_X86_64;
  EXPECT_EQ(elf_error(file), "it is an ELF file for x86-64; the guest is RISC-V");
  file = {};
  file.header.e_type = ET_REL;
  EXPECT_EQ(elf_error(file), "it is an ELF file, but not a program");
  file = {};
  file.header.e_phnum = 0;
  EXPECT_EQ(elf_error(file), "it is an ELF file without program headers");
  file = {};
  file.header.e_phentsize = 1;
  EXPECT_EQ(elf_error(file), "it is a damaged ELF file (program header size)");
  file = {};
  file.header.e_phoff = ~u64{0} - 10;
  EXPECT_EQ(elf_error(file), "it is a truncated ELF file (program headers)");
  file = {};
  file.segment.p_offset = ~u64{0} - 3;
  EXPECT_EQ(elf_error(file), "it is a truncated ELF file (segment 0)");
  file = {};
  file.segment.p_filesz = sizeof(ElfFile);
  EXPECT_EQ(elf_error(file), "it is a truncated ELF file (segment 0)");
  file = {};
  file.segment.p_memsz = 8;
  EXPECT_EQ(elf_error(file), "it is a damaged ELF file (segment 0)");
  file = {};
  file.segment.p_paddr = ~u64{0} - 3;
  EXPECT_EQ(elf_error(file), "it is a damaged ELF file (segment 0)");
  file = {};
  file.segment.p_type = PT_NOTE;
  EXPECT_EQ(elf_error(file), "it is an ELF file with nothing to load");
}

TEST(Elf, EveryTruncationIsAnError) {
  const Bytes file = ElfFile().bytes();
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse_elf(std::span(file).first(size), kElfRiscv).has_value()) << size;
    (void)find_elf_symbol(std::span(file).first(size), "tohost");
  }
}

TEST(Elf, SurvivesDamage) {
  const Bytes good = ElfFile().bytes();
  std::mt19937 random(2);
  for (int round = 0; round < 50'000; ++round) {
    Bytes file = good;
    for (u32 i = 0; i < 1 + random() % 3; ++i) file[random() % file.size()] = static_cast<std::byte>(random());
    (void)find_elf_symbol(file, "tohost");
    const auto image = parse_elf(file, kElfRiscv);
    if (!image) continue;
    BootImages images(0x8000'0000, kLimit);
    for (const ElfSegment& segment : image->segments) {
      if (!images.add("x", segment.address, segment.bytes, segment.memory_size)) break;
    }
  }
}

std::string program_error(Bytes file) {
  const auto image = identify_riscv64_program(std::move(file), kLimit);
  return image ? "(none)" : image.error().message;
}

TEST(ProgramImage, Kinds) {
  auto image = identify_riscv64_program(linux_image(0x20'0000, 0x9000, 0x8000), kLimit);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->kind, ProgramImage::Kind::linux_image);
  EXPECT_EQ(image->text_offset, 0x20'0000u);
  EXPECT_EQ(image->memory_size, 0x9000u);
  image = identify_riscv64_program(Bytes(100), kLimit);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->kind, ProgramImage::Kind::flat);
  EXPECT_EQ(image->memory_size, 100u);
  image = identify_riscv64_program(ElfFile().bytes(), kLimit);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->kind, ProgramImage::Kind::elf);
  // Segments still point at the bytes after the image has moved.
  const ProgramImage moved = std::move(*image);
  EXPECT_EQ(moved.elf.segments[0].bytes[4], std::byte{2});
}

TEST(ProgramImage, Gzip) {
  const Bytes kernel = linux_image(0x20'0000, 0x90000, 0x80000);
  const Bytes packed = gzipped(kernel);
  const auto image = identify_riscv64_program(packed, kLimit);
  ASSERT_TRUE(image.has_value());
  EXPECT_EQ(image->kind, ProgramImage::Kind::linux_image);
  EXPECT_EQ(image->file, kernel);
  for (const std::size_t size : {std::size_t{2}, std::size_t{9}, packed.size() / 2, packed.size() - 1}) {
    EXPECT_EQ(program_error(Bytes(packed.begin(), packed.begin() + static_cast<std::ptrdiff_t>(size))),
              "the gzip file is truncated")
        << size;
  }
  Bytes damaged = packed;
  damaged[damaged.size() - 6] ^= std::byte{1};  // the checksum
  EXPECT_EQ(program_error(damaged), "the gzip file is damaged");
  EXPECT_EQ(program_error(gzipped(packed)), "it is compressed twice");
  EXPECT_EQ(program_error(gzipped(Bytes())), "the gzip file holds nothing");
  const auto too_big = identify_riscv64_program(gzipped(Bytes(2000)), 1000);
  EXPECT_EQ(too_big.error().message, "it is too big when decompressed: it would not fit into the guest's RAM (-m)");
  EXPECT_TRUE(identify_riscv64_program(gzipped(Bytes(1000)), 1000).has_value());
}

TEST(ProgramImage, Foreign) {
  Bytes file(0x400);
  put_text(file, 56, "ARM\x64");
  EXPECT_EQ(program_error(file), "it is an ARM64 kernel; the guest is RISC-V");
  file = Bytes(0x400);
  put_text(file, 0x202, "HdrS");
  EXPECT_EQ(program_error(file), "it is an x86 kernel; the guest is RISC-V");
  file = Bytes(0x400);
  put_text(file, 0, "MZ");
  EXPECT_EQ(program_error(file), "it is a Windows or EFI program without a RISC-V kernel in it");
  put_text(file, 4, "zimg");
  EXPECT_EQ(program_error(file), "it is a compressed EFI image; use an Image or Image.gz");
  file = Bytes(0x400);
  put_text(file, 0,
           "\xfd"
           "7zXZ");
  EXPECT_EQ(program_error(file), "it is compressed by xz; only gzip is supported");
}

TEST(ProgramImage, SizesOfLinuxImages) {
  EXPECT_NE(program_error(linux_image(~u64{0}, 0x9000, 0x8000)), "(none)");
  EXPECT_NE(program_error(linux_image(0, ~u64{0}, 0x8000)), "(none)");
  // A PE section table that promises more than the file has.
  Bytes file = linux_image(0, 0x9000, 0x8000);
  put_text(file, 0, "MZ");
  put<u32>(file, 60, 0x80);
  put_text(file, 0x80, std::string_view("PE\0\0", 4));
  put<u16>(file, 0x86, 1);     // sections
  put<u16>(file, 0x94, 0xf0);  // optional header
  const u64 section = 0x80 + 24 + 0xf0;
  put<u32>(file, section + 16, 0x8000);  // size, then offset of its data
  put<u32>(file, section + 20, 0x1000);
  EXPECT_EQ(program_error(file), "the kernel is truncated: it has 32768 bytes of 36864");
  put<u32>(file, section + 16, 0x7000);
  EXPECT_EQ(program_error(file), "(none)");
}

TEST(BootImages, PlacementErrors) {
  BootImages images(0x8000'0000, 0x10'0000);
  const Bytes bytes(0x1000);
  EXPECT_TRUE(images.add("a", 0x8000'0000, bytes, 0x2000).has_value());
  EXPECT_TRUE(images.add("end", 0x800f'f000, bytes, 0x1000).has_value());
  EXPECT_EQ(images.end(), 0x8010'0000u);
  EXPECT_EQ(images.add("b", 0x8000'1fff, bytes, 0x1000).error().message,
            "b: 4096 bytes at 0x80001fff would lie over a at 0x80000000-0x80001fff");
  EXPECT_EQ(images.add("c", 0x7fff'f000, bytes, 0x1000).error().message,
            "c: 4096 bytes at 0x7ffff000 do not fit into RAM at 0x80000000-0x800fffff (-m)");
  for (const u64 address : {u64{0x800f'f001}, u64{0x8010'0000}, ~u64{0} - 0xfff, u64{0}}) {
    EXPECT_FALSE(images.add("d", address, bytes, 0x1000).has_value()) << address;
  }
  EXPECT_FALSE(images.add("e", 0x8000'2000, bytes, ~u64{0}).has_value());
  EXPECT_TRUE(images.add("f", 0x8000'2000, bytes, 0x1000).has_value());
}

TEST(BootImages, LoadsAroundHoles) {
  GuestMemory memory;
  ASSERT_TRUE(memory.add_ram(GuestPhys(0x8000'0000), 0x1000, "low").has_value());
  ASSERT_TRUE(memory.add_ram(GuestPhys(0x8000'2000), 0x2000, "high").has_value());
  struct Window final : MmioHandler {
    u64 read(u64, const Access&) override { return 0; }
    void write(u64, u64, const Access&) override {}
    u64 peek(u64, u32) const override { return 0; }
  } window;
  memory.map_mmio(GuestPhys(0x8000'1000), 0x1000, &window, "hole");
  BootImages images(0x8000'0000, 0x4000);
  Bytes bytes(0x2800, std::byte{7});
  ASSERT_TRUE(images.add("x", 0x8000'0800, images.keep(std::move(bytes)), 0x3000).has_value());
  ASSERT_TRUE(memory.fill(GuestPhys(0x8000'3000), 0x1000, 9));
  images.load(memory);
  u8 value = 0;
  const auto at = [&](u64 address) {
    EXPECT_TRUE(memory.load<u8>(GuestPhys(address), &value));
    return value;
  };
  EXPECT_EQ(at(0x8000'07ff), 0);
  EXPECT_EQ(at(0x8000'0800), 7);
  EXPECT_EQ(at(0x8000'2fff), 7);
  EXPECT_EQ(at(0x8000'3000), 0);  // zeroed up to the memory size
  EXPECT_EQ(at(0x8000'3800), 9);
  EXPECT_EQ(images.content(0x8000'0000, 0x1000)[0x800], 7);
  EXPECT_EQ(images.content(0x8000'0000, 0x1000)[0x7ff], 0);
}

TEST(ReadFile, Errors) {
  EXPECT_EQ(read_file("-kernel", "/nothing/there", kLimit).error().message,
            "-kernel /nothing/there: could not open kernel: No such file or directory");
  EXPECT_EQ(read_file("-initrd", "/nothing/there", kLimit).error().message,
            "-initrd /nothing/there: No such file or directory");
  const std::string folder = testing::TempDir();
  EXPECT_EQ(read_file("-kernel", folder, kLimit).error().message, "-kernel " + folder + ": it is a directory");
  const test::TempFile empty;
  EXPECT_EQ(read_file("-initrd", empty.path(), kLimit).error().message,
            "-initrd " + empty.path() + ": the file is empty");
  const Bytes content(1000, std::byte{3});
  const test::TempFile file{std::span<const std::byte>(content)};
  EXPECT_EQ(*read_file("-initrd", file.path(), 1000), content);
  EXPECT_FALSE(read_file("-initrd", file.path(), 999).has_value());
  EXPECT_FALSE(read_file("-initrd", "/dev/zero", 1000).has_value());
}

}  // namespace
}  // namespace pagoda
