// SPDX-License-Identifier: MIT
void context() {
  // @block
}
