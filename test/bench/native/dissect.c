// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Times flow dissectors with BPF_PROG_TEST_RUN. A measuring tool only: it
 * trusts its objects. Refuses to attach anything to a namespace that no test
 * or benchmark of kfn made.
 *
 * dissect answers OBJECT...: what each says of each packet, and how many BPF
 *   instructions it executes for it.
 * dissect time ROUNDS REPEAT OBJECT...: the objects in turn, ROUNDS times.
 * dissect hash ROUNDS REPEAT HASH FLOOR OURS /run/netns/kfn-...: HASH's two
 *   programs with the C dissector, with FLOOR and with OURS attached, in turn.
 *
 * stdin: { u32 length, bytes }, repeated, little-endian. stdout: one JSON
 * document a line. Times are nanoseconds a packet of this thread's CPU time, so
 * that what else the machine does in a run is not counted.
 */
#define _GNU_SOURCE
#include "interpreter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KFN_NAMESPACE "/run/netns/kfn-"
#define ENTRY "flow_dissect"
#define PACKETS_MAX 64

struct packet {
	uint32_t length;
	uint8_t *bytes;
};

struct dissector {
	int fd;
	struct image image;
};

static struct packet packets[PACKETS_MAX];
static size_t count;

static void read_packets(void)
{
	uint32_t length;

	while (fread(&length, sizeof(length), 1, stdin) == 1) {
		struct packet *packet = &packets[count++];

		if (count > PACKETS_MAX || length > 4096)
			errx(1, "too much");
		packet->length = length;
		packet->bytes = malloc(length);
		if (!packet->bytes || fread(packet->bytes, length, 1, stdin) != 1)
			errx(1, "packet %zu is incomplete", count);
	}
}

static struct bpf_object *load_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object))
		err(1, "%s", path);
	return object;
}

static int program_fd(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		errx(1, "no program %s", name);
	return bpf_program__fd(program);
}

/* The translated instructions of a program, and its id. */
static const struct bpf_insn *translated(int fd, uint32_t *id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info), length;
	struct bpf_insn *insns;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		err(1, "program info");
	*id = info.id;
	length = info.xlated_prog_len;
	insns = calloc(1, length);
	memset(&info, 0, sizeof(info));
	info.xlated_prog_len = length;
	info.xlated_prog_insns = (uint64_t)insns;
	if (!insns || bpf_obj_get_info_by_fd(fd, &info, &size) || !info.xlated_prog_insns)
		err(1, "translated instructions");
	return insns;
}

/* Asks the kernel what each slot of the PROG_ARRAY holds: libbpf filled it. */
static void read_tail_calls(const struct bpf_object *object, struct image *image, const uint32_t *ids)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_PROG_ARRAY)
			continue;
		for (uint32_t slot = 0; slot < PROGRAMS_MAX && slot < bpf_map__max_entries(map); slot++) {
			uint32_t id;

			if (bpf_map_lookup_elem(bpf_map__fd(map), &slot, &id))
				continue;
			for (unsigned int i = 1; i < PROGRAMS_MAX; i++)
				if (ids[i] == id)
					image->tail[slot] = i;
		}
	}
}

static struct dissector load_dissector(const char *path)
{
	const struct bpf_object *object = load_object(path);
	struct dissector dissector = { .fd = program_fd(object, ENTRY) };
	struct bpf_program *program;
	uint32_t ids[PROGRAMS_MAX] = { 0 };
	unsigned int next = 1;

	bpf_object__for_each_program(program, object) {
		unsigned int i = strcmp(bpf_program__name(program), ENTRY) ? next++ : 0;

		if (i >= PROGRAMS_MAX)
			errx(1, "%s has too many programs", path);
		dissector.image.programs[i] = translated(bpf_program__fd(program), &ids[i]);
	}
	read_tail_calls(object, &dissector.image, ids);
	return dissector;
}

static void test_run(int fd, const struct packet *packet, uint32_t repeat, struct run *run)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		.data_in = packet->bytes,
		.data_size_in = packet->length,
		.data_out = run ? &run->keys : NULL,
		.data_size_out = run ? sizeof(run->keys) : 0,
		.repeat = repeat);

	if (bpf_prog_test_run_opts(fd, &opts))
		err(1, "test run of %u bytes", packet->length);
	if (run)
		run->retval = opts.retval;
}

static double nanoseconds(int fd, const struct packet *packet, uint32_t repeat)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	test_run(fd, packet, repeat, NULL);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / repeat;
}

/* A count is worth nothing unless the interpreter comes to what the kernel came to. */
static void answer(const struct dissector *dissector, const struct packet *packet, const char *path)
{
	struct run kernel = { 0 }, counted;

	test_run(dissector->fd, packet, 1, &kernel);
	interpret(&dissector->image, packet->bytes, packet->length, &counted);
	if (counted.retval != kernel.retval || memcmp(&counted.keys, &kernel.keys, sizeof(kernel.keys)))
		errx(1, "%s: the interpreter says %u, the kernel %u, or other keys", path, counted.retval,
		     kernel.retval);
	printf("{\"retval\":%u,\"keys\":\"", kernel.retval);
	for (size_t i = 0; i < sizeof(kernel.keys); i++)
		printf("%02x", ((const uint8_t *)&kernel.keys)[i]);
	printf("\",\"instructions\":%lu,\"helpers\":%lu}", counted.instructions, counted.helpers);
}

static void write_answers(char **paths, int objects)
{
	struct dissector dissectors[8];

	for (int i = 0; i < objects; i++)
		dissectors[i] = load_dissector(paths[i]);
	for (size_t p = 0; p < count; p++) {
		for (int i = 0; i < objects; i++) {
			putchar(i ? ',' : '[');
			answer(&dissectors[i], &packets[p], paths[i]);
		}
		puts("]");
	}
}

static void print_samples(const double *samples, int rounds, char before)
{
	putchar(before);
	for (int round = 0; round < rounds; round++)
		printf("%c%.3f", round ? ',' : '[', samples[round]);
	putchar(']');
}

static void write_times(int rounds, uint32_t repeat, char **paths, int objects)
{
	double *samples = calloc(objects * rounds, sizeof(*samples));
	int fds[8];

	for (int i = 0; i < objects; i++)
		fds[i] = load_dissector(paths[i]).fd;
	for (size_t p = 0; p < count; p++) {
		for (int round = 0; round < rounds; round++)
			for (int i = 0; i < objects; i++)
				samples[i * rounds + round] = nanoseconds(fds[i], &packets[p], repeat);
		for (int i = 0; i < objects; i++)
			print_samples(samples + i * rounds, rounds, i ? ',' : '[');
		puts("]");
	}
}

/* A test run's skb belongs to the caller's namespace, and so does its dissector. */
static int enter(const char *path)
{
	int fd;

	if (strncmp(path, KFN_NAMESPACE, strlen(KFN_NAMESPACE)))
		errx(2, "%s is no namespace of a benchmark", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		err(1, "%s", path);
	return fd;
}

static int attach(int program, int namespace)
{
	int link = bpf_link_create(program, namespace, BPF_FLOW_DISSECTOR, NULL);

	if (link < 0)
		err(1, "attach");
	return link;
}

static void write_hash_times(int rounds, uint32_t repeat, char **argv)
{
	const struct bpf_object *object = load_object(argv[0]);
	int with = program_fd(object, "with_hash"), without = program_fd(object, "without_hash");
	int attached[2] = { load_dissector(argv[1]).fd, load_dissector(argv[2]).fd };
	double *samples = calloc(4 * rounds, sizeof(*samples));
	int namespace = enter(argv[3]), link;

	for (size_t p = 0; p < count; p++) {
		for (int round = 0; round < rounds; round++) {
			samples[round] = nanoseconds(without, &packets[p], repeat);
			samples[rounds + round] = nanoseconds(with, &packets[p], repeat);
			for (int i = 0; i < 2; i++) {
				link = attach(attached[i], namespace);
				samples[(2 + i) * rounds + round] = nanoseconds(with, &packets[p], repeat);
				close(link);
			}
		}
		for (int i = 0; i < 4; i++)
			print_samples(samples + i * rounds, rounds, i ? ',' : '[');
		puts("]");
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 4 ? atoi(argv[2]) : 0, repeat = argc > 4 ? atoi(argv[3]) : 0;

	libbpf_set_print(NULL);
	read_packets();
	if (argc > 2 && argc <= 10 && !strcmp(argv[1], "answers"))
		write_answers(argv + 2, argc - 2);
	else if (argc <= 12 && rounds > 0 && repeat > 0 && !strcmp(argv[1], "time"))
		write_times(rounds, repeat, argv + 4, argc - 4);
	else if (argc == 8 && rounds > 0 && repeat > 0 && !strcmp(argv[1], "hash"))
		write_hash_times(rounds, repeat, argv + 4);
	else
		errx(2, "usage: dissect answers|time|hash ...: see its source");
	return fflush(stdout) ? 1 : 0;
}
