// SPDX-License-Identifier: MIT
// Parsing of -cpu by the extension table.
#include "cpu/riscv64/cpu_model.h"

#include <vector>

#include "base/suggest.h"

namespace pagoda::riscv64 {
namespace {

struct Row {
  Extension extension;
  std::string_view name;
  bool in_rv64;
};
constexpr Row kRows[] = {
#define EXTENSION(id, name, in_rv64, meaning) {Extension::id, name, in_rv64},
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
};

struct Dependency {
  Extension extension, needs;
};
constexpr Dependency kDependencies[] = {
    {Extension::d, Extension::f},
    {Extension::f, Extension::zicsr},
    {Extension::zicntr, Extension::zicsr},
};

std::string_view name_of(Extension extension) {
  for (const Row& row : kRows) {
    if (row.extension == extension) return row.name;
  }
  return "i";
}

Result<Extensions> model(std::string_view name) {
  constexpr std::string_view models[] = {"rv64", "max"};
  if (name != models[0] && name != models[1]) {
    return fail("-cpu: unknown model '{}' (rv64, max){}", name, suggestion(name, models));
  }
  Extensions extensions;
  for (const Row& row : kRows) {
    extensions.set(row.extension, name == "max" ? row.extension != Extension::svade : row.in_rv64);
  }
  return extensions;
}

Result<> apply(Extensions& extensions, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  const std::string_view name = setting.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view{} : setting.substr(equals + 1);
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    const bool on = value == "on" || value == "true", off = value == "off" || value == "false";
    if (!on && !off) return fail("-cpu: '{}' wants on or off, as in {}=on", setting, name);
    extensions.set(row.extension, on);
    return {};
  }
  std::vector<std::string_view> names;
  for (const Row& row : kRows) names.push_back(row.name);
  return fail("-cpu: extension '{}' is not implemented{}", name, suggestion(name, names));
}

}  // namespace

Result<> check_extensions(const Extensions& extensions) {
  if (!extensions.has(Extension::zicsr)) return fail("-cpu: zicsr=off: the privileged architecture needs zicsr");
  for (const Dependency& row : kDependencies) {
    if (extensions.has(row.extension) && !extensions.has(row.needs)) {
      const std::string_view name = name_of(row.extension), needs = name_of(row.needs);
      return fail("-cpu: {} needs {}: add {}=on or {}=off", name, needs, needs, name);
    }
  }
  return {};
}

Result<Extensions> parse_cpu(std::string_view option) {
  std::size_t comma = option.find(',');
  TRY_ASSIGN(Extensions extensions, model(option.substr(0, comma)));
  while (comma != std::string_view::npos) {
    option.remove_prefix(comma + 1);
    comma = option.find(',');
    TRY(apply(extensions, option.substr(0, comma)));
  }
  TRY(check_extensions(extensions));
  return extensions;
}

Extensions default_extensions() {
  Extensions extensions;
  for (const Row& row : kRows) extensions.set(row.extension, row.in_rv64);
  return extensions;
}

std::string isa_string(const Extensions& extensions) {
  std::string text = "rv64i";
  // The table is in canonical order.
  for (const Row& row : kRows) {
    if (!extensions.has(row.extension)) continue;
    if (row.name.size() > 1) text += '_';
    text += row.name;
  }
  return text;
}

}  // namespace pagoda::riscv64
