// Tells files that often lie where weights should be, so that the message can say what to do.
#pragma once

#include <string_view>

#include "core/cursor.h"

namespace farthing::io {

// Throws when the bytes are not what their name promises but something known: a Git-LFS pointer, an
// HTML page, a pickle, another checkpoint format. Returns when they are none of these.
void refuse_foreign_file(ByteSpan bytes, std::string_view where);

// A header length that is not absurd, then the start of a header.
bool starts_as_safetensors(ByteSpan bytes);

}  // namespace farthing::io
