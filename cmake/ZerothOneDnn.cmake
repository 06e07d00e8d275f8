# SPDX-License-Identifier: MIT
# Whether our own program, tests and benchmarks are built with oneDNN's products: ZEROTH_BUILDS_ONEDNN. The component
# zeroth::onednn is headers and needs no say here.
# zeroth_link_onednn(TARGET SOURCE...): links oneDNN where it is built, and says so to the sources that ask for it, of
# this folder. Those alone are compiled again when the option changes.
function(zeroth_link_onednn target)
  if(NOT ZEROTH_BUILDS_ONEDNN)
    return()
  endif()
  target_link_libraries(${target} PUBLIC $<LINK_ONLY:zeroth::onednn>)
  target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:OneDNN::OneDNN,INTERFACE_INCLUDE_DIRECTORIES>)
  # Debian's oneDNN is told by OpenMP to take one thread. None of these sources sees OpenMpExecutor, which would be
  # another class in them.
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_DEFINITIONS ZEROTH_ONEDNN=1 COMPILE_OPTIONS
                                                                                     "${OpenMP_CXX_FLAGS}")
endfunction()

zeroth_choice(ZEROTH_ONEDNN wanted "Build our own program with oneDNN's products beside Eigen's")
set(ZEROTH_BUILDS_ONEDNN OFF)
if(NOT wanted)
  return()
endif()
if(TARGET OneDNN::OneDNN)
  set(ZEROTH_BUILDS_ONEDNN ON)
else()
  zeroth_choice_without(ZEROTH_ONEDNN "oneDNN (libdnnl-dev)")
endif()
