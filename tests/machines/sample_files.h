// SPDX-License-Identifier: MIT
// Files of a boot made from nothing: a small ELF program, a Linux Image header, gzip. For tests and as seeds of
// fuzzers.
#pragma once

#include <elf.h>
#include <zlib.h>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace pagoda {

using Bytes = std::vector<std::byte>;

template <class T>
void put(Bytes& file, u64 offset, const T& value) {
  if (file.size() < offset + sizeof(T)) file.resize(offset + sizeof(T));
  std::memcpy(file.data() + offset, &value, sizeof(T));
}
inline void put_text(Bytes& file, u64 offset, std::string_view text) {
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

inline Bytes linux_image(u64 text_offset, u64 image_size, std::size_t file_size) {
  Bytes file(file_size);
  put(file, 8, text_offset);
  put(file, 16, image_size);
  put_text(file, 48, std::string_view("RISCV\0\0\0", 8));
  put_text(file, 56, "RSC\x05");
  return file;
}

inline Bytes gzipped(const Bytes& data) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(data.size() + 1000);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace pagoda
