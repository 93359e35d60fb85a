// SPDX-License-Identifier: MIT
// Messages of 9P2000.L as bytes: little-endian numbers, strings with a two-byte length, qids.
//
// A message is size[4] type[1] tag[2] and what its type has. A reader never runs past the end: what is missing reads as
// zero and ok() says so.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace pagoda::p9 {

inline constexpr u32 kHeaderSize = 7;

// What identifies a file and its version.
struct Qid {
  static constexpr u8 kFolder = 0x80, kSymlink = 0x02, kFile = 0;
  u8 type = kFile;
  u32 version = 0;
  u64 path = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const u8> bytes) : left_(bytes) {}
  bool ok() const { return ok_; }
  u64 number(u32 size) {
    u64 value = 0;
    const auto bytes = take(size);
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), bytes.size());  // too short: null
    return value;
  }
  u8 byte() { return static_cast<u8>(number(1)); }
  u16 half() { return static_cast<u16>(number(2)); }
  u32 word() { return static_cast<u32>(number(4)); }
  u64 wide() { return number(8); }
  std::string text() {
    const auto bytes = take(half());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::span<const u8> take(std::size_t size) {
    if (size > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const auto bytes = left_.first(size);
    left_ = left_.subspan(size);
    return bytes;
  }

 private:
  std::span<const u8> left_;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(std::vector<u8>& out) : out_(out) {}
  void number(u64 value, u32 size) {
    for (u32 i = 0; i < size; ++i) out_.push_back(static_cast<u8>(value >> (8 * i)));
  }
  void byte(u8 value) { number(value, 1); }
  void half(u16 value) { number(value, 2); }
  void word(u32 value) { number(value, 4); }
  void wide(u64 value) { number(value, 8); }
  void text(std::string_view value) {
    half(static_cast<u16>(value.size()));
    append(value.data(), value.size());
  }
  void bytes(std::span<const u8> bytes) { append(bytes.data(), bytes.size()); }
  void qid(const Qid& qid) {
    byte(qid.type);
    word(qid.version);
    wide(qid.path);
  }

 private:
  // Not inline: g++ 12 and 14 see writes beyond the vector in its growth when they know where it starts.
  [[gnu::noinline]] void append(const void* from, std::size_t size) {
    const std::size_t at = out_.size();
    out_.resize(at + size);
    if (size != 0) std::memcpy(out_.data() + at, from, size);
  }
  std::vector<u8>& out_;
};

}  // namespace pagoda::p9
