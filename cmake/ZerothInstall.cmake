# SPDX-License-Identifier: MIT
# Installs the headers and the package that find_package(zeroth COMPONENTS ...) finds. Each component has its own
# export file, so that the dependencies of one are not asked of a project that uses another.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(zeroth_package_directory ${CMAKE_INSTALL_DATADIR}/cmake/zeroth)

foreach(component IN LISTS zeroth_components)
  get_target_property(target zeroth::${component} ALIASED_TARGET)
  set(file_sets FILE_SET HEADERS)
  if(component MATCHES "^(zeroth|model)$")
    list(APPEND file_sets FILE_SET fragments)
  endif()
  install(
    TARGETS ${target}
    EXPORT zeroth-${component}
    ${file_sets})
  install(
    EXPORT zeroth-${component}
    NAMESPACE zeroth::
    DESTINATION ${zeroth_package_directory})
endforeach()

list(JOIN zeroth_components " " zeroth_component_names)
configure_package_config_file(
  cmake/zerothConfig.cmake.in ${PROJECT_BINARY_DIR}/zerothConfig.cmake
  INSTALL_DESTINATION ${zeroth_package_directory}
  NO_SET_AND_CHECK_MACRO)
# Below 1.0 a minor version may break the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/zerothConfigVersion.cmake COMPATIBILITY SameMinorVersion
                                                                                               ARCH_INDEPENDENT)

install(FILES ${PROJECT_BINARY_DIR}/zerothConfig.cmake ${PROJECT_BINARY_DIR}/zerothConfigVersion.cmake
              cmake/FindOneDNN.cmake cmake/FindSentencePiece.cmake DESTINATION ${zeroth_package_directory})
# The core for programs that ask pkg-config; they compile with -std=c++20 or later. c_source is what C programs compile.
configure_file(cmake/zeroth.pc.in ${PROJECT_BINARY_DIR}/zeroth.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/zeroth.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
