// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs packets from stdin through the kernel's selftest sample (bpf_flow.c, as
 * fetch.sh gets it): it loads the sample and fills its table of tail calls, as
 * the selftest does. Refuses to attach it to a namespace that no test of kfn
 * made.
 *
 * run SAMPLE ORACLE /run/netns/kfn-...: { u32 hash with the sample attached to
 * that namespace, u32 retval, struct bpf_flow_keys } per packet; ORACLE is
 * ../hash_oracle.bpf.c. A hash of 0 is none.
 *
 * stdin: { u32 length, u32 flags, bytes }, repeated, little-endian. The flags
 * are for the keys; the hash is made with the kernel's own.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KFN_NAMESPACE "/run/netns/kfn-"
#define PACKET_MAX 4096

/* The sample's own: its entry, the table, and how its programs are named by their slots of the table. */
#define ENTRY "_dissect"
#define TABLE "jmp_table"
#define SLOT "flow_dissector_%u"

struct answer {
	uint32_t hash;
	uint32_t retval;
	struct bpf_flow_keys keys;
};

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object))
		err(1, "%s", path);
	return object;
}

static struct bpf_program *program_of(const struct bpf_object *object, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		errx(1, "no program %s", name);
	return program;
}

/* A slot left empty would not fail but drop. */
static struct bpf_program *load_sample(const char *path)
{
	const struct bpf_object *object = load(path);
	const struct bpf_map *table = bpf_object__find_map_by_name(object, TABLE);
	char name[32];

	if (!table)
		errx(1, "no map " TABLE);
	for (uint32_t slot = 0; slot < bpf_map__max_entries(table); slot++) {
		int fd;

		snprintf(name, sizeof(name), SLOT, slot);
		fd = bpf_program__fd(program_of(object, name));
		if (bpf_map__update_elem(table, &slot, sizeof(slot), &fd, sizeof(fd), BPF_ANY))
			err(1, "slot %u", slot);
	}
	return program_of(object, ENTRY);
}

static void attach(const struct bpf_program *sample, const char *path)
{
	int fd;

	if (strncmp(path, KFN_NAMESPACE, strlen(KFN_NAMESPACE)))
		errx(2, "%s is no namespace of a test", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	if (!bpf_program__attach_netns(sample, fd))
		err(1, "attach to %s", path);
}

static uint32_t hash_of(int oracle, const uint8_t *packet, uint32_t length)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = length);

	if (!bpf_prog_test_run_opts(oracle, &run))
		return run.retval;
	/* Too short: the kernel makes no skb of it. */
	if (errno != EINVAL)
		err(1, "hash of %u bytes", length);
	return 0;
}

static void dissect(int sample, const uint8_t *packet, uint32_t length, uint32_t flags, struct answer *out)
{
	struct bpf_flow_keys in = { .flags = flags };
	LIBBPF_OPTS(bpf_test_run_opts, run,
		.data_in = packet,
		.data_size_in = length,
		.data_out = &out->keys,
		.data_size_out = sizeof(out->keys),
		.ctx_in = &in,
		.ctx_size_in = sizeof(in));

	if (bpf_prog_test_run_opts(sample, &run) || run.data_size_out != sizeof(out->keys))
		err(1, "keys of %u bytes", length);
	out->retval = run.retval;
}

int main(int argc, char **argv)
{
	static uint8_t packet[PACKET_MAX];
	const struct bpf_program *sample;
	struct answer answer;
	uint32_t head[2];
	int oracle;

	if (argc != 4)
		errx(2, "usage: run SAMPLE ORACLE NETNS");
	sample = load_sample(argv[1]);
	oracle = bpf_program__fd(bpf_object__next_program(load(argv[2]), NULL));
	attach(sample, argv[3]);
	while (fread(head, sizeof(head), 1, stdin) == 1) {
		if (head[0] > sizeof(packet) || fread(packet, head[0], 1, stdin) != 1)
			errx(1, "a packet is too long or incomplete");
		answer.hash = hash_of(oracle, packet, head[0]);
		dissect(bpf_program__fd(sample), packet, head[0], head[1], &answer);
		fwrite(&answer, sizeof(answer), 1, stdout);
	}
	return fflush(stdout) ? 1 : 0;
}
