# SPDX-License-Identifier: MIT
find_package(zeroth 0.1 REQUIRED COMPONENTS ${ZEROTH_COMPONENTS})
