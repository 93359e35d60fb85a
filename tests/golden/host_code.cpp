// SPDX-License-Identifier: MIT
// Listing of compiled code without what differs between runs.
#include "golden/host_code.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include <fmt/format.h>

namespace pagoda::golden {

std::vector<u8> bytes_of(std::string_view hex) {
  std::vector<u8> bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<u8>(std::stoul(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

HostCode::HostCode(const Tables& tables, const host::Features& features)
    : tables_(tables), lowering_(tables.slots, tables.helpers, interp::kAllFusions) {
  auto memory = CodeMemory::create(std::size_t{1} << 20);
  if (!memory) return;
  memory_ = std::move(*memory);
  light::Layout layout{.pinned = tables.pinned, .helpers = tables.helpers, .features = features};
  layout.tlb_offset[0] = (tables.cpu_bytes + 4095) & ~4095u;
  layout.second_tlb_offset[0] = layout.tlb_offset[0] + static_cast<u32>(sizeof(TlbTable));
  stubs_ = std::make_unique<light::Stubs>(*memory_, layout);
  compiler_ = std::make_unique<light::Compiler>(*stubs_);
}

// Names for the frame's places.
std::string HostCode::with_names(const std::string& line) const {
  static const std::regex place("\\[rbp(\\+rcx)?\\+(\\d+)\\]");
  std::smatch match;
  if (!std::regex_search(line, match, place)) return line;
  const u64 offset = std::stoull(match[2]);
  std::string name = "frame";
  for (u32 i = 0; i < tables_.slots.count; ++i) {
    if (tables_.slots.slots[i].offset == offset) name = tables_.slots.slots[i].name;
  }
  if (match[1].matched) name = "tlb+rcx";
  if (offset >= offsetof(VcpuFrame, temps) && offset < sizeof(VcpuFrame)) {
    name = fmt::format("t{}", (offset - offsetof(VcpuFrame, temps)) / 8);
  }
  return std::string(match.prefix()) + "[" + name + "]" + std::string(match.suffix());
}

std::string HostCode::text(const ir::Block& block, u32* count) {
  Unit* unit = lowering_.lower(block);
  std::string listing, text;
  compiler_->set_listing(&listing);
  EXPECT_TRUE(compiler_->compile(*unit, 0));
  compiler_->set_listing(nullptr);
  memory_->release(unit->host.start, unit->host.data);
  interp::free_unit(unit);
  *count = 0;
  std::istringstream lines(listing);
  bool in_entry = true;
  for (std::string line; std::getline(lines, line);) {
    if (in_entry) {
      in_entry = !line.starts_with("js ");
      continue;
    }
    if (line.starts_with(".dd ")) continue;  // the distance of a stub: the byte before is its call or jump
    *count += line[0] != 'L' || line.find(':') == std::string::npos;
    if (line.starts_with(".db 0xE8")) line = "call stub";
    if (line.starts_with(".db 0xE9")) line = "jmp stub";
    text += "  " + with_names(line) + "\n";
  }
  return text;
}

}  // namespace pagoda::golden
