/* SPDX-License-Identifier: MIT */
#ifndef ZEROTH_C_ZEROTH_H
#define ZEROTH_C_ZEROTH_H

#include <stddef.h>
#include <stdint.h>

/* zeroth for C, and for languages that can call C. Compile zeroth.cpp, which lies next to this header, as C++20 with
 * include/ on the include path, and link it to the program or make a shared library of it.
 *
 * Every function that returns a zeroth_status returns ZEROTH_OK or says what went wrong in zeroth_last_error(). Memory
 * of weights stays the caller's. One thread at a time may use an optimizer, other than zeroth_expand(). */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct zeroth_optimizer zeroth_optimizer;

typedef enum zeroth_status {
  ZEROTH_OK = 0,
  ZEROTH_INVALID_ARGUMENT = 1, /* an option, name or size outside its range */
  ZEROTH_INVALID_FILE = 2,     /* a journal that is missing, damaged, of another run or not writable */
  ZEROTH_ERROR = 3             /* anything else, such as a call out of order, or no memory */
} zeroth_status;

typedef enum zeroth_role { ZEROTH_MATRIX = 0, ZEROTH_VECTOR = 1, ZEROTH_EMBEDDING = 2, ZEROTH_HEAD = 3 } zeroth_role;
typedef enum zeroth_dtype { ZEROTH_F32 = 0, ZEROTH_BF16 = 1, ZEROTH_F16 = 2 } zeroth_dtype;

/* One of the points at which a step evaluates the loss. */
typedef struct zeroth_point {
  uint32_t sample;      /* which direction z */
  int32_t sign;         /* +1, -1, or 0 for theta itself */
  int32_t is_candidate; /* 1: theta after the step (sign +1) or its reverse (-1) */
} zeroth_point;

/* The losses that a step needs: one per point and micro-batch. */
typedef struct zeroth_plan {
  uint64_t step;
  uint32_t points;
  uint32_t micro_batches;
  int32_t candidates; /* 1: the second plan of a step with acceptance lowest-of-three */
} zeroth_plan;

/* What a step did. */
typedef struct zeroth_report {
  uint64_t step;
  double loss;               /* mean over the points */
  double projected_gradient; /* mean over the samples */
  double learning_rate;
  uint64_t active_weights;
  int32_t skipped;          /* 1: the weights are as they were */
  int32_t losses_are_equal; /* 1: most likely the engine does not read these weights */
} zeroth_report;

/* The message of the last call of this thread that failed; empty if none did. Valid until its next call. */
const char* zeroth_last_error(void);

/* Such as "0.1.0". */
const char* zeroth_version(void);

/* An optimizer without tensors and with the default options; null if there is no memory. */
zeroth_optimizer* zeroth_create(void);

/* Closes the journal. Null is allowed. */
void zeroth_destroy(zeroth_optimizer* optimizer);

/* Sets an option; only before the first step. Keys, values and defaults:
 *   mask               smallest-magnitude | largest-magnitude | random | dense        (smallest-magnitude)
 *   sparsity           share of weights left out, in [0, 1)                           (0.75)
 *   mask_seed          of the random mask                                             (0)
 *   sampler            gaussian | rademacher                                          (gaussian)
 *   estimator          central | one-sided | fzoo                                     (central)
 *   update             sgd | sign-sgd | momentum | adam                               (sgd)
 *   weight_decay, beta_1, beta_2, adam_epsilon                                        (0, 0.9, 0.999, 1e-8)
 *   epsilon, learning_rate, clip                                                      (1e-3, 1e-6, none)
 *   samples, samples_per_probe, micro_batches, seed                                   (1, 1, 1, 0)
 *   acceptance         always | lowest-of-three                                       (always)
 *   restore            arithmetic | exact: how steps in place restore the weights     (exact)
 *   rounding           nearest | stochastic | compensated | extra-byte                (extra-byte) */
zeroth_status zeroth_set(zeroth_optimizer* optimizer, const char* key, const char* value);

/* Adds a tensor of a zeroth_role and zeroth_dtype; only before the first step. `data` points to rows x columns
 * elements, contiguous and row-major, which stay where they are until zeroth_destroy(). A vector of n elements is 1 x
 * n. */
zeroth_status zeroth_add_tensor(zeroth_optimizer* optimizer, const char* name, int32_t role, uint64_t rows,
                                uint64_t columns, int32_t dtype, void* data);

/* Declares a second copy of a tensor's values, of the same type and with the same bits, that is to be written whenever
 * the tensor is: such as a tied head that lies apart from the embedding. Only before the first step. */
zeroth_status zeroth_add_mirror(zeroth_optimizer* optimizer, const char* name, void* data);

/* Records every step from now on in a journal. If the file exists, its steps are replayed first. Before the first step,
 * over the base weights. */
zeroth_status zeroth_record(zeroth_optimizer* optimizer, const char* path);

/* Replays the steps of a journal, `most` at most, and records nothing. Before the first step, over the base weights. */
zeroth_status zeroth_replay(zeroth_optimizer* optimizer, const char* path, uint64_t most);

/* How many steps were taken. */
uint64_t zeroth_steps(const zeroth_optimizer* optimizer);

/* Bytes that the optimizer holds in addition to the weights. */
uint64_t zeroth_bytes(const zeroth_optimizer* optimizer);

/* Takes a step in place: calls `loss` at each point. A loss that is not finite skips the step. `report` may be null. */
typedef double (*zeroth_loss)(void* user, uint64_t step, uint32_t micro_batch, zeroth_point point);
zeroth_status zeroth_step(zeroth_optimizer* optimizer, zeroth_loss loss, void* user, zeroth_report* report);

/* A step in place, loss by loss: begin; next, which moves the weights, and tell_next, until next sets *has_next to 0;
 * finish. zeroth_abandon() restores the weights instead. `point` and `micro_batch` may be null. */
zeroth_status zeroth_begin(zeroth_optimizer* optimizer);
zeroth_status zeroth_next(zeroth_optimizer* optimizer, int32_t* has_next, zeroth_point* point, uint32_t* micro_batch);
zeroth_status zeroth_tell_next(zeroth_optimizer* optimizer, double loss);
zeroth_status zeroth_finish(zeroth_optimizer* optimizer, zeroth_report* report);

/* A step whose losses are evaluated anywhere: ask for its plan, expand the weights at its points, tell the losses. */
zeroth_status zeroth_ask(zeroth_optimizer* optimizer, zeroth_plan* plan);
zeroth_status zeroth_plan_point(const zeroth_optimizer* optimizer, const zeroth_plan* plan, uint32_t index,
                                zeroth_point* point);

/* Writes elements [first, first + count) of a tensor, by its index in order of adding, as a point of the plan has them.
 * Threads may call it at the same time. */
zeroth_status zeroth_expand(const zeroth_optimizer* optimizer, const zeroth_plan* plan, uint32_t point, size_t tensor,
                            uint64_t first, uint64_t count, float* out);

/* Takes the step. losses[b * points + k] is that of point k on micro-batch b; `count` is how many there are. *is_taken
 * is 0 if the step has a second plan: ask again. `is_taken` and `report` may be null. */
zeroth_status zeroth_tell(zeroth_optimizer* optimizer, const zeroth_plan* plan, const double* losses, size_t count,
                          int32_t* is_taken, zeroth_report* report);

/* Abandons the step that zeroth_ask() or zeroth_begin() opened, if any. */
zeroth_status zeroth_abandon(zeroth_optimizer* optimizer);

#ifdef __cplusplus
}
#endif

#endif /* ZEROTH_C_ZEROTH_H */
