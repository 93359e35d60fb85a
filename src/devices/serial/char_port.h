// SPDX-License-Identifier: MIT
// CharPort: a front end's hold on a character device: one of them, or several when the device is shared (mux).
//
// Input that the front end has no room for is kept here; when too much is kept, reading from the host stops.
// Threading: push() and raise() on the loop's thread; the CharBackend part as its header says.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "devices/serial/char_backend.h"

namespace pagoda {

// Runs a function on the thread that owns a front end's input: Inputs::post for the guest's.
using CharPost = std::function<void(std::function<void()>)>;

class CharPort final : public CharBackend {
 public:
  static constexpr std::size_t kHeldBytes = 4096;

  // `write` takes the output; `has_room` is called, on any thread, when is_full() turned false.
  CharPort(CharPost post, std::function<void(std::span<const u8>)> write, std::function<void()> has_room);
  ~CharPort() override;

  void write(std::span<const u8> bytes) override { write_(bytes); }
  void set_receiver(Receiver receiver) override;
  void set_event_handler(std::function<void(CharEvent)> handler) override;
  void input_ready() override;

  void push(std::span<const u8> bytes);
  void raise(CharEvent event);
  // No more should be pushed until has_room was called. What is pushed nevertheless is kept.
  bool is_full() const;

 private:
  struct State;
  std::function<void(std::span<const u8>)> write_;
  std::shared_ptr<State> state_;  // shared with what is posted
};

}  // namespace pagoda
