# cmake -DOUT=... -DFILES=a,b -P embed_page.cmake: the parts of the report's page as constants of a C++
# file, in pieces below the longest portable literal.
string(REPLACE "," ";" FILES "${FILES}")
file(WRITE ${OUT}.new "#include \"report/page_parts.h\"\n\nnamespace farthing::report {\nnamespace {\n\n"
  "constexpr PagePart kParts[] = {\n")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(SIZE ${path} size)
  file(APPEND ${OUT}.new "{\"${name}\",\n")
  set(at 0)
  while(at LESS size)
    file(READ ${path} hex OFFSET ${at} LIMIT 8192 HEX)
    string(REGEX REPLACE "(..)" "\\\\x\\1" hex "${hex}")
    file(APPEND ${OUT}.new "\"${hex}\"\n")
    math(EXPR at "${at} + 8192")
  endwhile()
  file(APPEND ${OUT}.new "},\n")
endforeach()
file(APPEND ${OUT}.new "};\n\n}  // namespace\n\nstd::span<const PagePart> page_parts() { return kParts; }\n\n"
  "}  // namespace farthing::report\n")
file(RENAME ${OUT}.new ${OUT})
