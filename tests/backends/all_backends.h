// SPDX-License-Identifier: MIT
// The backends that parametrised tests run over: all that are registered, and those of the plugins in PAGODA_PLUGINS.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/check.h"
#include "tcg/tier/backend.h"
#include "tcg/tier/load_plugins.h"

namespace pagoda {

inline std::vector<const tier::Backend*> all_backends() {
  static const bool is_loaded = [] {
    const char* folder = std::getenv("PAGODA_PLUGINS");
    if (folder == nullptr) return true;
    const std::size_t before = tier::backends().size();
    const auto problems = tier::load_plugins(folder);
    CHECK(problems.has_value() && problems->empty(), "{}", problems ? problems->front() : problems.error().message);
    CHECK(tier::backends().size() > before, "no plugins in {}", folder);
    return true;
  }();
  CHECK(is_loaded);
  std::vector<const tier::Backend*> all;
  for (const tier::Backend& backend : tier::backends()) all.push_back(&backend);
  return all;
}

inline std::string backend_test_name(const testing::TestParamInfo<const tier::Backend*>& each) {
  std::string name = each.param->name;
  std::ranges::replace(name, '-', '_');
  return name;
}

}  // namespace pagoda
