/* SPDX-License-Identifier: MIT */
/* A user's program in C. */
#include <stdio.h>
#include <zeroth_c/zeroth.h>

enum { rows = 8, columns = 8 };

static double loss(void* weights, uint64_t step, uint32_t micro_batch, zeroth_point point) {
  (void)step, (void)micro_batch, (void)point;
  double sum = 0;
  for (int i = 0; i < rows * columns; ++i) sum += ((float*)weights)[i] * ((float*)weights)[i];
  return sum;
}

int main(void) {
  float weights[rows * columns];
  for (int i = 0; i < rows * columns; ++i) weights[i] = 1;
  zeroth_report first = {0}, last = {0};
  zeroth_optimizer* optimizer = zeroth_create();
  zeroth_set(optimizer, "learning_rate", "1e-3");
  zeroth_status status = zeroth_add_tensor(optimizer, "weights", ZEROTH_MATRIX, rows, columns, ZEROTH_F32, weights);
  if (status == ZEROTH_OK) status = zeroth_step(optimizer, loss, weights, &first);
  for (int i = 0; i < 99 && status == ZEROTH_OK; ++i) status = zeroth_step(optimizer, loss, weights, &last);
  if (status != ZEROTH_OK) printf("%s\n", zeroth_last_error());
  zeroth_destroy(optimizer);
  printf("zeroth %s, loss: %g before, %g after\n", zeroth_version(), first.loss, last.loss);
  return status == ZEROTH_OK && last.loss < first.loss ? 0 : 1;
}
