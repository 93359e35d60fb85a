// SPDX-License-Identifier: MIT
// Semihosting: calls by which a guest program asks the debugger's side for files, a console, time and an end
// ("Semihosting for AArch32 and AArch64", which "RISC-V Semihosting" refers to for its calls).
//
// What a guest can reach of the host is bounded: the console, and regular files below the current folder, through no
// symbolic link. Threading: call() on a vcpu's thread, running, outside of translated code; one call at a time.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace pagoda {

class Vcpu;

class Semihosting {
 public:
  struct Host {
    std::function<void(std::string_view)> write;  // to the console
    std::function<void(int status)> exit;         // the guest runs no further after the call
    std::function<u64()> wall_seconds;
    std::string command_line;
    u64 ram_start = 0, ram_size = 0;
    bool allows_user = false;  // calls from user mode as well
  };
  explicit Semihosting(Host host) : host_(std::move(host)) {}
  ~Semihosting();
  Semihosting(const Semihosting&) = delete;
  Semihosting& operator=(const Semihosting&) = delete;

  bool allows_user() const { return host_.allows_user; }
  // The result for the guest's register. `parameter` points to a block of words of 8 bytes, or is the parameter itself.
  u64 call(Vcpu& vcpu, u64 operation, u64 parameter);

 private:
  struct Call;
  struct File {
    enum class Kind { free, console_in, console_out, features, file } kind = Kind::free;
    int fd = -1;
    u64 position = 0;  // features
  };
  File* file_of(u64 handle);
  u64 open(Call& call);
  u64 close(Call& call);
  u64 read(Call& call);
  u64 write(Call& call);
  u64 seek(Call& call);
  u64 length(Call& call);
  u64 write_text(Call& call);
  u64 command_line(Call& call);
  u64 heap_info(Call& call);
  u64 exit(Call& call, u64 operation);

  Host host_;
  std::mutex mutex_;
  std::vector<File> files_;  // by handle - 1
  int errno_ = 0;
};

}  // namespace pagoda
