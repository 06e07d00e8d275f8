# SPDX-License-Identifier: MIT
# check.cpp, compiled and linked with options, must say EXPECTED.
cmake_minimum_required(VERSION 3.24)

separate_arguments(OPTIONS)
separate_arguments(LINK)
file(MAKE_DIRECTORY ${WORK})
set(object ${WORK}/${CASE}.o)
set(program ${WORK}/${CASE})
function(run)
  execute_process(
    COMMAND ${ARGV}
    ERROR_VARIABLE output
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}:\n${output}")
  endif()
endfunction()
run(${COMPILER}
    -std=c++20
    -O2
    -w
    ${OPTIONS}
    -I
    ${INCLUDE}
    -c
    ${CMAKE_CURRENT_LIST_DIR}/check.cpp
    -o
    ${object})
run(${COMPILER} ${object} ${LINK} -o ${program})
execute_process(COMMAND ${program} OUTPUT_VARIABLE found)
if(NOT found MATCHES "${EXPECTED}")
  message(FATAL_ERROR "with ${OPTIONS} ${LINK}: expected `${EXPECTED}`, found:\n${found}")
endif()
