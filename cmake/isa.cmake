# Only a file named after an instruction set is compiled for it; everything else is the baseline.
set(FARTHING_ISA_avx2 -mavx2 -mfma -mf16c)
set(FARTHING_ISA_avxvnni ${FARTHING_ISA_avx2} -mavxvnni)
set(FARTHING_ISA_avx512 ${FARTHING_ISA_avx2} -mavx512f -mavx512bw -mavx512vl -mavx512dq)
set(FARTHING_ISA_avx512vnni ${FARTHING_ISA_avx512} -mavx512vnni)
set(FARTHING_ISA_avx512bf16 ${FARTHING_ISA_avx512vnni} -mavx512bf16)

# Kernels are inlined whole: sanitizers see as much of them at -O1, and the fuzzers need to know the
# branches of the parsers, not theirs. Without this some files take minutes to compile.
set(FARTHING_ISA_OPTIMIZE -O3)
if(FARTHING_SANITIZE)
  set(FARTHING_ISA_OPTIMIZE -O1)
endif()
if(FARTHING_FUZZ)
  list(APPEND FARTHING_ISA_OPTIMIZE -fno-sanitize=fuzzer-no-link)
endif()

# farthing_isa_flags(sources...): gives each file whose name is an ISA that ISA's flags, and keeps
# the files of other processor families out. Sets FARTHING_SOURCES to what is left.
function(farthing_isa_flags)
  set(kept "")
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    if(DEFINED FARTHING_ISA_${name})
      if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        continue()
      endif()
      # g++ 12 warns falsely about the intrinsics' own undefined vectors.
      set(quiet "")
      if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        set(quiet -Wno-maybe-uninitialized -Wno-uninitialized)
      endif()
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
        "${FARTHING_ISA_${name}};${FARTHING_ISA_OPTIMIZE};${quiet}")
    endif()
    list(APPEND kept ${source})
  endforeach()
  set(FARTHING_SOURCES ${kept} PARENT_SCOPE)
endfunction()
