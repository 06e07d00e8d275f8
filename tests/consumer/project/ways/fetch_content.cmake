# SPDX-License-Identifier: MIT
include(FetchContent)
FetchContent_Declare(
  zeroth
  GIT_REPOSITORY ${ZEROTH_REPOSITORY}
  GIT_TAG v0.1.0)
FetchContent_MakeAvailable(zeroth)
