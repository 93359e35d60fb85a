// SPDX-License-Identifier: MIT
// A shared object that lacks a function.
extern "C" __attribute__((visibility("default"))) void nobody_has_this();

namespace {
struct AtLoad {
  AtLoad() { nobody_has_this(); }
} at_load;
}  // namespace
