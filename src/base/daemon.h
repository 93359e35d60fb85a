// SPDX-License-Identifier: MIT
// A process in the background, and the file that says which.
//
// Threading: before any thread is started, but for ready().
#pragma once

#include <string>

#include "base/result.h"

namespace pagoda {

// Continues in a child process; the parent ends with status 0 once the child calls ready(), or as the child ends before
// that. Messages of the child go to the parent's standard error until ready() closes the standard streams.
class Daemon {
 public:
  Result<> start();
  // Does nothing without start().
  void ready();

 private:
  int pipe_ = -1;
};

// Holds the process id in decimal and a newline; removed by the destructor.
class PidFile {
 public:
  PidFile() = default;
  ~PidFile();
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  // An empty path does nothing.
  Result<> write(const std::string& path);

 private:
  std::string path_;
};

}  // namespace pagoda
