# SPDX-License-Identifier: MIT
# What CPM.cmake does with the arguments that we document, where it is not cached, with CMake before 3.30.3.
include(FetchContent)

function(CPMAddPackage)
  cmake_parse_arguments(PARSE_ARGV 0 package "" "NAME;VERSION;GIT_REPOSITORY;EXCLUDE_FROM_ALL;SYSTEM" "")
  if(package_UNPARSED_ARGUMENTS)
    message(
      FATAL_ERROR "CPMAddPackage: expected arguments that this stand-in knows, found ${package_UNPARSED_ARGUMENTS}")
  endif()
  FetchContent_Declare(
    ${package_NAME}
    GIT_REPOSITORY ${package_GIT_REPOSITORY}
    GIT_TAG v${package_VERSION})
  FetchContent_Populate(${package_NAME})
  set(options)
  foreach(option EXCLUDE_FROM_ALL SYSTEM)
    if(package_${option})
      list(APPEND options ${option})
    endif()
  endforeach()
  add_subdirectory(${${package_NAME}_SOURCE_DIR} ${${package_NAME}_BINARY_DIR} ${options})
endfunction()
