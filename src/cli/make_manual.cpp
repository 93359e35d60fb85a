// SPDX-License-Identifier: MIT
// A program of the build: the manual page and the shells' completions, made from the tables that the parser reads.
//
//   make_manual man|bash|zsh       writes to standard output
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "machines/catalog.h"

namespace pagoda::cli {
namespace {

struct Row {
  bool is_group;
  std::string_view name;  // or the group's title
  std::string_view other_name;
  std::string_view argument;
  std::string_view help;
};
constexpr Row kRows[] = {
#define PAGODA_OPTION_GROUP(title) {true, title, "", "", ""},
#define PAGODA_OPTION(name, other_name, argument, handler, help) {false, name, other_name, argument, help},
#define PAGODA_UNSUPPORTED_OPTION(name, accepted)
#include "cli/options.def"
#undef PAGODA_OPTION_GROUP
#undef PAGODA_OPTION
#undef PAGODA_UNSUPPORTED_OPTION
};

void put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  while (true) {
    const std::size_t at = text.find(from);
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    result += to;
    text.remove_prefix(at + from.size());
  }
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

// --- manual page
// ------------------------------------------------------------------------------------------------------ Text for roff:
// no character of its own, and no line that begins with a control character.
std::string roff(std::string_view text) {
  std::string safe = replaced(replaced(text, "\\", "\\e"), "-", "\\-");
  if (safe.starts_with('.') || safe.starts_with('\'')) safe = fmt::format("\\&{}", safe);
  return replaced(safe, "\n", " ");
}

template <class... Texts>
void line(const Texts&... texts) {
  (put(texts), ...);
  put("\n");
}

void write_manual() {
  line(".\\\" Made from the option table by the build; not to be edited.");
  line(".TH PAGODA 1 \"\" \"Pagoda " PAGODA_VERSION "\" \"User Commands\"");
  line(".SH NAME\npagoda \\- full\\-system emulator");
  line(".SH SYNOPSIS\n.B pagoda\n.I guest\n.RI [ options ]\n.br\n.B pagoda\\-system\\-\\c\n.I guest\n.RI [ options ]");
  line(".br\n.B pagoda backends\n.RB [ --json ]");
  line(".br\n.B pagoda describe\n.I guest hex");
  line(".SH DESCRIPTION");
  line(roff(
      "Pagoda boots unmodified operating systems for another processor. The first word names the guest; a link called "
      "pagoda-system-GUEST needs none. Options have QEMU's syntax, with one or two dashes. A comma inside a value is "
      "written twice. 'help' or '?' in place of a value lists what it can be (-M -cpu -accel -device -object -chardev "
      "-d)."));
  line(".SS Guests");
  for (const GuestInfo& guest : kGuests) line(".TP\n.B ", roff(guest.name), "\n", roff(guest.help));
  line(".SH OPTIONS");
  for (const Row& row : kRows) {
    if (row.is_group) {
      line(".SS ", roff(row.name));
      continue;
    }
    fmt::print(".TP\n.B \\-{}", roff(row.name));
    if (!row.other_name.empty()) fmt::print(", \\-{}", roff(row.other_name));
    if (!row.argument.empty()) fmt::print(" \\fI{}\\fR", roff(row.argument));
    line("\n", roff(row.help));
  }
  line(".SH MACHINES");
  for (const MachineInfo& machine : kMachines) {
    line(".TP\n.B ", roff(machine.name), " (", roff(machine.guest), ")\n", roff(machine.help));
  }
  line(".SH DEVICES");
  for (const DeviceInfo& device : kDevices) {
    line(".TP\n.B ", roff(device.driver), "\n", roff(device.help));
    for (const DevicePropertyInfo& property : kDeviceProperties) {
      if (property.driver == device.driver) line(".br\n\\fI", roff(property.key), "\\fR: ", roff(property.help));
    }
  }
  line(".SH KEYS\n",
       roff("When the serial port shares the terminal (-nographic, mon:stdio): Ctrl-A X quits, Ctrl-A C "
            "switches between guest and monitor, Ctrl-A B sends a break, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A H "
            "lists these."));
  line(".SH EXIT STATUS");
  constexpr std::string_view kStatus[][2] = {
      {"0", "the guest powered off, or the user quit"},
      {"1", "a bad option or file; on spike, a failed test"},
      {"2", "the guest reset the machine under -no-reboot"},
      {"N", "the guest reported failure N (255 if its low byte is 0) or ended with it by semihosting"},
      {"128 + N", "ended by signal N"},
  };
  for (const auto& [status, meaning] : kStatus) line(".TP\n.B ", roff(status), "\n", roff(meaning));
  line(".SH EXAMPLES\n.nf");
  line(roff("pagoda riscv64 -M virt -smp 2 -m 1G -kernel Image -initrd initrd.gz -append console=ttyS0 -nographic"));
  line(roff("pagoda riscv64 -nographic -kernel Image -s -S    # then in gdb: target remote :1234"));
  line(".fi");
}

// --- completions
// ------------------------------------------------------------------------------------------------------
std::vector<std::string_view> machine_names() {
  std::vector<std::string_view> names;
  for (const MachineInfo& info : kMachines) names.push_back(info.name);
  return names;
}
std::vector<std::string_view> cpu_names() {
  std::vector<std::string_view> names;
  for (const CpuModelInfo& info : kCpuModels) names.push_back(info.name);
  return names;
}
std::vector<std::string_view> driver_names() {
  std::vector<std::string_view> names;
  for (const DeviceInfo& info : kDevices) names.push_back(info.driver);
  return names;
}
std::vector<std::string_view> guest_names() {
  std::vector<std::string_view> names;
  for (const GuestInfo& info : kGuests) names.push_back(info.name);
  return names;
}

// Options whose values are words of a table, and those whose value is a file.
struct Values {
  std::string_view options;  // as a shell pattern
  std::vector<std::string_view> words;
};
std::vector<Values> known_values() {
  return {{"-machine|-M", machine_names()},
          {"-cpu", cpu_names()},
          {"-device", driver_names()},
          {"-accel", {"tiered", "tcg"}},
          {"-display", {"none"}},
          {"-serial|-monitor", {"stdio", "mon:stdio", "null", "none", "pty", "file:", "unix:", "tcp:", "chardev:"}},
          {"-chardev", {"stdio", "file", "null", "pty", "socket"}},
          {"-bios", {"default", "none"}}};
}
bool takes_file(const Row& row) { return row.argument == "file" || row.argument.ends_with("|file"); }

void write_bash() {
  std::string all, files, without;
  const auto add = [](std::string& list, std::string_view name, char separator) {
    if (!list.empty()) list += separator;
    list += '-';
    list += name;
  };
  for (const Row& row : kRows) {
    if (row.is_group) continue;
    for (const std::string_view name : {row.name, row.other_name}) {
      if (name.empty()) continue;
      add(all, name, ' ');
      if (takes_file(row)) add(files, name, '|');
      if (row.argument.empty()) add(without, name, '|');
    }
  }
  line("# SPDX-License-Identifier: MIT\n# Completion for bash; made from the option table by the build.");
  line("_pagoda() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n  COMPREPLY=()");
  line("  if [[ $COMP_CWORD -eq 1 && ${COMP_WORDS[0]##*/} != pagoda-system-* ]]; then");
  line("    COMPREPLY=($(compgen -W \"", joined(guest_names()),
       " backends describe help version\" -- \"$word\"))\n    return\n  fi");
  line("  case ${before/#--/-} in");
  for (const Values& values : known_values()) {
    line("    ", values.options, ")");
    line("      COMPREPLY=($(compgen -W \"", joined(values.words), " help\" -- \"$word\"))");
    if (values.options == "-bios") line("      COMPREPLY+=($(compgen -f -- \"$word\"))");
    line("      return ;;");
  }
  line("    ", files, ")\n      COMPREPLY=($(compgen -f -- \"$word\"))\n      return ;;");
  line("    ", without, ") ;;\n    -*)\n      return ;;\n  esac");
  line("  COMPREPLY=($(compgen -W \"", all, "\" -- \"${word/#--/-}\"))\n}");
  line("complete -o default -F _pagoda pagoda");
  for (const std::string_view guest : guest_names()) line("complete -o default -F _pagoda pagoda-system-", guest);
}

// A word inside zsh's '...[text]...': quotes, brackets and colons have a meaning there.
std::string zsh(std::string_view text) {
  std::string safe = replaced(text, "\n", " ");
  for (const auto& [from, to] : {std::pair{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}, {"'", "'\\''"}}) {
    safe = replaced(safe, from, to);
  }
  return safe;
}

void write_zsh() {
  put("#compdef pagoda");
  for (const std::string_view guest : guest_names()) fmt::print(" pagoda-system-{}", guest);
  line("\n# SPDX-License-Identifier: MIT\n# Completion for zsh; made from the option table by the build.");
  line("_pagoda_options=(");
  for (const Row& row : kRows) {
    if (row.is_group) continue;
    for (const std::string_view name : {row.name, row.other_name}) {
      if (name.empty()) continue;
      fmt::print("  '*-{}[{}]", name, zsh(row.help));
      if (takes_file(row)) {
        put(":file:_files");
      } else if (!row.argument.empty()) {
        std::string action = " ";
        for (const Values& values : known_values()) {
          const std::string pattern = fmt::format("|{}|", values.options);
          if (pattern.find(fmt::format("|-{}|", name)) != std::string::npos) {
            action = fmt::format("({})", zsh(joined(values.words)));
          }
        }
        fmt::print(":{}:{}", zsh(row.argument), action);
      }
      line("'");
    }
  }
  line(")");
  line("if [[ $service == pagoda ]]; then\n  _arguments '1:guest:(", joined(guest_names()),
       " backends describe help version)' $_pagoda_options\nelse\n  _arguments $_pagoda_options\nfi");
}

}  // namespace
}  // namespace pagoda::cli

int main(int argc, char** argv) {
  const std::string_view kind = argc == 2 ? argv[1] : "";
  if (kind == "man") {
    pagoda::cli::write_manual();
  } else if (kind == "bash") {
    pagoda::cli::write_bash();
  } else if (kind == "zsh") {
    pagoda::cli::write_zsh();
  } else {
    std::fputs("usage: make_manual man|bash|zsh\n", stderr);
    return 1;
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
