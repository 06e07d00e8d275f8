# SPDX-License-Identifier: MIT
# Every header lies in the inline namespace ZEROTH_ISA, so that translation units that are compiled for different
# processors share no function (numeric/isa.hpp). One that includes nothing of ours does not know its name.
cmake_minimum_required(VERSION 3.24)

file(GLOB_RECURSE headers ${INCLUDE}/*.hpp)
foreach(header IN LISTS headers)
  file(STRINGS ${header} opened REGEX "^ *(inline )?namespace zeroth[ :]")
  foreach(line IN LISTS opened)
    if(NOT line MATCHES "^namespace zeroth::ZEROTH_ISA(::[a-z_:]+)? {$")
      message(SEND_ERROR "${header}: expected `namespace zeroth::ZEROTH_ISA... {`, found `${line}`: such code may be "
                         "linked in where the processor does not run it")
    endif()
  endforeach()
  file(STRINGS ${header} included REGEX "^#include <zeroth(_model)?/")
  if(opened AND NOT included)
    message(SEND_ERROR "${header}: expected an #include <zeroth/config.hpp>, which defines ZEROTH_ISA, found none")
  endif()
endforeach()
list(LENGTH headers count)
if(count LESS 100)
  message(SEND_ERROR "expected the library's headers in ${INCLUDE}, found ${count}")
endif()
