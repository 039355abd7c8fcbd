// Finds a model in the local Hugging Face cache. Never downloads and never writes.
// Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
#pragma once

#include <string>
#include <string_view>

namespace farthing::io {

// True for "org/name" as the hub spells it.
bool is_hub_name(std::string_view model);

// $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
// ~/.cache/huggingface/hub.
std::string hub_cache_directory();

// The snapshot directory of refs/main. Error: bad input; says where it looked and how to get the
// model.
std::string find_in_hub_cache(std::string_view model);

// Whether a download into this snapshot directory was broken off (blobs/*.incomplete).
bool has_unfinished_download(const std::string& snapshot);

}  // namespace farthing::io
