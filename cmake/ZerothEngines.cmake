# SPDX-License-Identifier: MIT
# Other people's engines, for our own examples and tests of include/zeroth_adapters: ZEROTH_BUILDS_LLAMA. The adapters
# are headers and need no say here.
zeroth_choice(ZEROTH_LLAMA wanted "Build our own examples and tests inside llama.cpp")
set(ZEROTH_BUILDS_LLAMA OFF)
if(wanted)
  find_package(llama QUIET)
  if(llama_FOUND)
    set(ZEROTH_BUILDS_LLAMA ON)
  else()
    zeroth_choice_without(ZEROTH_LLAMA "llama.cpp (CMAKE_PREFIX_PATH: where it is installed)")
  endif()
endif()
