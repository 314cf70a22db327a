# cmake -DSOURCES=a.yml,b.json -DTARGET=embedded.cpp -P embed.cmake
# Writes the files as arrays of bytes, with their names.
set(text "#include \"daemon/monitoring/embedded.hpp\"\n\n#include <array>\n\nnamespace dupwatch::monitoring {\nnamespace {\n")
set(rows "")
string(REPLACE "," ";" SOURCES "${SOURCES}")
set(number 0)
foreach(source IN LISTS SOURCES)
  get_filename_component(name "${source}" NAME)
  file(READ "${source}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "constexpr char k_${number}[] = {${bytes}};\n")
  string(APPEND rows "    EmbeddedFile{\"${name}\", {k_${number}, sizeof k_${number}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE "${TARGET}" "${text}constexpr auto kFiles = std::to_array<EmbeddedFile>({\n${rows}});\n}  // namespace\n\n"
  "std::span<const EmbeddedFile> embedded_files() noexcept {\n  return kFiles;\n}\n\n}  // namespace dupwatch::monitoring\n")
