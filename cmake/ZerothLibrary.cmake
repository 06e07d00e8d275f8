# SPDX-License-Identifier: MIT
# The library's components. All of them are defined whether or not their dependencies are here: a project that links
# only zeroth::zeroth needs none, and one that links zeroth::eigen is told by CMake when Eigen3::Eigen is missing.

# GLOBAL, so that a project that reached us by add_subdirectory sees the targets too.
# Eigen's version files take a range from 3.4.1 on, and 5 only in one; that of 3.4.0 takes none.
find_package(Eigen3 3.4...5 QUIET GLOBAL)
if(NOT Eigen3_FOUND)
  find_package(Eigen3 3.4 QUIET GLOBAL)
endif()
find_package(nlohmann_json 3.11 QUIET GLOBAL)
find_package(OpenMP QUIET GLOBAL COMPONENTS CXX)
find_package(Threads QUIET GLOBAL)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})
find_package(OneDNN QUIET GLOBAL)
find_package(SentencePiece QUIET GLOBAL)

set(zeroth_components
    zeroth
    c
    eigen
    threads
    openmp
    model
    model_eigen
    onednn
    sentencepiece
    cuda
    model_cuda)

# zeroth_component(NAME DEPENDENCY...): the target zeroth::NAME.
function(zeroth_component name)
  set(target zeroth_${name})
  if(name STREQUAL zeroth)
    set(target zeroth)
  endif()
  add_library(${target} INTERFACE)
  add_library(zeroth::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(${target} INTERFACE ${ARGN})
endfunction()

zeroth_component(zeroth)
zeroth_component(c zeroth)
zeroth_component(eigen zeroth Eigen3::Eigen)
zeroth_component(threads zeroth Threads::Threads)
zeroth_component(openmp zeroth OpenMP::OpenMP_CXX)
zeroth_component(model zeroth nlohmann_json::nlohmann_json)
zeroth_component(model_eigen zeroth_model zeroth_eigen)
# Debian's oneDNN runs on OpenMP; its header is told to take one thread.
zeroth_component(onednn zeroth_model_eigen OneDNN::OneDNN OpenMP::OpenMP_CXX)
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

# zeroth_headers(COMPONENT [FRAGMENTS] HEADER...): headers of this folder. Fragments are pieces that a header includes
# several times: installed like headers, but not compiled by themselves.
function(zeroth_headers component)
  set(target zeroth_${component})
  set(set HEADERS)
  set(type)
  if(component STREQUAL zeroth)
    set(target zeroth)
  endif()
  if(ARGV1 STREQUAL FRAGMENTS)
    list(REMOVE_AT ARGN 0)
    set(set fragments)
    set(type TYPE HEADERS)
  endif()
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  target_sources(
    ${target}
    INTERFACE FILE_SET
              ${set}
              ${type}
              BASE_DIRS
              ${PROJECT_SOURCE_DIR}/include
              FILES
              ${ARGN})
  set_property(GLOBAL APPEND PROPERTY ZEROTH_LISTED_HEADERS ${ARGN})
endfunction()

add_subdirectory(${PROJECT_SOURCE_DIR}/include/zeroth ${PROJECT_BINARY_DIR}/include/zeroth)
add_subdirectory(${PROJECT_SOURCE_DIR}/include/zeroth_c ${PROJECT_BINARY_DIR}/include/zeroth_c)
add_subdirectory(${PROJECT_SOURCE_DIR}/include/zeroth_adapters ${PROJECT_BINARY_DIR}/include/zeroth_adapters)
add_subdirectory(${PROJECT_SOURCE_DIR}/include/zeroth_model ${PROJECT_BINARY_DIR}/include/zeroth_model)
set_target_properties(zeroth zeroth_model PROPERTIES INTERFACE_HEADER_SETS_TO_VERIFY HEADERS)

# A header that no folder lists would be missing where the library is installed.
if(PROJECT_IS_TOP_LEVEL)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp ${PROJECT_SOURCE_DIR}/include/*.inc)
  get_property(listed GLOBAL PROPERTY ZEROTH_LISTED_HEADERS)
  list(REMOVE_ITEM headers ${listed})
  foreach(header IN LISTS headers)
    message(SEND_ERROR "${header}: expected in a zeroth_headers() of its folder's CMakeLists.txt, found in none")
  endforeach()
endif()
