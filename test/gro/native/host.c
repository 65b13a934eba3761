// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The function's C on the host: what native/test_run.c asks the kernel, without
 * one. Batches lie in memory of their own size, so that a sanitizer sees what
 * reads behind it.
 *
 * host [REPEAT]: see native/test_run.c.
 */
#define GRO_LOOP(count, step, walk)						\
	do {									\
		for (__u32 loop_ = 0, end_ = (count); loop_ < end_; loop_++)	\
			if (step(loop_, walk))					\
				break;						\
	} while (0)

#include "kfn/int.h"
#undef NULL
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#undef __always_inline
#include "gro.h"

static __u32 run(struct gro_memory *memory, const __u8 *in, __u32 length)
{
	struct gro_walk walk = { .batch = &memory->batch };

	if (length < GRO_BATCH_HEADER || length > sizeof(memory->batch))
		return 0;
	memcpy(&memory->batch, in, length);
	if (!gro_valid(&memory->batch, length))
		return 0;
	gro_run(&walk);
	return memory->batch.beyond ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct gro_memory *memory = calloc(1, sizeof(*memory));
	int repeat = argc > 1 ? atoi(argv[1]) : 1;
	__u32 length, head[2];

	while (memory && fread(&length, sizeof(length), 1, stdin) == 1) {
		__u8 *in = malloc(length);
		struct timespec from, to;

		if (!in || fread(in, length, 1, stdin) != 1)
			errx(1, "a batch is incomplete");
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (int i = 0; i < repeat; i++)
			head[0] = run(memory, in, length);
		clock_gettime(CLOCK_MONOTONIC, &to);
		head[1] = ((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec) / repeat;
		fwrite(head, sizeof(head), 1, stdout);
		fwrite(head[0] ? (__u8 *)&memory->batch : in, length, 1, stdout);
		free(in);
	}
	free(memory);
	return 0;
}
