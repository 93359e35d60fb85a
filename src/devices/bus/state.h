// SPDX-License-Identifier: MIT
// A device's state, listed once: the same list serves save, restore, comparison and the device panel.
//
// A device implements visit_state(StateVisitor&) and calls field() for every value that the guest could ever notice.
// Visitors read or write through the references. Names are stable: they are the snapshot format.
// Threading: the caller has stopped all vcpus and holds the device still; no lock is taken.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class StateVisitor {
 public:
  virtual ~StateVisitor() = default;
  // One value of `size` bytes (1..8), little endian at `data`.
  virtual void scalar(std::string_view name, void* data, u32 size) = 0;
  // A byte string of variable length (FIFO contents, configuration space).
  virtual void bytes(std::string_view name, std::vector<u8>* data) = 0;

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  void field(std::string_view name, T& value) {
    scalar(name, &value, sizeof(T));
  }
  // A damaged file must not make a bool of another value than 0 and 1.
  void field(std::string_view name, bool& value) {
    u8 byte = value ? 1 : 0;
    scalar(name, &byte, 1);
    value = byte != 0;
  }
  void field(std::string_view name, std::vector<u8>& value) { bytes(name, &value); }
};

// Saves as (name, value) records behind a version; restores by name and reports what is missing or of another size.
std::vector<u8> save_state(class Device& device);
Result<> restore_state(class Device& device, const std::vector<u8>& saved);

}  // namespace pagoda
