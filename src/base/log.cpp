// SPDX-License-Identifier: MIT
// Log output: one mutex, one FILE*.
#include "base/log.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "base/suggest.h"

namespace pagoda {
namespace {

constexpr std::array kTable = {
#define PAGODA_LOG(id, name, help) LogInfo{Log::id, name, help},
#include "base/log.def"
#undef PAGODA_LOG
};

// Lines that a guest may cause per category before the category goes quiet; traces (asm, ir, exec) are unlimited.
constexpr u32 kGuestLineLimit = 1000;

std::mutex log_mutex;
std::FILE* log_file = nullptr;
std::array<u32, kTable.size()> log_lines{};

bool is_limited(Log category) { return category == Log::guest_error || category == Log::unimplemented; }

}  // namespace

namespace detail {
std::atomic<u32> log_mask{0};

void log_line(Log category, std::string_view text) {
  const auto index = static_cast<std::size_t>(category);
  const std::lock_guard lock(log_mutex);
  std::FILE* out = log_file != nullptr ? log_file : stderr;
  if (is_limited(category)) {
    if (log_lines[index] > kGuestLineLimit) return;
    if (log_lines[index]++ == kGuestLineLimit) {
      std::fprintf(out, "[%s] further lines of this category are left out\n", kTable[index].name);
      return;
    }
  }
  std::fprintf(out, "[%s] %.*s\n", kTable[index].name, static_cast<int>(text.size()), text.data());
  if (out == log_file) std::fflush(out);
}
}  // namespace detail

std::string_view log_name(Log category) { return kTable[static_cast<std::size_t>(category)].name; }

const LogInfo* log_table(std::size_t* count) {
  *count = kTable.size();
  return kTable.data();
}

Result<u32> parse_log_mask(std::string_view names) {
  u32 mask = 0;
  for (bool more = true; more;) {
    const std::size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    more = comma != std::string_view::npos;
    names = more ? names.substr(comma + 1) : std::string_view{};
    bool found = name == "all";
    if (found) mask = (1u << kTable.size()) - 1;
    for (const LogInfo& info : kTable) {
      if (name == info.name) {
        mask |= 1u << static_cast<u32>(info.category);
        found = true;
      }
    }
    if (!found) {
      std::array<std::string_view, kTable.size()> known;
      for (std::size_t i = 0; i < kTable.size(); ++i) known[i] = kTable[i].name;
      return fail("unknown log category '{}'{} (-d help lists them)", name, suggestion(name, known));
    }
  }
  return mask;
}

Result<> set_log_mask(std::string_view names) {
  TRY_ASSIGN(const u32 mask, parse_log_mask(names));
  detail::log_mask.store(mask, std::memory_order_relaxed);
  return {};
}

Result<> set_log_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return fail("-D {}: {}", path, std::strerror(errno));
  const std::lock_guard lock(log_mutex);
  if (log_file != nullptr) std::fclose(log_file);
  log_file = file;
  return {};
}

}  // namespace pagoda
