# SPDX-License-Identifier: MIT
# Whether our own program, tests and benchmarks are built with oneDNN's products: ZEROTH_BUILDS_ONEDNN. The component
# zeroth::onednn is headers and needs no say here.
set(ZEROTH_ONEDNN
    OFF
    CACHE STRING "Build our own program with oneDNN's products beside Eigen's: AUTO (where it is found), ON or OFF")
set_property(CACHE ZEROTH_ONEDNN PROPERTY STRINGS AUTO ON OFF)

# zeroth_link_onednn(TARGET SOURCE...): links oneDNN where it is built, and says so to the sources that ask for it, of
# this folder. Those alone are compiled again when the option changes.
function(zeroth_link_onednn target)
  if(NOT ZEROTH_BUILDS_ONEDNN)
    return()
  endif()
  target_link_libraries(${target} PUBLIC $<LINK_ONLY:zeroth::onednn>)
  target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:OneDNN::OneDNN,INTERFACE_INCLUDE_DIRECTORIES>)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS ZEROTH_ONEDNN=1)
endfunction()

set(ZEROTH_BUILDS_ONEDNN OFF)
if(NOT ZEROTH_ONEDNN STREQUAL "AUTO" AND NOT ZEROTH_ONEDNN)
  return()
endif()
if(TARGET OneDNN::OneDNN)
  set(ZEROTH_BUILDS_ONEDNN ON)
elseif(ZEROTH_ONEDNN STREQUAL "AUTO")
  message(STATUS "oneDNN was not found and is left out")
else()
  message(FATAL_ERROR "ZEROTH_ONEDNN=${ZEROTH_ONEDNN} needs oneDNN (libdnnl-dev)")
endif()
