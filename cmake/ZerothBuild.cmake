# SPDX-License-Identifier: MIT
# How we compile our own tests, examples and benchmarks. Nothing here reaches a project that uses the library.
include(CheckCXXCompilerFlag)

if(PROJECT_IS_TOP_LEVEL)
  find_program(ZEROTH_CCACHE ccache)
  if(ZEROTH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Paths below the checkout count as relative, so that one cache serves every checkout.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
                                    ${ZEROTH_CCACHE})
  endif()
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release)
  endif()
endif()

set(CMAKE_CXX_EXTENSIONS OFF)

# Ours alone: options of a folder do not pass on to the projects that link the library.
# g++ 12 takes the undefined vectors of its own AVX-512 headers for uninitialised ones (GCC bug 105593), and the copies
# within its own std::string for overlapping ones (GCC bug 105651).
set(warnings
    -Wall
    -Wextra
    -Wpedantic
    -Wconversion
    -Wshadow
    $<$<BOOL:${ZEROTH_WARNINGS_AS_ERRORS}>:-Werror>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${warnings}>")

# Everything in a build with fuzz targets, so that they see into the libraries that they link.
if(ZEROTH_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "ZEROTH_BUILD_FUZZERS needs clang++, found ${CMAKE_CXX_COMPILER_ID}: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()

# zeroth_native(TARGET): this machine's instructions, unless ZEROTH_NATIVE is off. PUBLIC, because inline functions must
# be compiled alike in everything that is linked together.
function(zeroth_native target)
  if(NOT ZEROTH_NATIVE)
    return()
  endif()
  check_cxx_compiler_flag(-march=native ZEROTH_HAS_MARCH_NATIVE)
  if(ZEROTH_HAS_MARCH_NATIVE)
    target_compile_options(${target} PUBLIC $<$<COMPILE_LANGUAGE:CXX>:-march=native>
                                            $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-march=native>)
  endif()
endfunction()

# zeroth_choice(NAME WANTED HELP): the cache variable NAME is AUTO, ON or OFF, and OFF unless told; the variable WANTED is
# whether it is not OFF.
macro(zeroth_choice name wanted help)
  set(${name}
      OFF
      CACHE STRING "${help}: AUTO (where it is found), ON or OFF")
  set_property(CACHE ${name} PROPERTY STRINGS AUTO ON OFF)
  set(${wanted} OFF)
  if(${name} STREQUAL "AUTO" OR ${name})
    set(${wanted} ON)
  endif()
endmacro()

# zeroth_choice_without(NAME NEEDED): what is done where that is not found: it is left out with AUTO, and an error with ON.
function(zeroth_choice_without name needed)
  if(${name} STREQUAL "AUTO")
    message(STATUS "${name} is left out: it needs ${needed}")
  else()
    message(FATAL_ERROR "${name}=${${name}} needs ${needed}")
  endif()
endfunction()
