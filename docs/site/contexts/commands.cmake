# SPDX-License-Identifier: MIT
# What a cmake block of the documentation calls, as far as it concerns zeroth: `components` are those that there are.
function(find_package name)
  cmake_parse_arguments(PARSE_ARGV 1 wanted "REQUIRED" "" "COMPONENTS")
  if(NOT name STREQUAL zeroth)
    message(FATAL_ERROR "expected find_package(zeroth), found ${name}")
  endif()
  foreach(component IN LISTS wanted_COMPONENTS)
    if(NOT component IN_LIST components)
      message(FATAL_ERROR "zeroth has no component ${component}; expected one of ${components}")
    endif()
  endforeach()
endfunction()

function(target_link_libraries)
  foreach(target IN LISTS ARGN)
    if(target MATCHES "^zeroth::(.*)" AND NOT CMAKE_MATCH_1 IN_LIST components)
      message(FATAL_ERROR "there is no target ${target}; expected zeroth:: and one of ${components}")
    endif()
  endforeach()
endfunction()

function(add_subdirectory)

endfunction()

function(add_executable)

endfunction()

function(FetchContent_Declare name)
  if(NOT name STREQUAL zeroth)
    message(FATAL_ERROR "expected zeroth, found ${name}")
  endif()
endfunction()

function(FetchContent_MakeAvailable)

endfunction()

function(CPMAddPackage)
  if(NOT "${ARGV}" MATCHES "^NAME;zeroth;")
    message(FATAL_ERROR "expected NAME zeroth, found ${ARGV}")
  endif()
endfunction()

function(include)

endfunction()
