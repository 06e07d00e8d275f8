// SPDX-License-Identifier: MIT
void context(cudaStream_t stream, void* device_pointer, double (*loss)()) {
  // @block
}
