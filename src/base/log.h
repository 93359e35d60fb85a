// SPDX-License-Identifier: MIT
// Log categories after QEMU's -d masks. Off by default, so that stderr stays silent when nothing is wrong.
//
// Threading: any thread may log; a line is written whole. Settings are made before vcpus start.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

enum class Log : u32 {
#define PAGODA_LOG(id, name, help) id,
#include "base/log.def"
#undef PAGODA_LOG
};

struct LogInfo {
  Log category;
  const char* name;
  const char* help;
};
std::string_view log_name(Log category);
// All categories in table order, for --help and the overlay.
const LogInfo* log_table(std::size_t* count);

namespace detail {
extern std::atomic<u32> log_mask;
void log_line(Log category, std::string_view text);
}  // namespace detail

inline bool log_enabled(Log category) {
  return (detail::log_mask.load(std::memory_order_relaxed) & (1u << static_cast<u32>(category))) != 0;
}

// Writes one line when the category is on. Guest-triggered messages are limited in number per category (the limit is
// said once), so that a guest cannot fill a disk.
template <class... Args>
void log(Log category, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(category)) detail::log_line(category, fmt::format(format, std::forward<Args>(args)...));
}

// "-d": comma separated names or "all"; "help" or "?" is for the caller. Unknown names are an error naming the nearest.
Result<u32> parse_log_mask(std::string_view names);
Result<> set_log_mask(std::string_view names);
// "-D FILE": log there in place of stderr.
Result<> set_log_file(const std::string& path);

}  // namespace pagoda
