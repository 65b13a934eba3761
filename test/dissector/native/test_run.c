// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs packets from stdin through this kernel with BPF_PROG_TEST_RUN. Refuses
 * to attach anything to a namespace that no test of kfn made.
 *
 * test_run keys DISSECTOR: { u32 retval, struct bpf_flow_keys } per packet.
 * test_run hash ORACLE DISSECTOR /run/netns/kfn-...: { u32 with the C dissector,
 * u32 with ours attached to that namespace } per packet; 0 is no hash: the
 * kernel does not make an skb of a packet without its IP header.
 *
 * stdin: { u32 length, u32 flags, bytes }, repeated, little-endian.
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
#include <stdlib.h>
#include <string.h>

#define KFN_NAMESPACE "/run/netns/kfn-"
#define KEYS_SIZE 56
#define KEYS_FLAGS 48

struct packet {
	uint32_t length;
	uint32_t flags;
	uint8_t *bytes;
};

static struct packet *packets;
static size_t count;

static void read_packets(void)
{
	uint32_t head[2];

	while (fread(head, sizeof(head), 1, stdin) == 1) {
		struct packet *packet;

		packets = realloc(packets, (count + 1) * sizeof(*packets));
		if (!packets)
			err(1, "realloc");
		packet = &packets[count++];
		packet->length = head[0];
		packet->flags = head[1];
		packet->bytes = malloc(packet->length);
		if (!packet->bytes || fread(packet->bytes, packet->length, 1, stdin) != 1)
			errx(1, "packet %zu is incomplete", count);
	}
}

static struct bpf_program *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object || bpf_object__load(object))
		err(1, "%s", path);
	program = bpf_object__next_program(object, NULL);
	if (!program || bpf_object__next_program(object, program))
		errx(1, "%s must hold one program", path);
	return program;
}

static void write_keys(const char *path)
{
	const struct bpf_program *program = load(path);

	for (size_t i = 0; i < count; i++) {
		uint8_t in[KEYS_SIZE] = { 0 }, out[KEYS_SIZE];
		LIBBPF_OPTS(bpf_test_run_opts, run,
			.data_in = packets[i].bytes,
			.data_size_in = packets[i].length,
			.data_out = out,
			.data_size_out = sizeof(out),
			.ctx_in = in,
			.ctx_size_in = sizeof(in));

		memcpy(in + KEYS_FLAGS, &packets[i].flags, sizeof(packets[i].flags));
		if (bpf_prog_test_run_opts(bpf_program__fd(program), &run))
			err(1, "packet %zu of %u bytes", i, packets[i].length);
		if (run.data_size_out != KEYS_SIZE)
			errx(1, "%u bytes of keys", run.data_size_out);
		fwrite(&run.retval, sizeof(run.retval), 1, stdout);
		fwrite(out, sizeof(out), 1, stdout);
	}
}

static void hash_all(const struct bpf_program *oracle, uint32_t *hashes)
{
	for (size_t i = 0; i < count; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run,
			.data_in = packets[i].bytes,
			.data_size_in = packets[i].length);

		if (!bpf_prog_test_run_opts(bpf_program__fd(oracle), &run))
			hashes[2 * i] = run.retval;
		else if (errno != EINVAL)
			err(1, "packet %zu of %u bytes", i, packets[i].length);
	}
}

/* The hash of a test run is made with the dissector of the caller's namespace. */
static int enter(const char *path)
{
	int fd;

	if (strncmp(path, KFN_NAMESPACE, strlen(KFN_NAMESPACE)))
		errx(2, "%s is no namespace of a test", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	return fd;
}

static void write_hashes(const char *oracle_path, const char *dissector_path, const char *path)
{
	const struct bpf_program *oracle = load(oracle_path);
	const struct bpf_program *dissector = load(dissector_path);
	uint32_t *hashes = calloc(count, 2 * sizeof(*hashes));
	struct bpf_link *link;
	int namespace;

	if (!hashes)
		err(1, "calloc");
	namespace = enter(path);
	hash_all(oracle, hashes);
	link = bpf_program__attach_netns(dissector, namespace);
	if (!link)
		err(1, "attach to %s", path);
	hash_all(oracle, hashes + 1);
	bpf_link__destroy(link);
	fwrite(hashes, 2 * sizeof(*hashes), count, stdout);
}

int main(int argc, char **argv)
{
	read_packets();
	if (argc == 3 && !strcmp(argv[1], "keys"))
		write_keys(argv[2]);
	else if (argc == 5 && !strcmp(argv[1], "hash"))
		write_hashes(argv[2], argv[3], argv[4]);
	else
		errx(2, "usage: test_run keys DISSECTOR | hash ORACLE DISSECTOR NETNS");
	return fflush(stdout) ? 1 : 0;
}
