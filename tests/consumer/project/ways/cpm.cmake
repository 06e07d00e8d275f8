# SPDX-License-Identifier: MIT
include(cmake/CPM.cmake)
CPMAddPackage(
  NAME zeroth
  VERSION 0.1.0
  GIT_REPOSITORY ${ZEROTH_REPOSITORY}
  EXCLUDE_FROM_ALL YES
  SYSTEM YES)
