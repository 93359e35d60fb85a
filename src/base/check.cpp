// SPDX-License-Identifier: MIT
// Report of a failed CHECK.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace pagoda {
namespace {
thread_local CheckDumpHook dump_hook;
}  // namespace

CheckDumpHook set_check_dump(CheckDumpHook hook) {
  const CheckDumpHook previous = dump_hook;
  dump_hook = hook;
  return previous;
}

void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  std::fprintf(stderr, "pagoda: internal error at %s:%d: %s%s%s\n", file, line, condition, message.empty() ? "" : ": ",
               message.c_str());
  if (dump_hook.dump != nullptr) {
    const CheckDumpHook hook = dump_hook;
    dump_hook = {};  // a CHECK inside the dump must not come back here
    hook.dump(hook.context);
  }
  std::fflush(stderr);
  std::abort();
}

}  // namespace pagoda
