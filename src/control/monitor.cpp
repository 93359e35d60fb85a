// SPDX-License-Identifier: MIT
// Monitor: commands by table, and just enough of a line editor.
#include "control/monitor.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/suggest.h"
#include "control/monitor_memory.h"

namespace pagoda {
namespace {

using Handler = std::string (*)(MonitorState& state, std::string_view arguments);

#define PAGODA_MONITOR_COMMAND(name, other, arguments, handler, help) \
  std::string handler(MonitorState& state, std::string_view words);
#define PAGODA_MONITOR_INFO(name, arguments, handler, help) \
  std::string handler(MonitorState& state, std::string_view words);
#include "control/monitor_commands.def"
#undef PAGODA_MONITOR_COMMAND
#undef PAGODA_MONITOR_INFO

struct Command {
  std::string_view name, other_name, arguments;
  Handler handler;
  std::string_view help;
};
#define PAGODA_MONITOR_COMMAND(name, other, arguments, handler, help) Command{name, other, arguments, handler, help},
#define PAGODA_MONITOR_INFO(name, arguments, handler, help)
constexpr std::array kCommands = {
#include "control/monitor_commands.def"
};
#undef PAGODA_MONITOR_COMMAND
#undef PAGODA_MONITOR_INFO
#define PAGODA_MONITOR_COMMAND(name, other, arguments, handler, help)
#define PAGODA_MONITOR_INFO(name, arguments, handler, help) Command{name, "", arguments, handler, help},
constexpr std::array kInfo = {
#include "control/monitor_commands.def"
};
#undef PAGODA_MONITOR_COMMAND
#undef PAGODA_MONITOR_INFO

// Cuts the first word off.
std::string_view take_word(std::string_view& text) {
  const auto skip = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(skip);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return word;
}

const Command* find(std::span<const Command> table, std::string_view name) {
  const auto it = std::ranges::find_if(table, [&](const Command& command) {
    return command.name == name || (!command.other_name.empty() && command.other_name == name);
  });
  return it == table.end() ? nullptr : &*it;
}

std::string list(std::span<const Command> table, std::string_view prefix) {
  std::string text;
  for (const Command& command : table) {
    text += fmt::format("{}{}{}{}{}{} -- {}\n", prefix, command.name, command.other_name.empty() ? "" : "|",
                        command.other_name, command.arguments.empty() ? "" : " ", command.arguments, command.help);
  }
  return text;
}

std::string unknown(std::span<const Command> table, std::string_view what, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Command& command : table) names.push_back(command.name);
  return fmt::format("unknown {} '{}'{}\n", what, name, suggestion(name, names));
}

// Runs the named row; every handler but those with an argument column refuses extra words.
std::string run(std::span<const Command> table, std::string_view what, std::string_view name, MonitorState& state,
                std::string_view words) {
  const Command* command = find(table, name);
  if (command == nullptr) return unknown(table, what, name);
  if (command->arguments.empty() && !words.empty()) return fmt::format("'{}' takes no arguments\n", command->name);
  return command->handler(state, words);
}

// The vcpu that a command's word names; the state's own where it names none.
std::optional<u32> vcpu_of(const MonitorState& state, std::string_view word) {
  if (word.empty()) return state.vcpu;
  u32 index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc{} || end != word.data() + word.size() || index >= state.hooks.debug.vcpus) return {};
  return index;
}
std::string no_vcpu(const MonitorState& state, std::string_view word) {
  return fmt::format("'{}': vcpus are 0 to {}\n", word, state.hooks.debug.vcpus - 1);
}

std::string command_help(MonitorState&, std::string_view words) {
  if (words.empty()) return list(kCommands, "");
  const Command* command = find(kCommands, words);
  if (command == nullptr) return unknown(kCommands, "command", words);
  return list({command, 1}, "") + (command->name == "info" ? list(kInfo, "info ") : "");
}

std::string command_info(MonitorState& state, std::string_view words) {
  const std::string_view subject = take_word(words);
  return subject.empty() ? list(kInfo, "info ") : run(kInfo, "subject", subject, state, words);
}

std::string command_quit(MonitorState& state, std::string_view) {
  state.hooks.quit();
  return {};
}
std::string command_stop(MonitorState& state, std::string_view) {
  state.hooks.stop();
  return {};
}
std::string command_cont(MonitorState& state, std::string_view) {
  state.hooks.cont();
  return {};
}
std::string command_reset(MonitorState& state, std::string_view) {
  state.hooks.system_reset();
  return {};
}
std::string command_powerdown(MonitorState& state, std::string_view) { return state.hooks.system_powerdown(); }
std::string command_cpu(MonitorState& state, std::string_view words) {
  const auto vcpu = vcpu_of(state, words);
  if (!vcpu) return no_vcpu(state, words);
  state.vcpu = *vcpu;
  return {};
}
std::string command_x(MonitorState& state, std::string_view words) {
  return monitor_dump(state.hooks.debug, state.vcpu, words, false);
}
std::string command_xp(MonitorState& state, std::string_view words) {
  return monitor_dump(state.hooks.debug, state.vcpu, words, true);
}

std::string info_registers(MonitorState& state, std::string_view words) {
  if (words == "-a") {
    std::string text;
    for (u32 vcpu = 0; vcpu < state.hooks.debug.vcpus; ++vcpu) {
      text += fmt::format("{}CPU#{}\n{}", vcpu == 0 ? "" : "\n", vcpu, state.hooks.registers(vcpu));
    }
    return text;
  }
  const auto vcpu = vcpu_of(state, words);
  if (!vcpu) return no_vcpu(state, words);
  return fmt::format("CPU#{}\n{}", *vcpu, state.hooks.registers(*vcpu));
}
std::string info_mem(MonitorState& state, std::string_view) { return state.hooks.mappings(state.vcpu); }
std::string info_tlb(MonitorState& state, std::string_view) { return state.hooks.tlb(state.vcpu); }
std::string info_qtree(MonitorState& state, std::string_view) { return state.hooks.devices(); }
std::string info_block(MonitorState& state, std::string_view) { return state.hooks.disks(); }
std::string info_chardev(MonitorState& state, std::string_view) { return state.hooks.chardevs(); }
std::string info_name(MonitorState& state, std::string_view) { return state.hooks.name(); }
std::string info_network(MonitorState& state, std::string_view) { return state.hooks.networks(); }
std::string info_cpus(MonitorState& state, std::string_view) {
  // As QEMU marks it: a star before the one that other commands are about.
  std::string text = state.hooks.vcpus();
  const std::string mark = fmt::format("  CPU #{}:", state.vcpu);
  const std::size_t at = text.find(mark);
  if (at != std::string::npos) text[at] = '*';
  return text;
}
std::string info_jit(MonitorState& state, std::string_view) { return state.hooks.translation(); }
std::string info_mtree(MonitorState& state, std::string_view) { return state.hooks.memory_tree(); }
std::string info_status(MonitorState& state, std::string_view) {
  return state.hooks.is_running() ? "VM status: running\n" : "VM status: paused\n";
}
std::string info_version(MonitorState&, std::string_view) { return "Pagoda " PAGODA_VERSION "\n"; }

// The terminal is raw: a line ends in both characters.
std::string with_returns(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\n') result += '\r';
    result += c;
  }
  return result;
}

}  // namespace

std::string Monitor::execute(std::string_view line) {
  std::string_view name = take_word(line);
  // "x/4i address" is "x /4i address".
  std::string with_format;
  if (const std::size_t slash = name.find('/'); slash != 0 && slash != std::string_view::npos) {
    with_format = fmt::format("{} {}", name.substr(slash), line);
    name = name.substr(0, slash);
    line = with_format;
  }
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  return name.empty() ? std::string{} : run(kCommands, "command", name, state_, line);
}

void Monitor::prompt() { write_("(pagoda) "); }

void Monitor::focus() {
  if (!greeted_) write_("Pagoda " PAGODA_VERSION " monitor - type 'help' for more information\r\n");
  greeted_ = true;
  prompt();
  write_(line_);
}

void Monitor::receive(std::span<const u8> bytes) {
  for (const u8 byte : bytes) key(byte);
}

void Monitor::key(u8 byte) {
  constexpr std::size_t kLongestLine = 1024;
  // Cursor keys and their like: "ESC [ ... letter". Up brings the last line back.
  if (escape_ == Escape::started) {
    escape_ = byte == '[' || byte == 'O' ? Escape::sequence : Escape::none;
    return;
  }
  if (escape_ == Escape::sequence) {
    if (byte < 0x40) return;
    escape_ = Escape::none;
    if (byte == 'A' && line_.empty()) {
      line_ = last_line_;
      write_(line_);
    }
    return;
  }
  const bool is_line_end = byte == '\r' || (byte == '\n' && !after_return_);
  after_return_ = byte == '\r';
  if (is_line_end) {
    run_line();
  } else if (byte == 0x1b) {
    escape_ = Escape::started;
  } else if ((byte == 0x7f || byte == '\b') && !line_.empty()) {
    line_.pop_back();
    write_("\b \b");
  } else if (byte == 0x03 || byte == 0x15) {  // Ctrl-C, Ctrl-U
    line_.clear();
    write_("\r\n");
    prompt();
  } else if (byte >= ' ' && byte < 0x7f && line_.size() < kLongestLine) {
    line_ += static_cast<char>(byte);
    write_({reinterpret_cast<const char*>(&byte), 1});
  }
}

void Monitor::run_line() {
  write_("\r\n");
  const std::string line = std::exchange(line_, {});
  const std::string text = execute(line);
  if (!line.empty()) last_line_ = line;
  write_(with_returns(text));
  prompt();
}

MonitorSession start_monitor(MonitorHooks hooks, std::function<void(std::string_view)> write) {
  const auto monitor = std::make_shared<Monitor>(std::move(hooks), std::move(write));
  return {.receive = [monitor](std::span<const u8> bytes) { monitor->receive(bytes); },
          .focus = [monitor] { monitor->focus(); }};
}

}  // namespace pagoda
