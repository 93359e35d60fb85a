// SPDX-License-Identifier: MIT
// A shared object that is no plugin.
namespace {
[[maybe_unused]] int nothing = 0;
}
