// SPDX-License-Identifier: MIT
// Loaders: what programs are taken for, and that hostile files get an error.
#include <elf.h>
#include <zlib.h>
#include <cstring>
#include <random>

#include "machines/boot/boot_images.h"
#include "machines/boot/file.h"
#include "machines/boot/program_image.h"
#include "machines/tiny_guest.h"

namespace pagoda {
namespace {

using Bytes = std::vector<std::byte>;
constexpr u64 kLimit = 16 << 20;

template <class T>
void put(Bytes& file, u64 offset, const T& value) {
  if (file.size() < offset + sizeof(T)) file.resize(offset + sizeof(T));
  std::memcpy(file.data() + offset, &value, sizeof(T));
}
void put_text(Bytes& file, u64 offset, std::string_view text) {
  if (file.size() < offset + text.size()) file.resize(offset + text.size());
  std::memcpy(file.data() + offset, text.data(), text.size());
}

// Header, one program header, 16 bytes of code; a symbol table with "tohost".
struct ElfFile {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};
  Elf64_Shdr sections[3]{};
  Elf64_Sym symbols[2]{};
  char strings[16] = "\0tohost";
  u32 code[4] = {1, 2, 3, 4};

  ElfFile() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_RISCV;
    header.e_entry = 0xffff'0004;
    header.e_phoff = offsetof(ElfFile, segment);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shoff = offsetof(ElfFile, sections);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 3;
    segment = {.p_type = PT_LOAD,
               .p_flags = PF_R | PF_X,
               .p_offset = offsetof(ElfFile, code),
               .p_vaddr = 0xffff'0000,
               .p_paddr = 0x8000'0000,
               .p_filesz = sizeof(code),
               .p_memsz = 64,
               .p_align = 4};
    sections[1].sh_type = SHT_SYMTAB;
    sections[1].sh_link = 2;
    sections[1].sh_offset = offsetof(ElfFile, symbols);
    sections[1].sh_size = sizeof(symbols);
    sections[2].sh_type = SHT_STRTAB;
    sections[2].sh_offset = offsetof(ElfFile, strings);
    sections[2].sh_size = sizeof(strings);
    symbols[1].st_name = 1;
    symbols[1].st_shndx = 1;
    symbols[1].st_value = 0x8000'1000;
  }
  Bytes bytes() const {
    Bytes result(sizeof(*this));
    std::memcpy(result.data(), static_cast<const void*>(this), sizeof(*this));
    return result;
  }
};

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

Bytes linux_image(u64 text_offset, u64 image_size, std::size_t file_size) {
  Bytes file(file_size);
  put(file, 8, text_offset);
  put(file, 16, image_size);
  put_text(file, 48, std::string_view("RISCV\0\0\0", 8));
  put_text(file, 56, "RSC\x05");
  return file;
}

Bytes gzipped(const Bytes& data) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Bytes out(data.size() + 1000);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
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
            "-kernel /nothing/there: No such file or directory");
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
