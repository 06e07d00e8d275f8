# SPDX-License-Identifier: MIT
# Installs the port in PORT_DIR into PREFIX as vcpkg would: checks the manifest, and runs the portfile with functions that
# stand for vcpkg's. WORK is a folder to build in.
cmake_minimum_required(VERSION 3.24)

separate_arguments(COMPONENTS)
get_filename_component(PORT ${PORT_DIR} NAME)
file(READ ${PORT_DIR}/vcpkg.json manifest)
file(READ ${PORT_DIR}/usage usage)

# expect(WHAT EXPECTED FOUND): fails unless both are the same.
function(expect what expected found)
  if(NOT "${expected}" STREQUAL "${found}")
    message(FATAL_ERROR "${PORT_DIR}: ${what}: expected '${expected}', found '${found}'")
  endif()
endfunction()

# The manifest: names as vcpkg writes them, and a feature for each component that needs a library.
string(JSON name GET "${manifest}" name)
string(JSON VERSION GET "${manifest}" version)
string(JSON count LENGTH "${manifest}" features)
math(EXPR last "${count} - 1")
foreach(index RANGE ${last})
  string(JSON feature MEMBER "${manifest}" features ${index})
  list(APPEND features ${feature})
endforeach()
expect("name in vcpkg.json" ${PORT} "${name}")
set(needy ${COMPONENTS})
list(REMOVE_ITEM needy zeroth c threads openmp)
string(REPLACE _ - needy "${needy}")
list(SORT needy)
list(SORT features)
expect("features of vcpkg.json" "${needy}" "${features}")

# The portfile.
set(CURRENT_PORT_DIR ${PORT_DIR})
set(CURRENT_PACKAGES_DIR ${PREFIX})
set(build ${WORK}/vcpkg_build)

function(vcpkg_cmake_configure)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" SOURCE_PATH OPTIONS)
  # No port that it did not ask for is to be found.
  set(without)
  foreach(package IN ITEMS Eigen3 nlohmann_json OpenMP SentencePiece OneDNN)
    list(APPEND without -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
  endforeach()
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${build} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
            -DCMAKE_INSTALL_PREFIX=${PREFIX} ${without} ${arg_OPTIONS} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(vcpkg_cmake_install)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${build} --target install COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Moves the package's folder up by one, and corrects where its files look for the prefix.
function(vcpkg_cmake_config_fixup)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" CONFIG_PATH "")
  file(RENAME ${PREFIX}/${arg_CONFIG_PATH} ${PREFIX}/share/${PORT})
  file(REMOVE_RECURSE ${PREFIX}/share/cmake)
  file(GLOB files ${PREFIX}/share/${PORT}/*.cmake)
  set(parent "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\n")
  foreach(file IN LISTS files)
    file(READ ${file} text)
    string(REPLACE "${parent}${parent}${parent}" "${parent}${parent}" text "${text}")
    string(REPLACE "LIST_DIR}/../../../\"" "LIST_DIR}/../../\"" text "${text}")
    file(WRITE ${file} "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)

endfunction()

function(vcpkg_install_copyright)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" FILE_LIST)
  configure_file(${arg_FILE_LIST} ${PREFIX}/share/${PORT}/copyright COPYONLY)
endfunction()

include(${PORT_DIR}/portfile.cmake)

# What vcpkg looks for when a port is done: nothing but the headers and one folder, with what users and lawyers read.
file(
  GLOB_RECURSE files
  RELATIVE ${PREFIX}
  LIST_DIRECTORIES true
  ${PREFIX}/*)
set(needed share/pkgconfig/zeroth.pc share/${PORT}/copyright share/${PORT}/usage share/${PORT}/zerothConfig.cmake)
list(REMOVE_ITEM needed ${files})
expect("files that are missing" "" "${needed}")
list(FILTER files EXCLUDE REGEX "^(include|share)$|^include/zeroth|^share/(${PORT}|pkgconfig)")
expect("further files" "" "${files}")
string(REGEX MATCHALL "zeroth::[a-z_]+" targets "${usage}")
list(TRANSFORM targets REPLACE zeroth:: "")
list(REMOVE_ITEM targets ${COMPONENTS})
expect("targets of usage that are no components" "" "${targets}")
