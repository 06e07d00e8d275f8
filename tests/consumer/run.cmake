# SPDX-License-Identifier: MIT
# Builds and runs a copy of project/ in the folder WORK; the library is reached by WAY. Its headers count as the
# project's own wherever they are not a package, and must then be free of its warnings.
cmake_minimum_required(VERSION 3.24)

set(CMAKE_EXECUTE_PROCESS_COMMAND_ECHO STDOUT)
set(project ${WORK}/project)
set(prefix ${WORK}/prefix)
file(REMOVE_RECURSE ${WORK})
file(COPY ${CMAKE_CURRENT_LIST_DIR}/project DESTINATION ${WORK})

# Paths count as relative, so that a compile cache knows what is compiled at another commit.
set(ENV{CCACHE_BASEDIR} ${SOURCE})
set(ENV{CCACHE_NOHASHDIR} 1)
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} ${LAUNCHER})

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY ${WORK} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# headers_of(VARIABLE FOLDER): the names of the files in FOLDER/include that users need.
function(headers_of variable folder)
  file(
    GLOB_RECURSE names
    RELATIVE ${folder}/include
    ${folder}/include/*)
  list(FILTER names EXCLUDE REGEX "CMakeLists.txt$")
  set(${variable}
      ${names}
      PARENT_SCOPE)
endfunction()

# expect_all_headers(): fails if a file of include/ is not in the package.
function(expect_all_headers)
  headers_of(missing ${SOURCE})
  headers_of(found ${prefix})
  list(REMOVE_ITEM missing ${found})
  if(missing)
    message(FATAL_ERROR "expected all of include/ in the package, found none of ${missing}")
  endif()
endfunction()

# install_package(BUILD): into a folder that is then renamed to ${prefix}: a package may lie anywhere.
function(install_package build)
  run(${CMAKE_COMMAND} --install ${build} --prefix ${WORK}/installed)
  file(RENAME ${WORK}/installed ${prefix})
  expect_all_headers()
  file(GLOB_RECURSE files ${prefix}/share/*.cmake ${prefix}/share/*.pc)
  foreach(file IN LISTS files)
    file(READ ${file} text)
    foreach(path IN ITEMS ${SOURCE} ${BUILD} ${WORK}/installed)
      string(FIND "${text}" "${path}" found)
      if(NOT found EQUAL -1)
        message(FATAL_ERROR "${file}: expected no path of the machine that it was made on, found ${path}")
      endif()
    endforeach()
  endforeach()
  # An older interface is not promised.
  set(PACKAGE_FIND_VERSION 0.0)
  set(PACKAGE_FIND_VERSION_MAJOR 0)
  set(PACKAGE_FIND_VERSION_MINOR 0)
  include(${prefix}/share/cmake/zeroth/zerothConfigVersion.cmake)
  if(PACKAGE_VERSION_COMPATIBLE)
    message(FATAL_ERROR "expected a package that does not pass for version 0.0, found one that does")
  endif()
endfunction()

# repository(): what a tag of the library holds and a project that uses it needs, in ${WORK}/repository.
function(repository)
  foreach(part IN ITEMS CMakeLists.txt LICENSE cmake include)
    file(COPY ${SOURCE}/${part} DESTINATION ${WORK}/repository)
  endforeach()
  set(git ${GIT} -C ${WORK}/repository)
  run(${git} init --quiet)
  run(${git} add --all)
  run(${git}
      -c
      user.name=consumer
      -c
      user.email=consumer@localhost
      commit
      --quiet
      --no-verify
      --no-gpg-sign
      -m
      Release)
  run(${git} -c tag.gpgSign=false tag v${VERSION})
endfunction()

# Without CMake.
set(flags)
set(strict
    -Wall
    -Wextra
    -Wpedantic
    -Wconversion
    -Wsign-conversion
    -Wold-style-cast
    -Wshadow
    -Werror)
if(WAY STREQUAL copied_headers)
  file(COPY ${SOURCE}/include DESTINATION ${WORK})
  set(flags ${strict} -I include)
elseif(WAY STREQUAL single_header)
  run(${PYTHON} ${SOURCE}/scripts/amalgamate include/zeroth/zeroth.hpp)
  set(flags ${strict} -I include)
elseif(WAY STREQUAL pkg_config)
  install_package(${BUILD})
  set(ENV{PKG_CONFIG_PATH} ${prefix}/share/pkgconfig)
  foreach(question IN ITEMS cflags modversion variable=c_source)
    execute_process(
      COMMAND ${PKG_CONFIG} --${question} zeroth
      OUTPUT_VARIABLE answer
      OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND answers "${answer}")
  endforeach()
  list(POP_FRONT answers cflags modversion c_source)
  if(NOT EXISTS "${c_source}")
    message(FATAL_ERROR "pkg-config: expected the source of the C interface as c_source, found '${c_source}'")
  endif()
  separate_arguments(flags UNIX_COMMAND "${cflags} -DPACKAGE_VERSION='\"${modversion}\"'")
endif()
if(flags)
  run(${LAUNCHER}
      ${COMPILER}
      -std=c++20
      ${flags}
      -c
      project/main.cpp
      -o
      consumer.o)
  run(${COMPILER} consumer.o -o consumer)
  run(${WORK}/consumer)
  return()
endif()

# With CMake. The core must be usable where no dependency can be found.
set(options)
foreach(package IN ITEMS Eigen3 nlohmann_json OpenMP SentencePiece OneDNN)
  list(APPEND options -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
set(kind ${WAY})
if(WAY STREQUAL add_subdirectory)
  file(MAKE_DIRECTORY ${project}/third_party)
  file(CREATE_LINK ${SOURCE} ${project}/third_party/zeroth SYMBOLIC)
  list(JOIN strict " " strict)
  list(APPEND options -DCMAKE_CXX_FLAGS=${strict} -DZEROTH_INSTALL=ON)
elseif(WAY STREQUAL fetch_content)
  repository()
  list(APPEND options -DZEROTH_REPOSITORY=file://${WORK}/repository)
elseif(WAY STREQUAL cpm)
  repository()
  if(NOT CPM)
    set(CPM ${CMAKE_CURRENT_LIST_DIR}/stand_ins/CPM.cmake)
  endif()
  configure_file(${CPM} ${project}/cmake/CPM.cmake COPYONLY)
  list(APPEND options -DZEROTH_REPOSITORY=file://${WORK}/repository)
elseif(WAY STREQUAL vcpkg)
  set(kind find_package)
  run(${CMAKE_COMMAND}
      -DPORT_DIR=${SOURCE}/cmake/vcpkg/zeroth
      -DPREFIX=${prefix}
      -DWORK=${WORK}
      -DCOMPONENTS=${ALL_COMPONENTS}
      -DGENERATOR=${GENERATOR}
      -DCOMPILER=${COMPILER}
      -P
      ${CMAKE_CURRENT_LIST_DIR}/stand_ins/vcpkg.cmake)
  expect_all_headers()
else()
  install_package(${BUILD})
endif()
if(WAY STREQUAL find_package_components)
  set(options "-DZEROTH_COMPONENTS=${COMPONENTS}")
  if(CUDA_COMPILER)
    list(APPEND options -DCMAKE_CUDA_COMPILER=${CUDA_COMPILER} -DCMAKE_CUDA_ARCHITECTURES=90)
  endif()
endif()
run(${CMAKE_COMMAND}
    -S
    ${project}
    -B
    build
    -G
    ${GENERATOR}
    -DWAY=${kind}
    -DCMAKE_CXX_COMPILER=${COMPILER}
    -DCMAKE_PREFIX_PATH=${prefix}
    ${options})
run(${CMAKE_COMMAND} --build build)
run(${WORK}/build/consumer)
if(EXISTS ${WORK}/build/consumer_c)
  run(${WORK}/build/consumer_c)
endif()
if(WAY STREQUAL add_subdirectory)
  run(${CMAKE_COMMAND} --install build --prefix ${prefix})
  if(NOT EXISTS ${prefix}/include/zeroth/zeroth.hpp)
    message(FATAL_ERROR "expected the headers where the consumer is installed, found none")
  endif()
endif()
