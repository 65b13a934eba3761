// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Asks this kernel for the flow hash of packets: runs ../../dissector/hash_oracle.bpf.c
 * on each with BPF_PROG_TEST_RUN, under whichever dissector rules in the
 * caller's namespace. Refuses to attach anything, and to go on after a failure.
 *
 * flow_hash ORACLE: stdin: { u32 length, u32 flags (ignored), bytes }, repeated,
 * little-endian, as `kfn-load replay` takes it; stdout: one JSON array of hashes.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>

/* BPF_PROG_TEST_RUN wants packet, headroom and skb_shared_info in one page. */
#define LONGEST 3000

static int oracle_load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		err(1, "%s", path);
	program = bpf_object__next_program(object, NULL);
	if (!program || bpf_object__load(object))
		err(1, "%s", path);
	return bpf_program__fd(program);
}

static uint32_t hash_of(int oracle, const uint8_t *bytes, uint32_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = bytes, .data_size_in = length);

	if (bpf_prog_test_run_opts(oracle, &run))
		err(1, "a packet of %u bytes", length);
	return run.retval;
}

int main(int argc, char **argv)
{
	static uint8_t bytes[LONGEST];
	const char *separator = "[";
	uint32_t head[2];
	int oracle;

	if (argc != 2)
		errx(2, "usage: flow_hash ORACLE");
	oracle = oracle_load(argv[1]);
	while (fread(head, sizeof(head), 1, stdin) == 1) {
		if (head[0] > sizeof(bytes) || fread(bytes, 1, head[0], stdin) != head[0])
			errx(1, "a packet of %u bytes is too long or incomplete", head[0]);
		printf("%s%u", separator, hash_of(oracle, bytes, head[0]));
		separator = ",";
	}
	puts("]");
	return fflush(stdout) ? 1 : 0;
}
