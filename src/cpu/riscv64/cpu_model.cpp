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
  bool in_rv64, in_max, in_rva22;
};
constexpr Row kRows[] = {
#define STATED(name, comes_with, meaning)
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) {Extension::id, name, in_rv64, in_max, in_rva22},
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
#undef STATED
};

// What the ISA string prints, in order. A stated name has the extension that it comes with.
struct Printed {
  Extension extension;
  std::string_view name;
};
constexpr Printed kPrinted[] = {
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) {Extension::id, name},
#define STATED(name, comes_with, meaning) {Extension::comes_with, name},
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
#undef STATED
};

struct Model {
  std::string_view name;
  bool Row::* column;
};
constexpr Model kModels[] = {{"rv64", &Row::in_rv64}, {"max", &Row::in_max}, {"rva22s64", &Row::in_rva22}};

struct Dependency {
  Extension extension, needs;
};
// An extension that is switched on by name brings what it needs with it. A need that is switched off takes the
// extensions of several letters with it, unless they were asked for by name.
constexpr Dependency kNeeds[] = {
    {Extension::d, Extension::f},         {Extension::f, Extension::zicsr},     {Extension::zicntr, Extension::zicsr},
    {Extension::zabha, Extension::zaamo}, {Extension::zacas, Extension::zaamo}, {Extension::zawrs, Extension::zalrsc},
    {Extension::zfa, Extension::f},       {Extension::zfh, Extension::zfhmin},  {Extension::zfhmin, Extension::f},
    {Extension::zcb, Extension::zca},     {Extension::zcd, Extension::zca},     {Extension::zcd, Extension::d},
    {Extension::zcmop, Extension::zca},   {Extension::b, Extension::zba},       {Extension::b, Extension::zbb},
    {Extension::b, Extension::zbs},       {Extension::zihpm, Extension::zicsr}, {Extension::sscofpmf, Extension::zihpm},
};
// A letter that is a collection: it implies its parts, and its absence theirs.
constexpr Dependency kParts[] = {
    {Extension::m, Extension::zmmul},
    {Extension::a, Extension::zaamo},
    {Extension::a, Extension::zalrsc},
    {Extension::c, Extension::zca},
};

// B is a name for three extensions and nothing else: it comes and goes like those with longer names.
bool is_letter(Extension extension) { return extension_name(extension)[1] == 0 && extension != Extension::b; }

// The settings of one option: the last one of a name counts.
struct Settings {
  Extensions on{0}, off{0};
  void set(Extension extension, bool value) {
    on.set(extension, value);
    off.set(extension, !value);
  }
};

Result<Extensions> model(std::string_view name) {
  std::vector<std::string_view> names;
  std::string list;
  for (const Model& model : kModels) {
    names.push_back(model.name);
    list += (list.empty() ? "" : ", ") + std::string(model.name);
    if (model.name != name) continue;
    Extensions extensions;
    for (const Row& row : kRows) extensions.set(row.extension, row.*model.column);
    return extensions;
  }
  return fail("-cpu: unknown model '{}' ({}){}", name, list, suggestion(name, names));
}

Result<> read_setting(Settings& settings, std::string_view setting) {
  const std::size_t equals = setting.find('=');
  const std::string_view name = setting.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? std::string_view{} : setting.substr(equals + 1);
  for (const Row& row : kRows) {
    if (row.name != name) continue;
    const bool on = value == "on" || value == "true", off = value == "off" || value == "false";
    if (!on && !off) return fail("-cpu: '{}' wants on or off, as in {}=on", setting, name);
    settings.set(row.extension, on);
    return {};
  }
  std::vector<std::string_view> names;
  for (const Row& row : kRows) names.push_back(row.name);
  return fail("-cpu: extension '{}' is not implemented{}", name, suggestion(name, names));
}

// Repeats a rule over all rows until nothing changes; the tables are a few steps deep.
template <class F>
void settle(Extensions& extensions, F&& rules) {
  Extensions before;
  do {
    before = extensions;
    rules();
  } while (extensions != before);
}

Extensions apply(Extensions extensions, const Settings& settings) {
  extensions.bits = (extensions.bits | settings.on.bits) & ~settings.off.bits;
  settle(extensions, [&] {
    for (const Dependency& row : kParts) {
      if (settings.off.has(row.extension) && !settings.on.has(row.needs)) extensions.set(row.needs, false);
    }
    // Zcd is a part of C where there is D.
    if (settings.off.has(Extension::c) && !settings.on.has(Extension::zcd)) extensions.set(Extension::zcd, false);
    for (const Dependency& row : kNeeds) {
      const bool asked = settings.on.has(row.extension) || is_letter(row.extension);
      if (!asked && !extensions.has(row.needs)) extensions.set(row.extension, false);
    }
  });
  const auto imply = [&](const Dependency& row) {
    if (extensions.has(row.extension) && !settings.off.has(row.needs)) extensions.set(row.needs, true);
  };
  settle(extensions, [&] {
    for (const Dependency& row : kParts) imply(row);
    for (const Dependency& row : kNeeds) {
      if (settings.on.has(row.extension) || !is_letter(row.extension)) imply(row);
    }
    if (extensions.has(Extension::d) && extensions.has(Extension::zca)) imply({Extension::c, Extension::zcd});
  });
  return extensions;
}

Result<> check_rule(const Extensions& extensions, const Dependency& row) {
  if (!extensions.has(row.extension) || extensions.has(row.needs)) return {};
  const std::string_view name = extension_name(row.extension), needs = extension_name(row.needs);
  return fail("-cpu: {} needs {}: add {}=on or {}=off", name, needs, needs, name);
}

}  // namespace

const char* extension_name(Extension extension) {
  static constexpr const char* names[] = {
      "i",
#define STATED(name, comes_with, meaning)
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) name,
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
#undef STATED
  };
  return names[static_cast<u32>(extension)];
}

Result<> check_extensions(const Extensions& extensions) {
  if (!extensions.has(Extension::zicsr)) return fail("-cpu: zicsr=off: the privileged architecture needs zicsr");
  for (const Dependency& row : kNeeds) TRY(check_rule(extensions, row));
  for (const Dependency& row : kParts) TRY(check_rule(extensions, row));
  if (extensions.has(Extension::d)) TRY(check_rule(extensions, {Extension::c, Extension::zcd}));
  return {};
}

Result<Extensions> parse_cpu(std::string_view option) {
  std::size_t comma = option.find(',');
  TRY_ASSIGN(const Extensions base, model(option.substr(0, comma)));
  Settings settings;
  while (comma != std::string_view::npos) {
    option.remove_prefix(comma + 1);
    comma = option.find(',');
    TRY(read_setting(settings, option.substr(0, comma)));
  }
  const Extensions extensions = apply(base, settings);
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
  for (const Printed& row : kPrinted) {
    if (!extensions.has(row.extension)) continue;
    if (row.name.size() > 1) text += '_';
    text += row.name;
  }
  return text;
}

}  // namespace pagoda::riscv64
