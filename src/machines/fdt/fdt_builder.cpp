// SPDX-License-Identifier: MIT
// Device trees through libfdt.
#include "machines/fdt/fdt_builder.h"

#include <libfdt.h>

#include "base/check.h"

namespace pagoda {
namespace {

constexpr std::size_t kFirstSize = 16 << 10;

void put_cell(std::vector<std::byte>* out, u32 value) {
  for (u32 shift = 32; shift != 0; shift -= 8) out->push_back(static_cast<std::byte>(value >> (shift - 8)));
}

// Whether the walk over the structure block comes to an end. libfdt's own check runs in circles where the length of a
// property leads back to the property.
bool has_end(const void* blob) {
  if (fdt_check_header(blob) != 0) return false;
  for (int offset = 0;;) {
    int next = 0;
    if (fdt_next_tag(blob, offset, &next) == FDT_END) return true;  // also where something is cut off
    if (next <= offset) return false;
    offset = next;
  }
}

}  // namespace

FdtBuilder::FdtBuilder() : buffer_(kFirstSize) {
  const int result = fdt_create_empty_tree(blob(), static_cast<int>(buffer_.size()));
  CHECK(result == 0, "{}", fdt_strerror(result));
}

Result<FdtBuilder> FdtBuilder::from_bytes(std::span<const std::byte> bytes) {
  // libfdt takes sizes as int.
  constexpr std::size_t kMaxSize = 16 << 20;
  if (bytes.size() < sizeof(fdt_header)) return fail("it is too short for a device tree");
  if (bytes.size() > kMaxSize) return fail("it is bigger than 16 MiB");
  // A copy: the checks want 8-byte alignment, which a vector's memory has.
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  if (fdt_magic(copy.data()) != FDT_MAGIC) return fail("it does not begin with a device tree's magic number");
  if (fdt_totalsize(copy.data()) > copy.size()) return fail("it is truncated");
  if (!has_end(copy.data())) return fail("it is not a valid device tree (its structure does not end)");
  if (const int result = fdt_check_full(copy.data(), copy.size()); result != 0) {
    return fail("it is not a valid device tree ({})", fdt_strerror(result));
  }
  std::vector<std::byte> buffer(copy.size() + kFirstSize);
  if (const int result = fdt_open_into(copy.data(), buffer.data(), static_cast<int>(buffer.size())); result != 0) {
    return fail("it is not a valid device tree ({})", fdt_strerror(result));
  }
  FdtBuilder tree(std::move(buffer));
  u32 highest = 0;
  if (fdt_find_max_phandle(tree.blob(), &highest) == 0) tree.last_phandle_ = highest;
  return tree;
}

template <class Edit>
int FdtBuilder::edit(Edit edit_once) {
  if (error_ != 0) return error_;
  for (;;) {
    const int result = edit_once();
    if (result != -FDT_ERR_NOSPACE) {
      if (result < 0) error_ = result;
      return result;
    }
    std::vector<std::byte> bigger(buffer_.size() * 2);
    const int moved = fdt_open_into(blob(), bigger.data(), static_cast<int>(bigger.size()));
    CHECK(moved == 0, "{}", fdt_strerror(moved));
    buffer_.swap(bigger);
  }
}

bool FdtBuilder::has_node(const std::string& path) const { return fdt_path_offset(blob(), path.c_str()) >= 0; }

// Offset of a node, made if it is missing; negative after a failure.
int FdtBuilder::node(const std::string& path) {
  if (error_ != 0) return error_;
  const int found = fdt_path_offset(blob(), path.c_str());
  if (found >= 0) return found;
  const std::size_t slash = path.rfind('/');
  CHECK(slash != std::string::npos && slash + 1 < path.size(), "node path '{}'", path);
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  if (const int offset = node(parent); offset < 0) return offset;
  // The offset of the parent changes when the buffer is packed anew, so it is looked up for each try.
  return edit(
      [&] { return fdt_add_subnode(blob(), fdt_path_offset(blob(), parent.c_str()), path.c_str() + slash + 1); });
}

void FdtBuilder::add_node(const std::string& path) { node(path); }

void FdtBuilder::set_bytes(const std::string& path, const char* name, std::span<const std::byte> bytes) {
  if (node(path) < 0) return;
  edit([&] {
    const int offset = fdt_path_offset(blob(), path.c_str());
    return offset < 0 ? offset : fdt_setprop(blob(), offset, name, bytes.data(), static_cast<int>(bytes.size()));
  });
}

void FdtBuilder::set_cells(const std::string& path, const char* name, std::span<const u32> cells) {
  std::vector<std::byte> bytes;
  for (const u32 value : cells) put_cell(&bytes, value);
  set_bytes(path, name, bytes);
}

void FdtBuilder::set_u64(const std::string& path, const char* name, u64 value) {
  set_cells(path, name, {static_cast<u32>(value >> 32), static_cast<u32>(value)});
}

void FdtBuilder::set_reg(const std::string& path, u64 address, u64 size) {
  set_cells(path, "reg",
            {static_cast<u32>(address >> 32), static_cast<u32>(address), static_cast<u32>(size >> 32),
             static_cast<u32>(size)});
}

void FdtBuilder::set_string(const std::string& path, const char* name, std::string_view value) {
  set_strings(path, name, {std::string(value)});
}

void FdtBuilder::set_strings(const std::string& path, const char* name, std::span<const std::string> values) {
  std::vector<std::byte> bytes;
  for (const std::string& value : values) {
    for (const char c : value) bytes.push_back(static_cast<std::byte>(c));
    bytes.push_back(std::byte{0});
  }
  set_bytes(path, name, bytes);
}

u32 FdtBuilder::cell(const std::string& path, const char* name, u32 otherwise) const {
  const int offset = fdt_path_offset(blob(), path.c_str());
  int size = 0;
  const void* value = offset < 0 ? nullptr : fdt_getprop(blob(), offset, name, &size);
  if (value == nullptr || size < 4) return otherwise;
  return fdt32_ld(static_cast<const fdt32_t*>(value));
}

void FdtBuilder::reserve(u64 address, u64 size) {
  edit([&] { return fdt_add_mem_rsv(blob(), address, size); });
}

Result<std::vector<std::byte>> FdtBuilder::finish() {
  if (error_ != 0) return fail("{}", fdt_strerror(error_));
  const int result = fdt_pack(blob());
  CHECK(result == 0, "{}", fdt_strerror(result));
  std::vector<std::byte> bytes(buffer_.begin(), buffer_.begin() + fdt_totalsize(blob()));
  // Usable further: edits want slack again.
  CHECK(fdt_open_into(bytes.data(), blob(), static_cast<int>(buffer_.size())) == 0);
  return bytes;
}

}  // namespace pagoda
