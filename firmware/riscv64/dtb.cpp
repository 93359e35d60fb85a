// SPDX-License-Identifier: MIT
// The device tree reader: one walk over the structure block, properties found by scanning the node.
#include "dtb.h"

namespace pagoda::firmware {
namespace {

constexpr uint32_t kMagic = 0xd00dfeed;
constexpr uint32_t kBeginNode = 1;
constexpr uint32_t kEndNode = 2;
constexpr uint32_t kProperty = 3;
constexpr uint32_t kNop = 4;

// Header words.
constexpr unsigned kTotalSize = 1;
constexpr unsigned kStructOffset = 2;
constexpr unsigned kStringsOffset = 3;
constexpr unsigned kStructSize = 9;

uint32_t big_endian(uint32_t value) { return __builtin_bswap32(value); }

// The token after a name: names are zero-terminated and padded to whole words.
const uint32_t* skip_name(const char* name) {
  while (*name != 0) ++name;
  return reinterpret_cast<const uint32_t*>((reinterpret_cast<uint64_t>(name) + 4) & ~uint64_t{3});
}

const uint32_t* skip_property(const uint32_t* token) { return token + 3 + (big_endian(token[1]) + 3) / 4; }

}  // namespace

bool text_starts_with(const char* text, const char* prefix) {
  for (; *prefix != 0; ++text, ++prefix) {
    if (*text != *prefix) return false;
  }
  return true;
}

bool text_equal(const char* left, const char* right) {
  for (; *left == *right; ++left, ++right) {
    if (*left == 0) return true;
  }
  return false;
}

uint32_t DtbProperty::cell(uint32_t index) const {
  return index < cell_count() ? big_endian(reinterpret_cast<const uint32_t*>(data)[index]) : 0;
}

bool DtbProperty::lists(const char* text) const {
  // The last byte of a string list is a terminator, so each member can be compared as a string.
  if (size == 0 || data[size - 1] != 0) return false;
  for (uint32_t at = 0; at < size; ++at) {
    if ((at == 0 || data[at - 1] == 0) && text_equal(reinterpret_cast<const char*>(data + at), text)) return true;
  }
  return false;
}

DtbProperty DtbNode::property(const char* property_name) const {
  for (const uint32_t* token = body; token < end;) {
    const uint32_t kind = big_endian(*token);
    if (kind == kNop) {
      ++token;
    } else if (kind == kProperty) {
      if (text_equal(strings + big_endian(token[2]), property_name)) {
        return {reinterpret_cast<const uint8_t*>(token + 3), big_endian(token[1])};
      }
      token = skip_property(token);
    } else {
      break;
    }
  }
  return {};
}

bool DtbNode::reg(uint32_t index, uint64_t& base, uint64_t& size) const {
  const DtbProperty reg_property = property("reg");
  uint32_t at = index * (address_cells + size_cells);
  if (at + address_cells + size_cells > reg_property.cell_count()) return false;
  base = 0;
  size = 0;
  for (uint32_t i = 0; i < address_cells; ++i) base = base << 32 | reg_property.cell(at++);
  for (uint32_t i = 0; i < size_cells; ++i) size = size << 32 | reg_property.cell(at++);
  return true;
}

bool DtbNode::enabled() const {
  const DtbProperty status = property("status");
  return !status || status.lists("okay") || status.lists("ok");
}

bool Dtb::open(uint64_t address) {
  if (address == 0 || (address & 3) != 0) return false;
  const auto* header = reinterpret_cast<const uint32_t*>(address);
  if (big_endian(header[0]) != kMagic) return false;
  const uint32_t total = big_endian(header[kTotalSize]);
  const uint32_t start = big_endian(header[kStructOffset]);
  const uint32_t size = big_endian(header[kStructSize]);
  if (start > total || size > total - start) return false;
  begin_ = header + start / 4;
  end_ = begin_ + size / 4;
  strings_ = reinterpret_cast<const char*>(address + big_endian(header[kStringsOffset]));
  return true;
}

bool Dtb::next(Cursor& cursor, DtbNode& node) const {
  while (cursor.token < end_) {
    const uint32_t* token = cursor.token;
    switch (big_endian(*token)) {
      case kBeginNode: {
        if (cursor.depth >= kMaxDepth) return false;
        node.name = reinterpret_cast<const char*>(token + 1);
        node.depth = cursor.depth;
        node.body = skip_name(node.name);
        node.end = end_;
        node.strings = strings_;
        node.address_cells = cursor.depth == 0 ? 2 : cursor.address_cells[cursor.depth - 1];
        node.size_cells = cursor.depth == 0 ? 1 : cursor.size_cells[cursor.depth - 1];
        // Chapter 2.3.5: the defaults are 2 and 1, and they are not inherited.
        const DtbProperty address_cells = node.property("#address-cells");
        const DtbProperty size_cells = node.property("#size-cells");
        cursor.address_cells[cursor.depth] = static_cast<uint8_t>(address_cells ? address_cells.cell(0) : 2);
        cursor.size_cells[cursor.depth] = static_cast<uint8_t>(size_cells ? size_cells.cell(0) : 1);
        ++cursor.depth;
        cursor.token = node.body;
        return true;
      }
      case kEndNode:
        if (cursor.depth == 0) return false;
        --cursor.depth;
        ++cursor.token;
        break;
      case kProperty:
        cursor.token = skip_property(token);
        break;
      case kNop:
        ++cursor.token;
        break;
      default:
        return false;
    }
  }
  return false;
}

}  // namespace pagoda::firmware
