# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.24)

set(compile ${COMPILER} -std=c++20 -fsyntax-only -I ${INCLUDE} ${CASE})

file(
  STRINGS ${CASE} expected
  REGEX "^// expect: .+"
  LIMIT_COUNT 1)
if(NOT expected)
  message(FATAL_ERROR "${CASE} has no line `// expect: ...`")
endif()
string(REGEX REPLACE "^// expect: " "" expected "${expected}")

execute_process(
  COMMAND ${compile} -DZEROTH_FIXED
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${CASE} must compile with -DZEROTH_FIXED, but:\n${output}")
endif()

file(
  STRINGS ${CASE} flags
  REGEX "^// flags: .+"
  LIMIT_COUNT 1)
string(REGEX REPLACE "^// flags: " "" flags "${flags}")
separate_arguments(flags)

execute_process(
  COMMAND ${compile} ${flags}
  ERROR_VARIABLE output
  RESULT_VARIABLE result)
if(result EQUAL 0)
  message(FATAL_ERROR "${CASE} must not compile, but does")
endif()
# A sentence is the first error and the only one; other texts may be in a note.
if(expected MATCHES "^zeroth: ")
  string(REGEX MATCHALL "[^\n]*error: [^\n]*" errors "${output}")
  list(LENGTH errors count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "${CASE} must be refused with one error, but was with ${count}:\n${output}")
  endif()
  set(said "${errors}")
else()
  set(said "${output}")
endif()
string(FIND "${said}" "${expected}" position)
if(position EQUAL -1)
  message(FATAL_ERROR "${CASE} must be refused with `${expected}`, but was with:\n${output}")
endif()
