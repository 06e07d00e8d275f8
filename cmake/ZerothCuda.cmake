# SPDX-License-Identifier: MIT
# Whether our own CUDA tests are built: ZEROTH_BUILDS_CUDA. The component zeroth::cuda is headers and needs no say here.
# A build without a device compiles and links all of it, and its tests are skipped.
zeroth_choice(ZEROTH_CUDA wanted "Build our own CUDA tests, and the program with --device cuda")
set(ZEROTH_BUILDS_CUDA OFF)
if(NOT wanted)
  return()
endif()

# Machine code for each, and PTX of the last for what comes after.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100)
endif()
include(CheckLanguage)
# Where NVIDIA's packages put it, if it is not in PATH.
find_program(ZEROTH_NVCC nvcc PATHS /usr/local/cuda/bin)
mark_as_advanced(ZEROTH_NVCC)
if(ZEROTH_NVCC
   AND NOT CMAKE_CUDA_COMPILER
   AND NOT DEFINED ENV{CUDACXX})
  set(CMAKE_CUDA_COMPILER ${ZEROTH_NVCC})
endif()
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  zeroth_choice_without(ZEROTH_CUDA "nvcc, in PATH or in CMAKE_CUDA_COMPILER")
  return()
endif()
if(ZEROTH_CCACHE AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${ZEROTH_CCACHE})
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(ZEROTH_BUILDS_CUDA ON)

# zeroth_cuda_options(TARGET): how we compile our own .cu files. The host's part of them waits for the device, and -O1
# compiles in a fraction of -O3's time. What C++ needs is linked in, for machines with another library (scripts/gpu).
function(zeroth_cuda_options target)
  target_compile_options(
    ${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-O1,-Wall,-Wextra>
                      $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${ZEROTH_WARNINGS_AS_ERRORS}>>:-Werror=all-warnings>)
  target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc)
endfunction()
