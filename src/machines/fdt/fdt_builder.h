// SPDX-License-Identifier: MIT
// FdtBuilder: a flattened device tree (Devicetree Specification 0.4, chapter 5) being made or changed; owns its buffer.
//
// Nodes are named by path ("/soc/serial@10000000"). A new node comes before its older siblings, as libfdt has it and
// QEMU's trees show. The first failure sticks and is reported by finish(). Not for use from several threads.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class FdtBuilder {
 public:
  // A tree that holds only the root node.
  FdtBuilder();
  // A tree from a file's bytes, checked whole: they may come from anywhere. The error says what is wrong with them.
  static Result<FdtBuilder> from_bytes(std::span<const std::byte> bytes);

  bool has_node(const std::string& path) const;
  // Makes a node and those above it, as far as they are missing.
  void add_node(const std::string& path);

  // Properties; each makes its node if it is missing and replaces an older value. Cells are big endian in the tree.
  void set_cells(const std::string& path, const char* name, std::span<const u32> cells);
  void set_cells(const std::string& path, const char* name, std::initializer_list<u32> cells) {
    set_cells(path, name, std::span(cells.begin(), cells.size()));
  }
  void set_u64(const std::string& path, const char* name, u64 value);
  // One (address, size) entry of two cells each.
  void set_reg(const std::string& path, u64 address, u64 size);
  void set_string(const std::string& path, const char* name, std::string_view value);
  void set_strings(const std::string& path, const char* name, std::span<const std::string> values);
  void set_strings(const std::string& path, const char* name, std::initializer_list<std::string> values) {
    set_strings(path, name, std::span(values.begin(), values.size()));
  }
  void set_flag(const std::string& path, const char* name) { set_bytes(path, name, {}); }
  void set_bytes(const std::string& path, const char* name, std::span<const std::byte> bytes);

  // The first cell of a property; `otherwise` if there is none.
  u32 cell(const std::string& path, const char* name, u32 otherwise) const;
  // Adds an entry to the memory reservation block.
  void reserve(u64 address, u64 size);

  // A phandle that nothing in the tree has.
  u32 new_phandle() { return ++last_phandle_; }

  // The tree without slack.
  Result<std::vector<std::byte>> finish();

 private:
  explicit FdtBuilder(std::vector<std::byte> buffer) : buffer_(std::move(buffer)) {}
  void* blob() { return buffer_.data(); }
  const void* blob() const { return buffer_.data(); }
  // Repeats an edit with a bigger buffer while it says that there is no room.
  template <class Edit>
  int edit(Edit edit_once);
  int node(const std::string& path);

  std::vector<std::byte> buffer_;
  u32 last_phandle_ = 0;
  int error_ = 0;  // libfdt's code
};

}  // namespace pagoda
