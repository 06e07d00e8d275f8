# SPDX-License-Identifier: MIT
# Builds and runs project/ in the folder WORK, the library reached by WAY.
cmake_minimum_required(VERSION 3.24)

set(CMAKE_EXECUTE_PROCESS_COMMAND_ECHO STDOUT)
set(project ${CMAKE_CURRENT_LIST_DIR}/project)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# What a program is compiled with that uses no CMake.
set(flags)
if(WAY STREQUAL copied_headers)
  file(COPY ${SOURCE}/include DESTINATION ${WORK})
  set(flags -I ${WORK}/include)
elseif(WAY STREQUAL single_header)
  run(${PYTHON} ${SOURCE}/scripts/amalgamate ${WORK}/include/zeroth/zeroth.hpp)
  set(flags -I ${WORK}/include)
elseif(WAY STREQUAL pkg_config)
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  set(ENV{PKG_CONFIG_PATH} ${WORK}/prefix/share/pkgconfig)
  execute_process(COMMAND ${PKG_CONFIG} --cflags zeroth OUTPUT_VARIABLE flags COMMAND_ERROR_IS_FATAL ANY)
  separate_arguments(flags UNIX_COMMAND "${flags}")
endif()
if(flags)
  run(${COMPILER} -std=c++20 ${flags} ${project}/main.cpp -o ${WORK}/consumer)
  run(${WORK}/consumer)
  return()
endif()

# The core must be usable where no dependency can be found.
set(options
    -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
    -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON -DCMAKE_DISABLE_FIND_PACKAGE_SentencePiece=ON
    -DCMAKE_DISABLE_FIND_PACKAGE_OneDNN=ON)
if(WAY STREQUAL add_subdirectory)
  list(APPEND options -DZEROTH_SOURCE=${SOURCE})
elseif(WAY STREQUAL fetch_content)
  list(APPEND options -DZEROTH_FETCHED=${SOURCE})
else()
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  if(WAY STREQUAL find_package_components)
    set(options "-DZEROTH_COMPONENTS=${COMPONENTS}")
    if(CUDA_COMPILER)
      list(APPEND options -DCMAKE_CUDA_COMPILER=${CUDA_COMPILER} -DCMAKE_CUDA_ARCHITECTURES=90)
    endif()
  endif()
  list(APPEND options -DCMAKE_PREFIX_PATH=${WORK}/prefix)
endif()
run(${CMAKE_COMMAND}
    -S
    ${project}
    -B
    ${WORK}/build
    -G
    ${GENERATOR}
    -DCMAKE_CXX_COMPILER=${COMPILER}
    ${options})
run(${CMAKE_COMMAND} --build ${WORK}/build)
run(${WORK}/build/consumer)
