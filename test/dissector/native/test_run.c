// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs packets from stdin through this kernel with BPF_PROG_TEST_RUN. Refuses
 * to attach anything to a namespace that no test of kfn made.
 *
 * test_run keys DISSECTOR [parameter:element=value]...: { u32 retval, struct
 * bpf_flow_keys } per packet.
 * test_run compare ORACLE DISSECTOR /run/netns/kfn-... [parameter:element=value]...:
 * { u32 hash with the C dissector, u32 hash with ours attached to that
 * namespace, u32 retval, struct bpf_flow_keys } per packet. A hash of 0 is none:
 * the kernel does not make an skb of a packet without its IP header.
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

/* docs/formats/config.md: a 64-bit load whose upper half names the value in its lower half. */
static void configure(struct bpf_program *program, const char *text)
{
	size_t count = bpf_program__insn_cnt(program), size = count * sizeof(struct bpf_insn), found = 0;
	struct bpf_insn *insns = malloc(size);
	unsigned int parameter, element, value;

	if (!insns || sscanf(text, "%u:%u=%u", &parameter, &element, &value) != 3)
		errx(2, "%s is no parameter", text);
	memcpy(insns, bpf_program__insns(program), size);
	for (size_t i = 0; i + 1 < count; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (!insns[i].src_reg && (uint32_t)insns[i + 1].imm == (0x6b660000 | parameter << 8 | element)) {
			insns[i].imm = value;
			found++;
		}
		i++;
	}
	if (!found || bpf_program__set_insns(program, insns, count))
		errx(1, "%s: no such parameter in the program", text);
	free(insns);
}

static struct bpf_program *load(const char *path, char **config)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		err(1, "%s", path);
	program = bpf_object__next_program(object, NULL);
	if (!program || bpf_object__next_program(object, program))
		errx(1, "%s must hold one program", path);
	for (; *config; config++)
		configure(program, *config);
	if (bpf_object__load(object))
		err(1, "%s", path);
	return program;
}

struct answer {
	uint32_t retval;
	uint8_t keys[KEYS_SIZE];
};

static void keys_one(const struct bpf_program *program, size_t i, struct answer *out)
{
	uint8_t in[KEYS_SIZE] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, run,
		.data_in = packets[i].bytes,
		.data_size_in = packets[i].length,
		.data_out = out->keys,
		.data_size_out = sizeof(out->keys),
		.ctx_in = in,
		.ctx_size_in = sizeof(in));

	memcpy(in + KEYS_FLAGS, &packets[i].flags, sizeof(packets[i].flags));
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		err(1, "packet %zu of %u bytes", i, packets[i].length);
	if (run.data_size_out != KEYS_SIZE)
		errx(1, "%u bytes of keys", run.data_size_out);
	out->retval = run.retval;
}

static void write_keys(const char *path, char **config)
{
	const struct bpf_program *program = load(path, config);
	struct answer answer;

	for (size_t i = 0; i < count; i++) {
		keys_one(program, i, &answer);
		fwrite(&answer, sizeof(answer), 1, stdout);
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

static void write_comparison(const char *oracle_path, const char *dissector_path, const char *path, char **config)
{
	static char *none[] = { NULL };
	const struct bpf_program *oracle = load(oracle_path, none);
	const struct bpf_program *dissector = load(dissector_path, config);
	uint32_t *hashes = calloc(count, 2 * sizeof(*hashes));
	struct answer answer;
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
	for (size_t i = 0; i < count; i++) {
		keys_one(dissector, i, &answer);
		fwrite(hashes + 2 * i, sizeof(*hashes), 2, stdout);
		fwrite(&answer, sizeof(answer), 1, stdout);
	}
}

int main(int argc, char **argv)
{
	read_packets();
	if (argc >= 3 && !strcmp(argv[1], "keys"))
		write_keys(argv[2], argv + 3);
	else if (argc >= 5 && !strcmp(argv[1], "compare"))
		write_comparison(argv[2], argv[3], argv[4], argv + 5);
	else
		errx(2, "usage: test_run keys DISSECTOR [P:E=V]... | compare ORACLE DISSECTOR NETNS [P:E=V]...");
	return fflush(stdout) ? 1 : 0;
}
