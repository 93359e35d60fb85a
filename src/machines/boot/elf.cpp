// SPDX-License-Identifier: MIT
// ELF parsing.
#include "machines/boot/elf.h"

#include <elf.h>
#include <algorithm>
#include <cstring>

namespace pagoda {
namespace {

// A structure at an offset of the file; false if it is not whole inside.
template <class T>
bool load(std::span<const std::byte> file, u64 offset, T* value) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return false;
  std::memcpy(value, file.data() + offset, sizeof(T));
  return true;
}

bool is_inside(std::span<const std::byte> file, u64 offset, u64 size) {
  return offset <= file.size() && size <= file.size() - offset;
}

std::string machine_name(u16 machine) {
  switch (machine) {
    case EM_386:
      return "x86 (32 bits)";
    case EM_X86_64:
      return "x86-64";
    case EM_ARM:
      return "ARM (32 bits)";
    case EM_AARCH64:
      return "ARM64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "PowerPC 64";
    case EM_S390:
      return "S/390";
    case EM_MIPS:
      return "MIPS";
    case EM_LOONGARCH:
      return "LoongArch";
    default:
      return fmt::format("machine number {}", machine);
  }
}

}  // namespace

bool is_elf(std::span<const std::byte> file) {
  return file.size() >= SELFMAG && std::memcmp(file.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfImage> parse_elf(std::span<const std::byte> file, u16 machine) {
  unsigned char ident[EI_NIDENT];
  if (!is_elf(file) || !load(file, 0, &ident)) return fail("it is a truncated ELF file");
  if (ident[EI_CLASS] == ELFCLASS32)
    return fail("it is a 32-bit ELF file; the guest is {}, 64 bits", machine_name(machine));
  if (ident[EI_CLASS] != ELFCLASS64) return fail("it is a damaged ELF file (class {})", ident[EI_CLASS]);
  if (ident[EI_DATA] != ELFDATA2LSB) return fail("it is a big-endian ELF file; the guest is {}", machine_name(machine));
  Elf64_Ehdr header;
  if (!load(file, 0, &header)) return fail("it is a truncated ELF file");
  if (header.e_machine != machine) {
    return fail("it is an ELF file for {}; the guest is {}", machine_name(header.e_machine), machine_name(machine));
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return fail("it is an ELF file, but not a program");
  if (header.e_phnum == 0) return fail("it is an ELF file without program headers");
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return fail("it is a damaged ELF file (program header size)");

  ElfImage image{.entry = header.e_entry, .segments = {}, .is_relocatable = header.e_type == ET_DYN};
  for (u32 i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    const u64 offset = u64{i} * sizeof(segment);
    if (header.e_phoff > file.size() || !load(file, header.e_phoff + offset, &segment)) {
      return fail("it is a truncated ELF file (program headers)");
    }
    if (segment.p_type != PT_LOAD || segment.p_memsz == 0) continue;
    if (!is_inside(file, segment.p_offset, segment.p_filesz)) return fail("it is a truncated ELF file (segment {})", i);
    if (segment.p_filesz > segment.p_memsz || segment.p_paddr + segment.p_memsz < segment.p_paddr) {
      return fail("it is a damaged ELF file (segment {})", i);
    }
    image.segments.push_back({segment.p_paddr, file.subspan(segment.p_offset, segment.p_filesz), segment.p_memsz});
    // Kernels are often linked at virtual addresses: the entry moves with its segment.
    if ((segment.p_flags & PF_X) != 0 && header.e_entry - segment.p_vaddr < segment.p_memsz) {
      image.entry = header.e_entry - segment.p_vaddr + segment.p_paddr;
    }
  }
  if (image.segments.empty()) return fail("it is an ELF file with nothing to load");
  return image;
}

std::optional<u64> find_elf_symbol(std::span<const std::byte> file, std::string_view name) {
  Elf64_Ehdr header;
  if (!load(file, 0, &header) || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shoff > file.size()) return {};
  const auto section = [&](u32 index, Elf64_Shdr* out) {
    return index < header.e_shnum && load(file, header.e_shoff + u64{index} * sizeof(Elf64_Shdr), out);
  };
  for (u32 i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr symbols, strings;
    if (!section(i, &symbols)) return {};
    if (symbols.sh_type != SHT_SYMTAB || !section(symbols.sh_link, &strings)) continue;
    if (!is_inside(file, symbols.sh_offset, symbols.sh_size)) continue;
    if (!is_inside(file, strings.sh_offset, strings.sh_size)) continue;
    const auto names = file.subspan(strings.sh_offset, strings.sh_size);
    for (u64 at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      if (!load(file, symbols.sh_offset + at, &symbol)) return {};
      // The name and its terminating zero.
      if (symbol.st_shndx == SHN_UNDEF || !is_inside(names, symbol.st_name, name.size() + 1)) continue;
      const auto* text = reinterpret_cast<const char*>(names.data() + symbol.st_name);
      if (std::string_view(text, name.size()) == name && text[name.size()] == 0) return symbol.st_value;
    }
  }
  return {};
}

}  // namespace pagoda
