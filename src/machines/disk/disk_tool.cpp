// SPDX-License-Identifier: MIT
// The disk tool: dispatch, text, and check.
#include "machines/disk/disk_tool.h"

#include <array>
#include <cstdio>

#include "devices/storage/host_file.h"
#include "devices/storage/qcow2/check_image.h"
#include "devices/storage/qcow2/qcow2_image.h"

namespace pagoda {
namespace disk_tool {

Result<DiskFormat> format_named(const std::string& name) {
  if (name.empty()) return DiskFormat::probe;
  if (name == "raw") return DiskFormat::raw;
  if (name == "qcow2") return DiskFormat::qcow2;
  return fail("format '{}' is not supported (raw and qcow2 are)", name);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string human_size(u64 bytes) {
  static constexpr std::array kUnits = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  // From 1000 on the next unit: three digits are enough for all that is shown.
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.3g} {}B", value, kUnits[unit]);
}

namespace {

void print_check_json(const DiskCommand& command, const qcow2::CheckResult& result) {
  std::string text = "{\n";
  const auto number = [&](std::string_view key, u64 value, bool always) {
    if (always || value != 0) text += fmt::format("    \"{}\": {},\n", key, value);
  };
  number("image-end-offset", result.image_end, true);
  number("total-clusters", result.total_clusters, true);
  number("check-errors", result.errors, true);
  number("allocated-clusters", result.allocated_clusters, false);
  number("fragmented-clusters", result.fragmented_clusters, false);
  number("compressed-clusters", result.compressed_clusters, false);
  number("corruptions", result.corruptions, false);
  number("corruptions-fixed", result.corruptions_fixed, false);
  number("leaks", result.leaks, false);
  number("leaks-fixed", result.leaks_fixed, false);
  fmt::print("{}    \"filename\": {},\n    \"format\": \"qcow2\"\n}}\n", text, json_string(command.file));
}

void print_check(const qcow2::CheckResult& result) {
  for (const std::string& message : result.messages) fmt::print(stderr, "{}\n", message);
  if (result.corruptions_fixed != 0 || result.leaks_fixed != 0) {
    fmt::print(
        "The following inconsistencies were found and repaired:\n\n    {} leaked clusters\n    {} corruptions\n\n"
        "Double checking the fixed image now...\n",
        result.leaks_fixed, result.corruptions_fixed);
  }
  if (result.corruptions == 0 && result.leaks == 0 && result.errors == 0) {
    fmt::print("No errors were found on the image.\n");
  } else {
    if (result.corruptions != 0) {
      fmt::print(
          "\n{} errors were found on the image.\nData may be corrupted, or further writes to the image may "
          "corrupt it.\n",
          result.corruptions);
    }
    if (result.leaks != 0) {
      fmt::print(
          "\n{} leaked clusters were found on the image.\nThis means waste of disk space, but no harm to data.\n",
          result.leaks);
    }
    if (result.errors != 0) fmt::print("\n{} internal errors have occurred during the check.\n", result.errors);
  }
  if (result.total_clusters != 0 && result.allocated_clusters != 0) {
    const auto percent = [](u64 part, u64 whole) {
      return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    };
    fmt::print("{}/{} = {:.2f}% allocated, {:.2f}% fragmented, {:.2f}% compressed clusters\n",
               result.allocated_clusters, result.total_clusters,
               percent(result.allocated_clusters, result.total_clusters),
               percent(result.fragmented_clusters, result.allocated_clusters),
               percent(result.compressed_clusters, result.allocated_clusters));
  }
  if (result.image_end != 0) fmt::print("Image end offset: {}\n", result.image_end);
}

}  // namespace

Result<int> check(const DiskCommand& command) {
  constexpr int kNothingToCheck = 63;
  const bool mends = command.repair != DiskCommand::Repair::none;
  TRY_ASSIGN(DiskFormat format, format_named(command.format));
  if (format == DiskFormat::probe) {
    TRY_ASSIGN(format, probe_disk(command.file, !command.force_share));
  }
  TRY_ASSIGN(const auto file, HostFile::open(command.file, {.read_only = !mends, .locking = !command.force_share}));
  if (format == DiskFormat::raw) {
    if (!command.quiet) fmt::print(stderr, "pagoda: disk image {}: raw images have nothing to check\n", command.file);
    return kNothingToCheck;
  }
  TRY_ASSIGN(qcow2::Header header, qcow2::read_header(*file));
  const qcow2::Repair repair = command.repair == DiskCommand::Repair::all     ? qcow2::Repair::all
                               : command.repair == DiskCommand::Repair::leaks ? qcow2::Repair::leaks
                                                                              : qcow2::Repair::none;
  TRY_ASSIGN(const qcow2::CheckResult result, qcow2::check_image(*file, header, repair));
  if (command.json) {
    print_check_json(command, result);
  } else if (!command.quiet) {
    print_check(result);
  }
  if (result.errors != 0) return 1;
  if (result.corruptions != 0) return 2;
  return result.leaks != 0 ? 3 : 0;
}

}  // namespace disk_tool

int run_disk_command(const DiskCommand& command) {
  const auto run = [&]() -> Result<int> {
    switch (command.action) {
      case DiskCommand::Action::create:
        return disk_tool::create(command);
      case DiskCommand::Action::info:
        return disk_tool::info(command);
      case DiskCommand::Action::check:
        return disk_tool::check(command);
      case DiskCommand::Action::convert:
        return disk_tool::convert(command);
    }
    return 1;
  };
  const Result<int> status = run();
  if (!status) {
    fmt::print(stderr, "pagoda: {}\n", status.error().message);
    return 1;
  }
  return std::fflush(stdout) == 0 ? *status : 1;
}

}  // namespace pagoda
