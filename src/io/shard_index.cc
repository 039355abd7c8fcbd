#include <algorithm>

#include "core/text.h"
#include "io/hf_directory.h"

namespace farthing::io {
namespace {

// A name that cannot lead out of the directory.
bool is_shard_name(std::string_view name) {
  return name.ends_with(".safetensors") && name.size() <= 255 && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

}  // namespace

ShardIndex parse_shard_index(std::string_view text, std::string_view where) {
  const Json index = parse_json(text, where);
  const Json* map = json_find(index, "weight_map");
  if (map == nullptr || !map->is_object() || map->empty())
    bad_input("{}: \"weight_map\" must map tensor names to files; found {}", where,
              map == nullptr ? "none" : json_shown(*map));
  ShardIndex out;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string() || !is_shard_name(file.get_ref<const std::string&>()))
      bad_input("{}: {}: must lie in a .safetensors file of the same directory; the index says {}",
                where, printable(tensor), json_shown(file));
    out.weights.emplace_back(tensor, file.get<std::string>());
    out.files.push_back(out.weights.back().second);
  }
  std::sort(out.files.begin(), out.files.end());
  out.files.erase(std::unique(out.files.begin(), out.files.end()), out.files.end());
  return out;
}

}  // namespace farthing::io
