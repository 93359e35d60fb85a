// SPDX-License-Identifier: MIT
// Which memory accesses of a graph share a page variable.
//
// Accesses off one pointer mostly stay in a page for many turns of a loop: arrays that are walked, structures, the
// stack. Those of a group compare with the page that the last one was in, which costs no look at the TLB and keeps
// memory off the address's way. Pointers that come out of memory go elsewhere each time: the first access through one
// looks into the TLB and tells the others.
#pragma once

#include <vector>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

struct PageUse {
  enum Kind : u8 { tlb, page, new_page } kind = tlb;
  u32 group = 0;  // of page and new_page
};

struct PagePlan {
  std::vector<PageUse> uses;     // by node
  std::vector<bool> is_written;  // by group: has stores
};

inline constexpr u32 kMostPageGroups = 4;

void plan_pages(const Graph& graph, PagePlan& plan);

}  // namespace pagoda::opt
