# The tests of kernels once more, with those of instruction sets that this machine may lack compiled
# against an emulation (immintrin.h here). Their files come before the library's, so the linker
# takes them for the rows of the tables.
find_path(SIMDE_HEADERS simde/x86/avx512.h)
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  return()
endif()
if(NOT SIMDE_HEADERS)
  message(WARNING "kernels for AVX-512, AVX-VNNI and AMX are not tested by emulation: install libsimde-dev")
  return()
endif()
set(emulated_isas avxvnni avx512 avx512vnni avx512vbmi2 avx512bf16 amxint8 amxbf16)
set(emulated_sources "")
foreach(isa ${emulated_isas})
  file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/kernels/*/${isa}.cc)
  list(APPEND emulated_sources ${found})
endforeach()
add_library(farthing_emulated_kernels OBJECT ${emulated_sources})
target_include_directories(farthing_emulated_kernels BEFORE PRIVATE
  ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_SOURCE_DIR}/src)
target_compile_options(farthing_emulated_kernels PRIVATE ${FARTHING_ISA_avx2} -O1 -w -Wno-psabi)

file(GLOB kernel_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/kernels/*_test.cc
  ${CMAKE_SOURCE_DIR}/tests/compress/instruction_sets_test.cc)
add_executable(farthing_emulated_tests ${kernel_tests} $<TARGET_OBJECTS:farthing_emulated_kernels>)
target_include_directories(farthing_emulated_tests PRIVATE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(farthing_emulated_tests PRIVATE farthing GTest::gmock GTest::gtest_main)
target_compile_definitions(farthing_emulated_tests PRIVATE FARTHING_EMULATED FARTHING_SOURCE_DIR=".")
gtest_discover_tests(farthing_emulated_tests DISCOVERY_MODE PRE_TEST TEST_PREFIX emulated.
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} PROPERTIES TIMEOUT 300)
