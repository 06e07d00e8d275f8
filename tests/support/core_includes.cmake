# SPDX-License-Identifier: MIT
# Fails if <zeroth/zeroth.hpp> reaches one of the heavy headers of the standard library, directly or not.
cmake_minimum_required(VERSION 3.24)

set(refused
    condition_variable
    filesystem
    fstream
    future
    iomanip
    iostream
    istream
    mutex
    regex
    sstream
    thread)

execute_process(
  COMMAND ${COMPILER} -std=c++20 -I ${INCLUDE} -M -x c++ ${INCLUDE}/zeroth/zeroth.hpp
  OUTPUT_VARIABLE dependencies
  ERROR_VARIABLE errors
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "zeroth/zeroth.hpp does not preprocess with the standard library alone:\n${errors}")
endif()

string(REGEX MATCHALL "[^ \n\\]+" headers "${dependencies}")
list(LENGTH headers count)
foreach(header IN LISTS headers)
  cmake_path(GET header FILENAME name)
  if(name IN_LIST refused)
    list(APPEND found ${header})
  endif()
  # <ostream> itself may come along: the <memory> of libstdc++ 12 includes it. None of ours may.
  cmake_path(IS_PREFIX INCLUDE ${header} ours)
  if(ours)
    file(STRINGS ${header} streams REGEX "^#include <ostream>")
    if(streams)
      list(APPEND found "<ostream> in ${header}")
    endif()
  endif()
endforeach()
if(found)
  message(FATAL_ERROR "zeroth/zeroth.hpp includes ${found}; see who with: ${COMPILER} -std=c++20 -I include -H -E")
endif()
message(STATUS "zeroth/zeroth.hpp includes ${count} headers, none of them heavy")
