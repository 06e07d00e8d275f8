# SPDX-License-Identifier: MIT
# As an overlay port, this installs the checkout that it lies in; vcpkg's cache does not see changes of the checkout
# other than of this folder, unless it is told --editable. In a registry, vcpkg_from_github(... REF "v${VERSION}" ...)
# takes the place of the next line.
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

# Headers: there is nothing to build in two configurations.
set(VCPKG_BUILD_TYPE release)
vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}" OPTIONS -DZEROTH_BUILD_TESTS=OFF -DZEROTH_BUILD_EXAMPLES=OFF
                                                           -DZEROTH_BUILD_PROGRAM=OFF -DZEROTH_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/zeroth)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
