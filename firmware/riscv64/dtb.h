// SPDX-License-Identifier: MIT
// Reads the flattened device tree (Devicetree specification v0.4, chapter 5) in place, in file order, without
// allocation.
#pragma once

#include <stdint.h>

namespace pagoda::firmware {

struct DtbProperty {
  const uint8_t* data = nullptr;  // null if the node lacks the property
  uint32_t size = 0;

  explicit operator bool() const { return data != nullptr; }
  uint32_t cell_count() const { return size / 4; }
  // 0 past the end.
  uint32_t cell(uint32_t index) const;
  // Whether a string list has `text` as one of its members.
  bool lists(const char* text) const;
};

struct DtbNode {
  const char* name;
  uint32_t depth;          // 0 for the root
  uint32_t address_cells;  // of the parent: how to read `reg`
  uint32_t size_cells;
  const uint32_t* body;  // the first token after the name
  const uint32_t* end;
  const char* strings;

  DtbProperty property(const char* property_name) const;
  // Entry `index` of `reg` as the parent's bus has it: buses that translate (`ranges` with content) are not followed.
  bool reg(uint32_t index, uint64_t& base, uint64_t& size) const;
  bool compatible(const char* text) const { return property("compatible").lists(text); }
  uint32_t phandle() const { return property("phandle").cell(0); }
  bool enabled() const;
};

class Dtb {
 public:
  // False if there is no device tree at the address.
  bool open(uint64_t address);

  // Calls `visit(const DtbNode&)` for each node, parents before children.
  template <typename Visit>
  void for_each_node(Visit visit) const {
    Cursor cursor{begin_, 0, {}, {}};
    DtbNode node;
    while (next(cursor, node)) visit(node);
  }

 private:
  static constexpr uint32_t kMaxDepth = 16;

  struct Cursor {
    const uint32_t* token;
    uint32_t depth;  // of the next node
    // What nodes at each depth use to address their children.
    uint8_t address_cells[kMaxDepth];
    uint8_t size_cells[kMaxDepth];
  };

  bool next(Cursor& cursor, DtbNode& node) const;

  const uint32_t* begin_ = nullptr;
  const uint32_t* end_ = nullptr;
  const char* strings_ = nullptr;
};

// Whether a zero-terminated string begins with a zero-terminated prefix, or equals another one.
bool text_starts_with(const char* text, const char* prefix);
bool text_equal(const char* left, const char* right);

}  // namespace pagoda::firmware
