# SPDX-License-Identifier: MIT
# The library's components. All of them are defined whether or not their dependencies are here: a project that links
# only zeroth::zeroth needs none, and one that links zeroth::eigen is told by CMake when Eigen3::Eigen is missing.

# GLOBAL, so that a project that reached us by add_subdirectory sees the targets too.
find_package(Eigen3 3.4 QUIET GLOBAL)
find_package(nlohmann_json 3.11 QUIET GLOBAL)
find_package(OpenMP QUIET GLOBAL COMPONENTS CXX)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(OneDNN QUIET GLOBAL)
find_package(SentencePiece QUIET GLOBAL)

set(zeroth_components
    zeroth
    eigen
    openmp
    model
    onednn
    sentencepiece
    cuda
    model_cuda)

# zeroth_headers(VARIABLE PATTERN...): the headers under include/zeroth that match.
function(zeroth_headers variable)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/include/zeroth/ OUTPUT_VARIABLE patterns)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${patterns})
  set(${variable}
      ${headers}
      PARENT_SCOPE)
endfunction()

zeroth_headers(zeroth_eigen_headers backend/eigen.hpp)
zeroth_headers(zeroth_openmp_headers executor/openmp.hpp)
# What needs CUDA's own headers; the rest of backend/cuda is code for the host too.
zeroth_headers(zeroth_cuda_headers backend/cuda.hpp backend/cuda/runtime.hpp)
zeroth_headers(zeroth_model_headers model/*.hpp)
# Likewise of model/cuda.
zeroth_headers(zeroth_model_cuda_headers model/ops_cuda.hpp model/cuda/cublas.hpp)
zeroth_headers(zeroth_sentencepiece_headers model/tokenizer/sentencepiece.hpp)
zeroth_headers(zeroth_onednn_headers model/ops_onednn.hpp model/onednn/*.hpp)
list(REMOVE_ITEM zeroth_model_headers ${zeroth_sentencepiece_headers} ${zeroth_model_cuda_headers}
     ${zeroth_onednn_headers})
zeroth_headers(zeroth_zeroth_headers *.hpp)
zeroth_headers(zeroth_fragments *.inc)
list(
  REMOVE_ITEM
  zeroth_zeroth_headers
  ${zeroth_eigen_headers}
  ${zeroth_openmp_headers}
  ${zeroth_model_headers}
  ${zeroth_onednn_headers}
  ${zeroth_sentencepiece_headers}
  ${zeroth_cuda_headers}
  ${zeroth_model_cuda_headers})

# zeroth_component(NAME DEPENDENCY...): the target zeroth::NAME with the headers of that component.
function(zeroth_component name)
  set(target zeroth_${name})
  if(name STREQUAL zeroth)
    set(target zeroth)
  endif()
  add_library(${target} INTERFACE)
  add_library(zeroth::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES
                                     ${zeroth_${name}_headers})
  target_link_libraries(${target} INTERFACE ${ARGN})
endfunction()

zeroth_component(zeroth)
zeroth_component(eigen zeroth Eigen3::Eigen)
zeroth_component(openmp zeroth OpenMP::OpenMP_CXX)
zeroth_component(model zeroth_eigen nlohmann_json::nlohmann_json)
# Debian's oneDNN runs on OpenMP; its header is told to take one thread.
zeroth_component(onednn zeroth_model OneDNN::OneDNN OpenMP::OpenMP_CXX)
zeroth_component(sentencepiece zeroth_model SentencePiece::SentencePiece)
# The backend's header is compiled by nvcc alone. CMake before 3.25.2 does not know how nvcc 13 is asked for C++20.
zeroth_component(cuda zeroth CUDA::cudart)
target_compile_options(zeroth_cuda INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
zeroth_component(model_cuda zeroth_model zeroth_cuda CUDA::cublas)
set_target_properties(zeroth_cuda zeroth_model_cuda PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
# What a program asks that goes without the component where the library is missing.
target_compile_definitions(zeroth_sentencepiece INTERFACE ZEROTH_SENTENCEPIECE=1)
target_compile_definitions(zeroth_onednn INTERFACE ZEROTH_ONEDNN=1)
if(NOT TARGET SentencePiece::SentencePiece)
  set_target_properties(zeroth_sentencepiece PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
endif()
if(NOT TARGET OneDNN::OneDNN)
  set_target_properties(zeroth_onednn PROPERTIES VERIFY_INTERFACE_HEADER_SETS OFF)
endif()

# Pieces that a header includes several times: installed like headers, but not to be compiled alone.
target_sources(
  zeroth
  INTERFACE FILE_SET
            fragments
            TYPE
            HEADERS
            BASE_DIRS
            ${PROJECT_SOURCE_DIR}/include
            FILES
            ${zeroth_fragments})
set_target_properties(zeroth PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)
