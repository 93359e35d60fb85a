// SPDX-License-Identifier: MIT
// Machine: everything a running guest consists of, in the order it depends on each other: time, memory, character
// devices, vcpus, devices; and its life: build, run, reset, pause, end.
//
// A machine file (riscv_virt.cpp ...) builds it through the first part of the interface; run() then takes over.
// Threading: the thread that made it, which run() turns into the main loop's, unless said otherwise.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "cpu/code_manager.h"
#include "cpu/rendezvous.h"
#include "cpu/vcpu.h"
#include "devices/bus/device.h"
#include "devices/bus/power.h"
#include "devices/serial/chardev.h"
#include "machines/boot/boot_images.h"
#include "machines/config.h"
#include "machines/inputs.h"
#include "machines/inspect.h"
#include "machines/vcpu_runner.h"
#include "memory/guest_memory.h"

namespace pagoda {

// What the shared parts of a machine need to know of its vcpus beside Guest.
struct VcpuInspector {
  void (*visit_state)(Vcpu& vcpu, StateVisitor& visitor);
  std::string (*registers)(Vcpu& vcpu);  // text for a person
};

class Machine {
 public:
  explicit Machine(const MachineConfig& config);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // --- parts ---
  const MachineConfig& config() const { return config_; }
  EventLoop& loop() { return loop_; }
  Inputs& inputs() { return inputs_; }
  VirtualClock& clock() { return clock_; }
  GuestMemory& memory() { return memory_; }
  CharDevices& chardevs() { return chardevs_; }
  const std::vector<Vcpu*>& vcpus() const { return rendezvous_.vcpus(); }
  const std::vector<std::unique_ptr<Device>>& devices() const { return devices_; }
  // Nanoseconds since 1970 as the guest may know it. Any thread; with -icount the vcpu's.
  u64 wall_clock_ns();

  // --- building ---
  // Opens the configured character devices.
  Result<> open_chardevs();
  // The back end of serial port `index` as the configuration has it, or null.
  CharBackend* serial_backend(u32 index);
  // A back end for the guest by the id of its chardev.
  CharBackend& guest_backend(const std::string& id);
  // Makes the configured number of vcpus.
  void make_vcpus(const Guest& guest, u64 features, const VcpuInspector& inspector);
  // Owned by the machine, reset with it and saved with it. Devices are destroyed before the vcpus, newest first.
  template <class T>
  T& add_device(std::unique_ptr<T> device) {
    T& reference = *device;
    devices_.push_back(std::move(device));
    return reference;
  }
  // Something that is no device and lives as long as the devices (wires, say).
  void keep(std::shared_ptr<void> part) { kept_.push_back(std::move(part)); }
  void set_boot_images(std::unique_ptr<BootImages> images) { images_ = std::move(images); }
  // For power-off devices. `describe_failure` makes the message and the exit status of a power-off with a code; without
  // it the guest's code becomes the status.
  struct Ending {
    int status = 0;
    std::string message;  // one line for stderr, or empty
  };
  PowerSink power_sink();
  void set_failure_text(std::function<Ending(u32 code)> text) { failure_text_ = std::move(text); }

  // Has every vcpu forget its TLB entries; they have when this returns. For devices that change what an address means:
  // from any thread, vcpus parked, with no lock held.
  void flush_tlbs();

  // --- life ---
  // Resets the machine and runs it until something ends it.
  Ending run(const StartMonitor& start_monitor);
  void end(Ending ending);
  bool is_running() const { return !is_paused_; }
  void pause();
  void cont();
  void system_reset();

  // Hash of RAM and of the state of all vcpus and devices (XXH3, 64 bits). Paused.
  u64 state_hash();

  // --- for the monitor ---
  std::string registers(bool all_vcpus);
  std::string memory_tree() const;
  std::string vcpu_list();
  std::string translation_statistics();

 private:
  std::optional<u64> before_wait();
  void on_power_request(const PowerRequest& request);
  void reset();
  void stop_at_reached();
  MonitorHooks monitor_hooks();

  const MachineConfig config_;
  EventLoop loop_;
  Inputs inputs_;
  VcpuRunner runner_;
  VirtualClock clock_;
  GuestMemory memory_;
  CharDevices chardevs_;
  Rendezvous rendezvous_;
  std::unique_ptr<CodeManager> code_;
  VcpuInspector inspector_{};
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<BootImages> images_;
  std::function<Ending(u32)> failure_text_;

  std::atomic<u64> awake_until_;  // virtual time at which the loop's wait ends by itself
  std::atomic<bool> power_requested_{false};
  bool is_paused_ = false;
  Ending ending_;
};

}  // namespace pagoda
