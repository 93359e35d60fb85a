// SPDX-License-Identifier: MIT
// Handlers of the options that share a folder of the host: -fsdev -virtfs.
#include <algorithm>
#include <array>

#include "base/suggest.h"
#include "cli/builder.h"
#include "cli/text.h"

namespace pagoda::cli {
namespace {

constexpr std::array<std::string_view, 4> kModels = {"none", "passthrough", "mapped-xattr", "mapped"};

struct Folder {
  FsdevConfig fsdev;
  std::string mount_tag;
};

Result<Folder> parse_folder(Builder& b, std::string_view value, bool has_tag) {
  std::vector<std::string_view> keys = {"fsdriver", "id", "path", "security_model", "readonly", "multidevs"};
  if (has_tag) keys.push_back("mount_tag");
  TRY_ASSIGN(const auto items, parse_key_values(value, "fsdriver"));
  Folder folder;
  folder.fsdev.origin = b.origin;
  bool is_local = false;
  for (const KeyValue& item : items) {
    if (std::ranges::find(keys, item.key) == keys.end()) {
      return fail("unknown key '{}'{}", item.key, suggestion(item.key, keys));
    }
    if (item.key == "readonly") {
      TRY_ASSIGN(folder.fsdev.readonly, parse_switch(item));
      continue;
    }
    if (item.value.empty()) return fail("'{}' needs a value", item.key);
    if (item.key == "fsdriver") {
      if (item.value != "local") return fail("'{}': only 'local' is supported", item.value);
      is_local = true;
    } else if (item.key == "id") {
      TRY(check_id(item.value));
      folder.fsdev.id = item.value;
    } else if (item.key == "path") {
      folder.fsdev.path = item.value;
    } else if (item.key == "mount_tag") {
      folder.mount_tag = item.value;
    } else if (item.key == "multidevs") {  // files of other file systems never look alike
      if (item.value != "remap") return fail("multidevs={}: only 'remap' is supported", item.value);
    } else {
      if (std::ranges::find(kModels, item.value) == kModels.end()) {
        return fail("security_model={}: 'none', 'passthrough' or 'mapped-xattr'", item.value);
      }
      folder.fsdev.security_model = item.value == "mapped" ? "mapped-xattr" : item.value;
    }
  }
  if (!is_local) return fail("'local' comes first");
  if (folder.fsdev.path.empty()) return fail("path= is missing");
  if (folder.fsdev.security_model.empty()) {
    return fail("security_model= is missing: none, passthrough or mapped-xattr");
  }
  if (has_tag && folder.mount_tag.empty()) return fail("mount_tag= is missing");
  if (!has_tag && folder.fsdev.id.empty()) return fail("id= is missing");
  if (folder.fsdev.id.empty()) folder.fsdev.id = "fsdev-" + std::to_string(b.config.fsdevs.size());
  if (std::ranges::find(b.config.fsdevs, folder.fsdev.id, &FsdevConfig::id) != b.config.fsdevs.end()) {
    return fail("id '{}' is used twice", folder.fsdev.id);
  }
  return folder;
}

}  // namespace

Result<> on_fsdev(Builder& b, std::string_view value) {
  TRY_ASSIGN(auto folder, parse_folder(b, value, false));
  b.config.fsdevs.push_back(std::move(folder.fsdev));
  return {};
}

Result<> on_virtfs(Builder& b, std::string_view value) {
  TRY_ASSIGN(auto folder, parse_folder(b, value, true));
  b.config.devices.push_back(
      {"virtio-9p-device", "", {{"fsdev", folder.fsdev.id}, {"mount_tag", folder.mount_tag}}, b.origin});
  b.config.fsdevs.push_back(std::move(folder.fsdev));
  return {};
}

}  // namespace pagoda::cli
