// SPDX-License-Identifier: MIT
// Choice and listing of backends.
#include "machines/backends.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/suggest.h"
#include "tcg/host/x86_64/features.h"
#include "tcg/opt/passes/passes.h"
#include "tcg/tier/backend.h"
#include "tcg/tier/load_plugins.h"

namespace pagoda {
namespace {

using Json = nlohmann::ordered_json;

Json describe(const tier::Backend& backend) {
  Json features = Json::array(), guests = Json::array();
  for (const tier::FeatureName& feature : tier::feature_names()) {
    if ((backend.features & feature.feature) != 0) features.push_back(feature.name);
  }
  for (const char* guest : backend.guests) guests.push_back(guest);
  if (guests.empty()) guests.push_back("any");
  return {{"name", backend.name},
          {"tier", backend.tier},
          {"summary", backend.summary},
          {"features", features},
          {"opt_levels", backend.opt_levels + 1},
          {"guests", guests},
          {"fallback", backend.fallback != nullptr ? Json(backend.fallback) : Json(nullptr)},
          {"available", tier::is_available(backend)},
          {"source", backend.source != nullptr ? backend.source : "built-in"},
          {"default", &backend == &tier::default_backend()}};
}

std::string joined(const Json& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ',';
    text += word.get<std::string>();
  }
  return text;
}

// Says which plugins in the folder are not used; they harm nobody.
Result<> load_from(const std::string& folder) {
  TRY_ASSIGN(const auto problems, tier::load_plugins(folder));
  for (const std::string& problem : problems) fmt::print(stderr, "pagoda: plugin {}\n", problem);
  return {};
}

// What the user asks for.
Result<> load_asked(const std::string& option) {
  const char* of_environment = std::getenv("PAGODA_PLUGINS");
  const bool is_set = of_environment != nullptr && *of_environment != 0;
  if (option.empty() && !is_set) return {};
  if (auto loaded = load_from(option.empty() ? of_environment : option); !loaded)
    return fail("{}{}", option.empty() ? "PAGODA_PLUGINS=" : "-accel plugins=", loaded.error().message);
  return {};
}

// What is installed, if there is any: only for who wants one by a name that is not known, or a list.
void load_installed() {
  std::error_code error;
  if (std::filesystem::is_directory(PAGODA_PLUGIN_FOLDER, error)) (void)load_from(PAGODA_PLUGIN_FOLDER);
}

}  // namespace

Result<MachineConfig> with_backend(MachineConfig config) {
  TRY(host::host_features());
  TRY(load_asked(config.accel.plugins));
  if (config.accel.tier2_threshold) {
    const auto is_second = [](const tier::Backend& one) { return one.tier >= 2 && tier::is_available(one); };
    if (std::ranges::none_of(tier::backends(), is_second))
      return fail("-accel tier2-threshold={}: there is no backend of tier 2", *config.accel.tier2_threshold);
  }
  for (const std::string& pass : config.accel.disabled_passes) {
    const std::optional<opt::Pass> found = opt::find_pass(pass);
    if (!found) return fail("-accel no-pass={}: there is no such pass", pass);
    config.accel.regions.disabled_passes |= u64{1} << static_cast<u32>(*found);
  }
  const tier::Backend* backend = nullptr;
  const std::string& name = config.accel.backend;
  const char* of_environment = std::getenv("PAGODA_BACKEND");
  const std::string wanted = !name.empty() ? name : of_environment != nullptr ? of_environment : "";
  if (!wanted.empty() && tier::find_backend(wanted) == nullptr) load_installed();
  if (!name.empty()) {
    backend = tier::find_backend(name);
    std::vector<std::string_view> names;
    for (const tier::Backend& one : tier::backends()) names.push_back(one.name);
    if (backend == nullptr) {
      return fail("-accel backend={}: there is no such backend{} (\"pagoda backends\" lists them)", name,
                  suggestion(name, names));
    }
  } else {
    TRY_ASSIGN(backend, tier::backend_of_environment());
    if (backend == nullptr) return config;
  }
  if (!tier::is_available(*backend)) return fail("backend '{}' does not work on this host", backend->name);
  const auto is_guest = [&](const char* guest) { return config.guest == guest; };
  if (!backend->guests.empty() && std::ranges::none_of(backend->guests, is_guest))
    return fail("backend '{}' is not for {} guests", backend->name, config.guest);
  if (config.accel.force_tier && *config.accel.force_tier > backend->tier) {
    return fail("-accel force-tier={}: backend '{}' is of tier {}", *config.accel.force_tier, backend->name,
                backend->tier);
  }
  config.accel.backend = backend->name;
  config.accel.max_tier = std::min(config.accel.max_tier, backend->tier);
  return config;
}

int print_backends(std::span<const std::string> arguments) {
  const bool as_json = arguments.size() == 1 && arguments[0] == "--json";
  if (!arguments.empty() && !as_json) {
    fmt::print(stderr, "pagoda: backends: {}: only --json is known\n", arguments.back());
    return 1;
  }
  if (const auto loaded = load_asked(""); !loaded) {
    fmt::print(stderr, "pagoda: {}\n", loaded.error().message);
    return 1;
  }
  load_installed();
  Json all = Json::array();
  for (const tier::Backend& backend : tier::backends()) all.push_back(describe(backend));
  if (as_json) {
    fmt::print("{}\n", all.dump(2));
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  constexpr const char* kRow = "{:<13} {:<5} {:<7} {:<11} {:<12} {:<33} {}\n";
  fmt::print(kRow, "name", "tier", "guests", "opt levels", "fallback", "features", "what");
  for (const Json& one : all) {
    std::string what = one["summary"].get<std::string>();
    if (one["source"] != "built-in") what += fmt::format(" ({})", one["source"].get<std::string>());
    if (one["default"].get<bool>()) what += " (default)";
    if (!one["available"].get<bool>()) what += " (not on this host)";
    fmt::print(kRow, one["name"].get<std::string>(), one["tier"].get<u32>(), joined(one["guests"]),
               one["opt_levels"].get<u32>(), one["fallback"].is_null() ? "-" : one["fallback"].get<std::string>(),
               joined(one["features"]), what);
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace pagoda
