// SPDX-License-Identifier: MIT
// What translation and execution did: `info jit` for people, -stats-json for programs.
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "machines/machine.h"
#include "tcg/interp/interp.h"

namespace pagoda {
namespace {

using Json = nlohmann::ordered_json;

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double ratio(u64 amount, u64 of) { return of == 0 ? 0 : static_cast<double>(amount) / static_cast<double>(of); }

Json cache_report(const CodeCache::Statistics& cache) {
  return {{"units", cache.units},
          {"bytes", cache.bytes},
          {"host_bytes", cache.host_bytes},
          {"made", cache.made},
          {"invalidated", cache.invalidated},
          {"evicted", cache.evicted},
          {"evictions", cache.evictions},
          {"full_flushes", cache.full_flushes},
          {"links", cache.links},
          {"raced", cache.raced},
          {"retired", cache.retired},
          {"freed", cache.freed}};
}

Json compiler_report(const CodeManager::Statistics& from) {
  const tier::Statistics& made = from.compiler;
  const tier::Guard::Statistics& guard = from.guard;
  return {{"backend", from.backend != nullptr ? Json(from.backend) : Json(nullptr)},
          {"units", made.units},
          {"guest_instructions", made.guest_insns},
          {"host_bytes", made.host_bytes},
          {"code_memory_bytes", from.code_bytes},
          {"ops", made.ops},
          {"ops_by_tier0", made.stepped_ops},
          {"loops", made.loops},
          {"no_room", made.no_room},
          {"refused", made.refused},
          {"failed", guard.failed},
          {"over_budget", guard.over_budget},
          {"given_up", guard.given_up},
          {"turned_away", guard.turned_away},
          {"switched_off", guard.switched_off},
          {"recovered", guard.recovered},
          {"slow_compilations", guard.slow},
          {"slowest_compilation_ms", static_cast<double>(guard.slowest_ns) / 1e6},
          {"compile_ns_per_instruction", ratio(made.ns, made.timed_insns)}};
}

Json vcpu_report(Vcpu& vcpu) {
  const Vcpu::Statistics& ran = vcpu.statistics();
  const Softmmu::Statistics& mmu = vcpu.mmu().statistics();
  Json leaves = Json::object();
  for (u32 i = 0; i < interp::kLeaveCount; ++i) leaves[interp::kLeaveNames[i]] = ran.leaves[i];
  leaves["links_asked"] = ran.links_asked;
  return {
      {"instructions", vcpu.instructions()},
      {"instructions_by_tier", {{"interpreter", ran.tier_instructions[0]}, {"lightweight", ran.tier_instructions[1]}}},
      {"exits", leaves},
      {"waiting", {{"pauses", ran.pauses}, {"naps", ran.naps}}},
      {"tlb",
       {{"misses", mmu.first_level_misses},
        {"third_level_hits", mmu.third_level_hits},
        {"walks", mmu.walks},
        {"flushes", mmu.flushes},
        {"context_resets", mmu.generation_resets}}},
      {"device_accesses", mmu.mmio},
      {"code_page_stores", mmu.code_page_stores}};
}

// What compiled code left to tier 0: instructions of blocks without host code, and ops within host code.
Json fallback_report(std::span<const std::unique_ptr<Vcpu>> vcpus) {
  u64 interpreted = 0, compiled = 0, stepped = 0;
  for (const auto& vcpu : vcpus) {
    interpreted += vcpu->statistics().tier_instructions[0];
    compiled += vcpu->statistics().tier_instructions[1];
    stepped += vcpu->frame().stepped_ops;
  }
  return {{"instructions", interpreted},
          {"stepped_ops", stepped},
          {"percent", 100 * ratio(interpreted + stepped, interpreted + compiled)}};
}

Json report(const CodeManager& code, std::span<const std::unique_ptr<Vcpu>> vcpus, const CodeCache::Statistics& cache) {
  const CodeManager::Statistics made = code.statistics();
  Json fusions = Json::object();
  for (u32 i = 0; i < interp::kFusionCount; ++i) {
    fusions[interp::fusion_name(static_cast<interp::Fusion>(i))] = made.interpreter.fusions[i];
  }
  Json all = {{"version", PAGODA_VERSION},
              {"translation",
               {{"blocks", made.blocks},
                {"guest_instructions", made.guest_insns},
                {"guest_bytes", made.guest_bytes},
                {"lift_ns_per_instruction", ratio(made.lift_ns, made.timed_insns)},
                {"lower_ns_per_instruction", ratio(made.lower_ns, made.timed_insns)},
                {"pages_marked", made.pages_marked},
                {"fusions", fusions}}},
              {"cache", cache_report(cache)},
              {"tier1", compiler_report(made)},
              {"tier2",
               {{"regions", made.compiler.regions},
                {"guest_instructions", made.compiler.region_insns},
                {"host_bytes", made.compiler.region_bytes},
                {"ns_per_instruction", ratio(made.compiler.region_ns, made.compiler.region_insns)},
                {"requested", made.regions.requested},
                {"unformed", made.regions.unformed},
                {"published", made.regions.published},
                {"failed", made.regions.failed},
                {"stale", made.regions.stale},
                {"dropped", made.regions.dropped},
                {"over_budget", made.regions.guard.over_budget},
                {"given_up", made.regions.guard.given_up},
                {"turned_away", made.regions.guard.turned_away},
                {"switched_off", made.regions.guard.switched_off},
                {"recovered", made.regions.guard.recovered},
                {"slow_compilations", made.regions.guard.slow},
                {"slowest_compilation_ms", static_cast<double>(made.regions.guard.slowest_ns) / 1e6},
                {"longest_queue", made.regions.longest}}},
              {"policy",
               {{"name", made.policy},
                {"looks", made.promotion.looks},
                {"promotions", made.promotion.promotions},
                {"demotions", made.promotion.demotions}}},
              {"fallback", fallback_report(vcpus)},
              {"vcpus", Json::array()}};
  for (const auto& vcpu : vcpus) all["vcpus"].push_back(vcpu_report(*vcpu));
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    all["host"] = {{"user_seconds", seconds(usage.ru_utime)}, {"system_seconds", seconds(usage.ru_stime)}};
  }
  return all;
}

// One line for each number: its path and its value.
void list(const Json& node, const std::string& path, std::string* text) {
  if (!node.is_structured()) {
    *text += node.is_number_float()
                 ? fmt::format("{:<46} {:.1f}\n", path, node.get<double>())
                 : fmt::format("{:<46} {}\n", path, node.is_string() ? node.get<std::string>() : node.dump());
    return;
  }
  for (const auto& [key, value] : node.items()) list(value, path.empty() ? key : path + '.' + key, text);
}

}  // namespace

std::string Machine::translation_statistics() {
  std::string text;
  rendezvous_.exclusive(nullptr, [&] { list(report(*code_, vcpus_, code_->cache().statistics()), "", &text); });
  return text;
}

Result<> Machine::write_statistics(const std::string& path) {
  std::string text;
  rendezvous_.exclusive(nullptr, [&] { text = report(*code_, vcpus_, code_->cache().statistics()).dump(2) + '\n'; });
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return fail("-stats-json {}: {}", path, std::strerror(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) return fail("-stats-json {}: {}", path, std::strerror(errno));
  return {};
}

}  // namespace pagoda
