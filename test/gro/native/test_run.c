// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs batches from stdin through the function with BPF_PROG_TEST_RUN. Attaches
 * nothing.
 *
 * test_run OBJECT [REPEAT | nanoseconds-0]: { u32 length, bytes }, repeated, gives
 * { u32 retval, u32 ns per run (or 0), bytes } of the same lengths; little-endian.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 65536

static uint8_t in[LIMIT], out[LIMIT];

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_map *map;
	uint32_t length;
	int fd, repeat = argc > 2 ? atoi(argv[2]) : 1, timeless = !repeat;

	if (argc < 2)
		errx(2, "usage: test_run OBJECT [REPEAT]");
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "%s", argv[1]);
	bpf_object__for_each_map(map, object)
		bpf_map__set_max_entries(map, libbpf_num_possible_cpus());
	if (bpf_object__load(object))
		errx(1, "%s does not load", argv[1]);
	fd = bpf_program__fd(bpf_object__next_program(object, NULL));
	while (fread(&length, sizeof(length), 1, stdin) == 1) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_out = out, .data_size_in = length,
			    .data_size_out = LIMIT, .repeat = timeless ? 1 : repeat);
		uint32_t head[2];

		if (length > LIMIT || fread(in, length, 1, stdin) != 1)
			errx(1, "a batch is incomplete");
		if (bpf_prog_test_run_opts(fd, &opts))
			err(1, "BPF_PROG_TEST_RUN");
		if (opts.data_size_out != length)
			errx(1, "%u bytes of %u", opts.data_size_out, length);
		head[0] = opts.retval;
		head[1] = timeless ? 0 : opts.duration;
		fwrite(head, sizeof(head), 1, stdout);
		fwrite(out, length, 1, stdout);
	}
	return 0;
}
