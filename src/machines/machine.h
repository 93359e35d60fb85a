// SPDX-License-Identifier: MIT
// Machine: everything a running guest consists of, in the order it depends on each other: time, memory, character
// devices, vcpus, devices; and its life: build, run, reset, pause, end.
//
// A machine file (riscv_virt.cpp ...) builds it through the first part of the interface; run() then takes over.
// Threading: the thread that made it, which run() turns into the main loop's, unless said otherwise.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "cpu/code_manager.h"
#include "cpu/debug_points.h"
#include "cpu/rendezvous.h"
#include "cpu/semihosting.h"
#include "cpu/vcpu.h"
#include "devices/bus/device.h"
#include "devices/bus/power.h"
#include "devices/serial/chardev.h"
#include "devices/storage/disk_image.h"
#include "machines/boot/boot_images.h"
#include "machines/config.h"
#include "machines/inputs.h"
#include "machines/inspect.h"
#include "machines/lockstep.h"
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
  // Before all else; it outlives the machine.
  void set_lockstep(Lockstep* lockstep) { lockstep_ = lockstep; }
  // Opens the configured character devices.
  Result<> open_chardevs();
  // Opens the configured drives, those too that no device uses.
  Result<> open_drives();
  // -perfmap's file, if it is wanted.
  Result<> open_perf_map();
  // The drive of an id, for the one device that uses it.
  std::unique_ptr<DiskImage> take_drive(const std::string& id);
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
  // What a power-off with this code means; without it, 0 is success. Called when all vcpus have stopped.
  void set_power_off(std::function<Ending(u32 code)> power_off) { power_off_ = std::move(power_off); }

  // Has every vcpu forget its TLB entries; they have when this returns. For devices that change what an address means:
  // from any thread, vcpus parked, with no lock held.
  void flush_tlbs();

  // --- life ---
  // Resets the machine and runs it until something ends it.
  Ending run(const Controls& controls);
  // What translation and execution did so far, as JSON. The machine is not running, or in the hands of the caller.
  Result<> write_statistics(const std::string& path);
  void end(Ending ending);
  bool is_running() const { return !is_paused_; }
  // `tells_debugger`: a debugger hears of the stop.
  void pause(bool tells_debugger = true);
  void cont();
  void system_reset();

  // Hash of RAM and of the state of all vcpus and devices (XXH3, 64 bits). Paused.
  u64 state_hash();

  // --- for the monitor ---
  std::string registers(u32 vcpu);
  std::string device_tree() const;
  std::string disk_list() const;
  std::string chardev_list() const;
  std::string network_list() const;
  std::string memory_tree() const;
  std::string vcpu_list();
  std::string translation_statistics();

  // --- for the debugger: machine_debug.cpp ---
  u64 debug_read(u32 vcpu, u64 address, std::span<std::byte> out, bool is_physical);
  u64 debug_write(u32 vcpu, u64 address, std::span<const std::byte> bytes, bool is_physical);
  void debug_resume(std::span<const DebugAction> actions, std::span<const DebugPoint> points,
                    bool steps_with_interrupts);

 private:
  void make_semihosting();
  struct DebugPiece;
  DebugPiece debug_piece(u32 vcpu, u64 address, u64 size, bool is_physical);
  void on_debug_stop(const DebugStop& stop);
  // What `work` returns, done with all vcpus held parked.
  template <class F>
  auto held(F&& work) {
    decltype(work()) result{};
    rendezvous_.exclusive(nullptr, [&] { result = work(); });
    return result;
  }
  void set_debug_points(std::span<const DebugPoint> points);
  DebugHooks debug_hooks();
  void start_debugger(const StartDebugger& start);
  void start_monitors(const StartMonitor& start);
  std::optional<u64> before_wait();
  void on_power_request(const PowerRequest& request);
  void reset();
  void stop_at_reached();
  void end_lockstep();
  MonitorHooks monitor_hooks();

  const MachineConfig config_;
  EventLoop loop_;
  Inputs inputs_;
  VcpuRunner runner_;
  VirtualClock clock_;
  GuestMemory memory_;
  CharDevices chardevs_;
  Rendezvous rendezvous_;
  Lockstep* lockstep_ = nullptr;
  std::unique_ptr<PerfMap> perf_map_;
  std::unique_ptr<CodeManager> code_;
  VcpuInspector inspector_{};
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<BootImages> images_;
  std::map<std::string, std::unique_ptr<DiskImage>> drives_;
  std::function<Ending(u32)> power_off_;

  std::atomic<u64> awake_until_;  // virtual time at which the loop's wait ends by itself
  std::atomic<bool> power_requested_{false};
  bool is_paused_ = false;
  bool has_shut_down_ = false;  // under -no-shutdown
  std::unique_ptr<Semihosting> semihosting_;
  std::optional<DebugSession> debugger_;
  DebugPoints points_;
  std::vector<DebugPoint> debug_set_;    // what points_ was made from
  std::vector<DebugStop> missed_stops_;  // while another one was being reported
  Ending ending_;
};

}  // namespace pagoda
