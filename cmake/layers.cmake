# One static library a layer, each linking the layers before it; `farthing` is all of them.
function(farthing_layers)
  set(below "")
  foreach(layer ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${layer}/*.cc)
    if(NOT sources)
      continue()
    endif()
    farthing_isa_flags(${sources})
    add_library(farthing_${layer} STATIC ${FARTHING_SOURCES})
    target_include_directories(farthing_${layer} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(farthing_${layer} PUBLIC ${below} fmt::fmt Threads::Threads
      PRIVATE nlohmann_json::nlohmann_json)
    list(PREPEND below farthing_${layer})
  endforeach()
  if(TARGET farthing_io)
    target_link_libraries(farthing_io PRIVATE PkgConfig::PCRE2)
  endif()
  if(TARGET farthing_text)
    target_link_libraries(farthing_text PRIVATE PkgConfig::PCRE2 PkgConfig::UTF8PROC)
  endif()
  if(TARGET farthing_calibrate)
    farthing_embed_texts(farthing_calibrate ${CMAKE_SOURCE_DIR}/data/calibration)
  endif()
  if(TARGET farthing_report)
    farthing_embed_page(farthing_report)
  endif()
  if(TARGET farthing_compress)
    target_link_libraries(farthing_compress PRIVATE yaml-cpp::yaml-cpp)
  endif()
  add_library(farthing INTERFACE)
  target_link_libraries(farthing INTERFACE ${below} nlohmann_json::nlohmann_json)
endfunction()

# farthing_embed_texts(target folder): makes the folder's texts part of the target.
function(farthing_embed_texts target folder)
  set(out ${CMAKE_BINARY_DIR}/generated/builtin_texts.cc)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
  file(GLOB files CONFIGURE_DEPENDS ${folder}/*.txt ${folder}/*.jsonl)
  list(JOIN files "," joined)
  add_custom_command(OUTPUT ${out} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DFILES=${joined} -P ${CMAKE_SOURCE_DIR}/cmake/embed_texts.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_texts.cmake)
  target_sources(${target} PRIVATE ${out})
endfunction()

# The report's page: the chart library, styles and scripts become part of the program.
function(farthing_embed_page target)
  set(out ${CMAKE_BINARY_DIR}/generated/page_parts.cc)
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
  set(files ${CMAKE_SOURCE_DIR}/third_party/uplot/uPlot.iife.min.js ${CMAKE_SOURCE_DIR}/third_party/uplot/uPlot.min.css
    ${CMAKE_SOURCE_DIR}/third_party/uplot/LICENSE ${CMAKE_SOURCE_DIR}/src/report/page/page.css
    ${CMAKE_SOURCE_DIR}/src/report/page/page.js)
  list(JOIN files "," joined)
  add_custom_command(OUTPUT ${out} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DFILES=${joined} -P ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed_page.cmake)
  target_sources(${target} PRIVATE ${out})
endfunction()
