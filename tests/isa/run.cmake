# SPDX-License-Identifier: MIT
# Files that are compiled for different processors share no function of the library, so that the linker cannot take one
# that the processor at hand does not run; and they link, whichever comes first. The same holds for files with different
# versions of the library.
cmake_minimum_required(VERSION 3.24)

file(MAKE_DIRECTORY ${WORK})
function(run)
  execute_process(
    COMMAND ${ARGV}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}:\n${output}")
  endif()
  set(output
      "${output}"
      PARENT_SCOPE)
endfunction()

# shared_functions(OBJECT): what the object has of the library that another object may have too, by name.
function(shared_functions object)
  run(${NM} ${object})
  string(REGEX MATCHALL "[0-9a-f]+ [WVu] _Z[^\n]*6zeroth[^\n]*" functions "${output}")
  list(TRANSFORM functions REPLACE "^[0-9a-f]+ [WVu] " "")
  list(LENGTH functions count)
  if(count LESS 50)
    message(FATAL_ERROR "${object}: expected many functions of the library, found ${count}")
  endif()
  set(functions
      ${functions}
      PARENT_SCOPE)
endfunction()

# A version that there will never be.
file(COPY ${INCLUDE}/ DESTINATION ${WORK}/other)
file(READ ${WORK}/other/zeroth/version.hpp version)
string(REGEX REPLACE "(VERSION_PATCH) [0-9]+" "\\1 9999" version "${version}")
file(WRITE ${WORK}/other/zeroth/version.hpp "${version}")

set(compile ${COMPILER} -std=c++20 -O1 -w -c ${CMAKE_CURRENT_LIST_DIR}/steps.cpp)
run(${compile}
    -I
    ${INCLUDE}
    -march=x86-64
    -DZEROTH_STEPS=generic_steps
    -DZEROTH_STEPS_MAIN
    -o
    ${WORK}/generic.o)
run(${compile}
    -I
    ${INCLUDE}
    -march=x86-64-v4
    -DZEROTH_STEPS=native_steps
    -o
    ${WORK}/native.o)
run(${compile}
    -I
    ${WORK}/other
    -march=x86-64
    -DZEROTH_STEPS=other_steps
    -o
    ${WORK}/other.o)

shared_functions(${WORK}/generic.o)
set(generic ${functions})
foreach(object IN ITEMS native other)
  shared_functions(${WORK}/${object}.o)
  foreach(function IN LISTS functions)
    if(function IN_LIST generic)
      message(SEND_ERROR "expected no function of both files, found ${function}")
    endif()
  endforeach()
endforeach()

run(${COMPILER} ${WORK}/generic.o ${WORK}/native.o -o ${WORK}/generic_first)
run(${COMPILER} ${WORK}/native.o ${WORK}/generic.o -o ${WORK}/native_first)
run(${WORK}/generic_first)
message(STATUS "the generic file's steps leave ${output}")
