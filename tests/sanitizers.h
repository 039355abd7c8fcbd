// What tests must know of the build they are in.
#pragma once

#ifndef __has_feature  // clang's way to say it
#define __has_feature(feature) 0
#endif

namespace farthing {

// AddressSanitizer and ThreadSanitizer reserve addresses by the terabyte, so that no limit on them
// can hold.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kShadowMemory = true;
#else
inline constexpr bool kShadowMemory = false;
#endif

}  // namespace farthing
