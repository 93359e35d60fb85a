// SPDX-License-Identifier: MIT
// Finding, trying and loading plugins.
#include "tcg/tier/plugin.h"
#include "tcg/tier/load_plugins.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <set>
#include <string_view>

namespace pagoda::tier {
namespace {

// The row, if this program can work with what the file offers.
Result<const Backend*> examine(const std::string& path) {
  void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (object == nullptr) {
    std::string why = dlerror();
    if (why.starts_with(path + ": ")) why.erase(0, path.size() + 2);
    return fail("{}", why);
  }
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(object, kPluginEntryName));
  if (entry == nullptr) return fail("it has no {}", kPluginEntryName);
  const PluginInfo* info = entry();
  if (info == nullptr) return fail("{} returned nothing", kPluginEntryName);
  if (info->magic != kPluginMagic) return fail("{} returned something else than a backend", kPluginEntryName);
  if (info->abi != kPluginAbi)
    return fail("it is made for version {} of the plugin interface, this program has version {}", info->abi,
                kPluginAbi);
  PluginInfo wanted = plugin_info(nullptr);
  if (info->info_bytes != wanted.info_bytes || info->headers != wanted.headers)
    return fail("it is made from other headers than this program");
  wanted.backend = info->backend;
  static_assert(offsetof(PluginInfo, services_bytes) == 48);  // no padding before it
  if (std::memcmp(info, &wanted, offsetof(PluginInfo, services_bytes) + sizeof(u32)) != 0)
    return fail("the sizes of its structures are not this program's");
  if (info->backend == nullptr) return fail("{} returned no backend", kPluginEntryName);
  TRY(check_backend(*info->backend));
  return info->backend;
}

// In the child: what the parent is to know. An empty text: all is well.
[[noreturn]] void try_in_child(const std::string& path, int to) {
  const rlimit none{};
  setrlimit(RLIMIT_CORE, &none);
  to = fcntl(to, F_DUPFD_CLOEXEC, 3);  // the program may have been started without some of the first three
  // What it says while it crashes is not for the user.
  const int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd) dup2(null, fd);
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT}) std::signal(signal, SIG_DFL);
  const auto found = examine(path);
  const std::string text = found ? "+" : "-" + found.error().message;
  _exit(write(to, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

u64 now_ms() {
  return static_cast<u64>(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

Result<> try_plugin(const std::string& path, u32 limit_ms) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail("it could not be tried: {}", std::strerror(errno));
  const pid_t child = fork();
  if (child == 0) try_in_child(path, ends[1]);
  close(ends[1]);
  std::string text;
  bool in_time = true;
  const u64 end = now_ms() + limit_ms;
  while (child > 0) {
    pollfd waiting{ends[0], POLLIN, 0};
    const u64 now = now_ms();
    const int ready = now < end ? poll(&waiting, 1, static_cast<int>(end - now)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      in_time = false;
      break;
    }
    char buffer[512];
    const ssize_t size = read(ends[0], buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  close(ends[0]);
  if (child < 0) return fail("it could not be tried: {}", std::strerror(errno));
  if (!in_time) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (!in_time) return fail("loading it took longer than {} s", (limit_ms + 999) / 1000);
  if (WIFSIGNALED(status)) return fail("it crashed while it was loaded ({})", strsignal(WTERMSIG(status)));
  if (text.empty()) return fail("it ended the program while it was loaded");
  if (text[0] != '+') return fail("{}", text.substr(1));
  return {};
}

// Of all plugins so far.
std::set<std::string>& known_paths() {
  static std::set<std::string> paths;
  return paths;
}

Result<> load(const std::string& path, u32 limit_ms) {
  TRY(try_plugin(path, limit_ms));
  TRY_ASSIGN(const Backend* backend, examine(path));
  const std::string& kept = *known_paths().insert(path).first;
  return add_backend(*backend, kept.c_str());
}

}  // namespace

Result<std::vector<std::string>> load_plugins(const std::string& folder, u32 limit_ms) {
  DIR* open_folder = opendir(folder.c_str());
  if (open_folder == nullptr) return fail("{}: {}", folder, std::strerror(errno));
  std::vector<std::string> paths, problems;
  while (const dirent* entry = readdir(open_folder)) {
    if (std::string_view(entry->d_name).ends_with(".so")) paths.push_back(folder + '/' + entry->d_name);
  }
  closedir(open_folder);
  std::ranges::sort(paths);
  for (const std::string& path : paths) {
    if (known_paths().contains(path)) continue;
    if (const auto loaded = load(path, limit_ms); !loaded)
      problems.push_back(fmt::format("{}: {}", path, loaded.error().message));
  }
  return problems;
}

}  // namespace pagoda::tier
