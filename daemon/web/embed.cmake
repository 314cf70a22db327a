# cmake -DSOURCES=page.html,app.js -DTARGET=assets.cpp -P embed.cmake
# Writes each file as an array of bytes: a string literal has an upper limit, and an escape that is missed.
set(text "#include \"daemon/web/assets.hpp\"\n\nnamespace dupwatch::web {\nnamespace {\n")
set(accessors "")
string(REPLACE "," ";" SOURCES "${SOURCES}")
foreach(source IN LISTS SOURCES)
  get_filename_component(name "${source}" NAME)
  string(REPLACE "." "_" name "${name}")
  file(READ "${source}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND text "constexpr char k_${name}[] = {${bytes}};\n")
  string(APPEND accessors "std::string_view ${name}() noexcept {\n  return {k_${name}, sizeof k_${name}};\n}\n")
endforeach()
file(WRITE "${TARGET}" "${text}}  // namespace\n\n${accessors}\n}  // namespace dupwatch::web\n")
