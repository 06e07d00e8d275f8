# SPDX-License-Identifier: MIT
add_subdirectory(third_party/zeroth)
