// SPDX-License-Identifier: MIT
// The two compressors of qcow2, through zlib and libzstd.
#include "devices/storage/qcow2/compression.h"

#include <zlib.h>
#include <zstd.h>
#include <memory>

namespace pagoda::qcow2 {
namespace {

constexpr int kWindowBits = -12;  // negative: deflate without a zlib header ("Compressed Clusters")

bool inflate_cluster(std::span<const u8> in, std::span<std::byte> out) {
  z_stream stream{};
  stream.next_in = const_cast<u8*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (inflateInit2(&stream, kWindowBits) != Z_OK) return false;
  const int result = inflate(&stream, Z_FINISH);
  const bool is_whole = stream.avail_out == 0;
  inflateEnd(&stream);
  // Z_BUF_ERROR: the output is full, whatever follows.
  return is_whole && (result == Z_STREAM_END || result == Z_BUF_ERROR || result == Z_OK);
}

struct FreeZstd {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

bool unzstd_cluster(std::span<const u8> in, std::span<std::byte> out) {
  const std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  if (context == nullptr) return false;
  ZSTD_inBuffer from{in.data(), in.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (to.pos < to.size) {
    const std::size_t in_before = from.pos, out_before = to.pos;
    const std::size_t left = ZSTD_decompressStream(context.get(), &to, &from);
    if (ZSTD_isError(left)) return false;
    // A frame that ends early is followed by padding; a step without progress would be the last one for ever.
    if (to.pos < to.size && (left == 0 || (from.pos == in_before && to.pos == out_before))) return false;
  }
  return true;
}

std::vector<u8> deflate_cluster(std::span<const std::byte> in) {
  std::vector<u8> out(in.size());
  z_stream stream{};
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size() - 1);
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kWindowBits, 9, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  const int result = deflate(&stream, Z_FINISH);
  out.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

}  // namespace

bool decompress(Compression type, std::span<const u8> in, std::span<std::byte> out) {
  return type == Compression::zlib ? inflate_cluster(in, out) : unzstd_cluster(in, out);
}

std::vector<u8> compress(Compression type, std::span<const std::byte> in) {
  if (type == Compression::zlib) return deflate_cluster(in);
  std::vector<u8> out(in.size() - 1);
  const std::size_t size = ZSTD_compress(out.data(), out.size(), in.data(), in.size(), ZSTD_CLEVEL_DEFAULT);
  out.resize(ZSTD_isError(size) ? 0 : size);
  return out;
}

}  // namespace pagoda::qcow2
