// SPDX-License-Identifier: MIT
// CharDevices: the character back ends of a machine, by id, and the front ends that hold on to them.
//
// Order of use: open all; attach front ends; start() just before the loop runs (a terminal becomes raw there: whoever
// catches signals must do so before). Destruction, after the loop ended and with no vcpu running, flushes output and
// restores the terminal. Threading: loop's thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/result.h"
#include "devices/serial/char_backend.h"
#include "devices/serial/char_port.h"
#include "devices/serial/char_spec.h"

namespace pagoda {

class CharDevices {
 public:
  // `quit` is Ctrl-A X on a shared terminal; it is called on the loop's thread.
  CharDevices(EventLoop& loop, std::function<void()> quit);
  ~CharDevices();
  CharDevices(const CharDevices&) = delete;
  CharDevices& operator=(const CharDevices&) = delete;

  // Opens the host's side. The error begins with spec.origin.
  Result<> open(const CharSpec& spec);

  // A front end for the guest (`post` is Inputs::post). The first to attach to a shared device has the focus. The
  // result lives as long as this object. The id must have been opened; a device without mux takes one front end.
  CharBackend& attach(const std::string& id, CharPost post);
  // A front end whose input does not belong to the guest, such as a monitor: its receiver is called on the loop's
  // thread.
  CharBackend& attach_to_loop(const std::string& id);

  void start();

 private:
  class Device;
  EventLoop& loop_;
  std::function<void()> quit_;
  std::map<std::string, std::shared_ptr<Device>> devices_;
};

}  // namespace pagoda
