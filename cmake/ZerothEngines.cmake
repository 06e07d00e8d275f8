# SPDX-License-Identifier: MIT
# Other people's engines, for our own examples and tests of include/zeroth_adapters: ZEROTH_BUILDS_LLAMA and
# ZEROTH_BUILDS_LIBTORCH. The adapters are headers and need no say here.
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

zeroth_choice(ZEROTH_LIBTORCH wanted "Build our own examples and tests inside LibTorch")
set(ZEROTH_BUILDS_LIBTORCH OFF)
if(wanted)
  find_package(Torch QUIET)
  if(Torch_FOUND)
    set(ZEROTH_BUILDS_LIBTORCH ON)
  else()
    zeroth_choice_without(ZEROTH_LIBTORCH "LibTorch (libtorch-dev, or CMAKE_PREFIX_PATH: where it is)")
  endif()
endif()
