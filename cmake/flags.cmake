# Warnings are errors. The compiler may not contract a * b + c by itself: where a fused multiply-add
# is meant the code says so, which keeps results equal between builds and instruction sets.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Werror -ffp-contract=off -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # std::stable_sort of libstdc++ 12 calls a function that it declares deprecated.
  add_compile_options(-Wno-deprecated-declarations)
endif()
if(FARTHING_SANITIZE)
  add_compile_options(-fsanitize=${FARTHING_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${FARTHING_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)  # its checks hide from the compiler what is set where
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()
if(FARTHING_FUZZ)  # libFuzzer sees which branches of the library an input reaches
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
