# cmake -DOUT=... -DFILES=a,b -P embed_texts.cmake: text files as constants of a C++ file, so that the
# program needs no path to find them. A file must stay below 64 kB (the longest portable literal).
string(REPLACE "," ";" FILES "${FILES}")
file(WRITE ${OUT}.new "#include \"calibrate/builtin_texts.h\"\n\nnamespace farthing::calibrate {\nnamespace {\n\n"
  "const BuiltinText kTexts[] = {\n")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} text)
  file(APPEND ${OUT}.new "{\"${name}\", R\"embedded(")
  file(APPEND ${OUT}.new "${text}")
  file(APPEND ${OUT}.new ")embedded\"},\n")
endforeach()
file(APPEND ${OUT}.new "};\n\n}  // namespace\n\nstd::span<const BuiltinText> builtin_texts() { return kTexts; }\n\n"
  "}  // namespace farthing::calibrate\n")
file(RENAME ${OUT}.new ${OUT})
