/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Swaps two flow dissectors on one namespace many times and times each swap.
 * A measuring tool only: it trusts its objects. Refuses to touch a hook that
 * already has a program (the kernel says EEXIST).
 *
 * usage: swap NETNS OBJECT_A OBJECT_B COUNT PAUSE_US update|reattach
 *
 * Attaches A and prints "attached", waits for a line on stdin, swaps COUNT
 * times (A, B, A, …), prints one nanosecond figure a line, then "done", and
 * stays attached until stdin ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	if (!object || bpf_object__load(object))
		die(path);
	return bpf_program__fd(bpf_object__next_program(object, NULL));
}

static int attach(int program, int netns)
{
	int link = bpf_link_create(program, netns, BPF_FLOW_DISSECTOR, NULL);

	if (link < 0)
		die("attach");
	return link;
}

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

/* What kfn does: one system call, and the expected old program is checked. */
static void update(int link, int next, int old)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE,
		    .old_prog_fd = old);

	if (bpf_link_update(link, next, &opts))
		die("update");
}

int main(int argc, char **argv)
{
	int programs[2], link, netns, reattach, count, pause_us, i;
	long *took;

	if (argc != 7)
		return 2;
	libbpf_set_print(NULL);
	netns = open(argv[1], O_RDONLY);
	if (netns < 0)
		die(argv[1]);
	programs[0] = load(argv[2]);
	programs[1] = load(argv[3]);
	count = atoi(argv[4]);
	pause_us = atoi(argv[5]);
	reattach = !strcmp(argv[6], "reattach");
	took = calloc(count, sizeof(*took));
	link = attach(programs[0], netns);
	puts("attached");
	fflush(stdout);
	getchar();
	for (i = 0; i < count; i++) {
		int next = programs[(i + 1) % 2];
		long start = now();

		if (reattach) {
			close(link);
			link = attach(next, netns);
		} else {
			update(link, next, programs[i % 2]);
		}
		took[i] = now() - start;
		usleep(pause_us);
	}
	for (i = 0; i < count; i++)
		printf("%ld\n", took[i]);
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
