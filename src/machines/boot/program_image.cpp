// SPDX-License-Identifier: MIT
// Identification and decompression of programs.
#include "machines/boot/program_image.h"

#include <zlib.h>
#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace pagoda {
namespace {

template <class T>
T value_at(std::span<const std::byte> file, u64 offset) {
  T value{};
  if (offset <= file.size() && file.size() - offset >= sizeof(T)) std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

bool has_text(std::span<const std::byte> file, u64 offset, std::string_view text) {
  return offset <= file.size() && file.size() - offset >= text.size() &&
         std::memcmp(file.data() + offset, text.data(), text.size()) == 0;
}

Result<std::vector<std::byte>> gunzip(std::span<const std::byte> file, u64 limit) {
  constexpr int kGzipOnly = 15 + 16;  // window bits and zlib's flag
  z_stream stream{};
  CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK, "zlib");
  std::vector<std::byte> out(std::min<u64>(std::max<u64>(file.size() * 4, 1 << 16), limit));
  u64 taken = 0, made = 0;
  int result = Z_OK;
  // zlib counts in 32 bits, so both sides go by pieces.
  constexpr u64 kPiece = 1 << 30;
  while (result == Z_OK) {
    if (made == out.size()) {
      if (made >= limit) break;
      out.resize(std::min(made * 2, limit));
    }
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(file.data() + taken));
    stream.avail_in = static_cast<uInt>(std::min(file.size() - taken, kPiece));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + made);
    stream.avail_out = static_cast<uInt>(std::min<u64>(out.size() - made, kPiece));
    const uInt in_before = stream.avail_in, out_before = stream.avail_out;
    result = inflate(&stream, Z_NO_FLUSH);
    taken += in_before - stream.avail_in;
    made += out_before - stream.avail_out;
  }
  inflateEnd(&stream);
  if (result == Z_OK) return fail("it is too big when decompressed: it would not fit into the guest's RAM (-m)");
  if (result == Z_BUF_ERROR) return fail("the gzip file is truncated");
  if (result != Z_STREAM_END) return fail("the gzip file is damaged");
  if (made == 0) return fail("the gzip file holds nothing");
  out.resize(made);
  return out;
}

// Offsets in the header of Linux's flat images, which RISC-V and ARM64 share.
constexpr u64 kTextOffset = 8, kImageSize = 16, kMagic = 56, kPeOffset = 60;
constexpr std::string_view kRiscvMagic = "RSC\x05", kArm64Magic = "ARM\x64";

// Kernels with an EFI stub carry a PE header, which says how long the file is. 0: it does not say.
u64 size_by_pe_sections(std::span<const std::byte> file) {
  if (!has_text(file, 0, "MZ")) return 0;
  const u64 pe = value_at<u32>(file, kPeOffset);
  if (!has_text(file, pe, std::string_view("PE\0\0", 4))) return 0;
  const u64 sections = value_at<u16>(file, pe + 6);
  const u64 table = pe + 24 + value_at<u16>(file, pe + 20);
  u64 end = 0;
  for (u64 i = 0; i < sections; ++i) {
    const u64 entry = table + i * 40;
    end = std::max(end, u64{value_at<u32>(file, entry + 20)} + value_at<u32>(file, entry + 16));
  }
  return end;
}

struct Foreign {
  u64 offset;
  std::string_view magic;
  const char* what;
};
// Files that people pass by mistake and that would only crash as flat binaries. Magic numbers of file(1)'s database.
constexpr Foreign kForeign[] = {
    {kMagic, kArm64Magic, "it is an ARM64 kernel; the guest is RISC-V"},
    {0x202, "HdrS", "it is an x86 kernel; the guest is RISC-V"},
    {0x24, "\x18\x28\x6f\x01", "it is a 32-bit ARM kernel; the guest is RISC-V"},
    {4, "zimg", "it is a compressed EFI image; use an Image or Image.gz"},
    {0, "\xfd\x37zXZ", "it is compressed by xz; only gzip is supported"},
    {0, "BZh", "it is compressed by bzip2; only gzip is supported"},
    {0, "\x28\xb5\x2f\xfd", "it is compressed by zstd; only gzip is supported"},
    {0, "\x89LZO", "it is compressed by lzop; only gzip is supported"},
    {0, "\x02\x21\x4c\x18", "it is compressed by lz4; only gzip is supported"},
    {0, "\x27\x05\x19\x56", "it is a U-Boot image, which is not supported; use an Image or Image.gz"},
    {0, "\xd0\x0d\xfe\xed", "it is a device tree or FIT image, not a program"},
    {0, "070701", "it is a cpio archive (an initrd?), not a program"},
    {0, "MZ", "it is a Windows or EFI program without a RISC-V kernel in it"},
};

bool is_gzip(std::span<const std::byte> file) { return has_text(file, 0, "\x1f\x8b"); }

}  // namespace

Result<ProgramImage> identify_riscv64_program(std::vector<std::byte> file, u64 limit) {
  if (is_gzip(file)) {
    TRY_ASSIGN(file, gunzip(file, limit));
    if (is_gzip(file)) return fail("it is compressed twice");
  }
  ProgramImage image;
  image.file = std::move(file);
  const std::span<const std::byte> bytes = image.file;
  if (is_elf(bytes)) {
    image.kind = ProgramImage::Kind::elf;
    TRY_ASSIGN(image.elf, parse_elf(bytes, kElfRiscv));
    return image;
  }
  if (has_text(bytes, kMagic, kRiscvMagic)) {
    image.kind = ProgramImage::Kind::linux_image;
    image.text_offset = value_at<u64>(bytes, kTextOffset);
    image.memory_size = std::max<u64>(value_at<u64>(bytes, kImageSize), bytes.size());
    if (image.text_offset > limit || image.memory_size > limit) {
      return fail("the kernel needs {} MiB at {:#x}, more than the guest's RAM (-m)", image.memory_size >> 20,
                  image.text_offset);
    }
    const u64 expected = size_by_pe_sections(bytes);
    if (expected > bytes.size()) {
      return fail("the kernel is truncated: it has {} bytes of {}", bytes.size(), expected);
    }
    return image;
  }
  for (const Foreign& foreign : kForeign) {
    if (has_text(bytes, foreign.offset, foreign.magic)) return fail("{}", foreign.what);
  }
  image.memory_size = bytes.size();
  return image;
}

}  // namespace pagoda
