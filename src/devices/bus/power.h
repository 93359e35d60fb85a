// SPDX-License-Identifier: MIT
// What a guest asks of its machine through a power-off device.
#pragma once

#include <functional>

#include "base/types.h"

namespace pagoda {

struct PowerRequest {
  enum class Action : u8 { power_off, reset };
  Action action = Action::power_off;
  u32 exit_code = 0;  // of power_off: 0 is success
};

// Called on the vcpu thread that asked, parked and under the device's lock: it may only note or post the request. A
// guest may ask again before the machine has acted.
using PowerSink = std::function<void(const PowerRequest&)>;

}  // namespace pagoda
