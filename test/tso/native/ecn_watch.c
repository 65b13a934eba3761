// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Says in which of their segments superpackets with CWR have it, on a device that
 * is both ends of a connection (lo). Refuses to say who segments them.
 *
 * ecn_watch WATCH.bpf.o tcx|clsact DEVICE: attaches, says "watching", and at the
 * end of stdin {"superpackets","first","all","other"}: those with CWR, of them
 * those that have it in the first segment only, in all segments, and otherwise.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCX_INGRESS 46	/* enum bpf_attach_type; newer than this libbpf */
#define TCX_EGRESS 47
#define BEFORE (1 << 3)	/* BPF_F_BEFORE: of the programs that there are */
#define CWR 0x80
#define MOST 200000

struct seen {		/* of ecn_watch.bpf.c */
	uint32_t superpacket, seq, len, flags;
};

static struct seen superpackets[MOST], segments[MOST];
static unsigned int superpacket_count, segment_count;

static void attach_tcx(int program, int ifindex, int type)
{
	struct { uint32_t program, ifindex, type, flags; uint64_t rest[12]; } attr = {
		.program = program, .ifindex = ifindex, .type = type, .flags = BEFORE,
	};

	if (syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)) < 0)
		err(1, "tcx link");
}

/* Of one priority the youngest filter runs first (cls_bpf_change()). */
static void attach_filter(int program, int ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 2, .priority = 1, .prog_fd = program);
	int ret = bpf_tc_hook_create(&hook);

	if (!ret || ret == -EEXIST)
		ret = bpf_tc_attach(&hook, &opts);
	if (ret)
		errx(1, "clsact filter: %s", strerror(-ret));
}

/* A filter outlives its process, where a link does not. */
static void detach_filter(int ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 2, .priority = 1);

	if (bpf_tc_detach(&hook, &opts))
		errx(1, "clsact filter stays");
}

static void detach(const char *hook, int ifindex)
{
	if (!strcmp(hook, "tcx"))
		return;
	detach_filter(ifindex, BPF_TC_EGRESS);
	detach_filter(ifindex, BPF_TC_INGRESS);
}

static void attach(struct bpf_object *object, const char *hook, int ifindex)
{
	int leave = bpf_program__fd(bpf_object__find_program_by_name(object, "leave"));
	int arrive = bpf_program__fd(bpf_object__find_program_by_name(object, "arrive"));

	if (strcmp(hook, "tcx")) {
		attach_filter(leave, ifindex, BPF_TC_EGRESS);
		attach_filter(arrive, ifindex, BPF_TC_INGRESS);
	} else {
		attach_tcx(leave, ifindex, TCX_EGRESS);
		attach_tcx(arrive, ifindex, TCX_INGRESS);
	}
}

static int take(void *context, void *data, size_t size)
{
	const struct seen *s = data;

	(void)context;
	if (size < sizeof(*s) || superpacket_count == MOST || segment_count == MOST)
		errx(1, "more than %d packets", MOST);
	if (s->superpacket)
		superpackets[superpacket_count++] = *s;
	else
		segments[segment_count++] = *s;
	return 0;
}

/* Bit 0: some segment but the first has CWR; 1: some has it not; 2: the first has it. 0: not all have arrived. */
static unsigned int where_cwr(const struct seen *whole)
{
	unsigned int found = 0, bytes = 0;

	for (unsigned int i = 0; i < segment_count && bytes < whole->len; i++) {
		uint32_t at = segments[i].seq - whole->seq;
		int has = !!(segments[i].flags & CWR);

		if (at != bytes || at + segments[i].len > whole->len)
			continue;
		bytes += segments[i].len;
		if (!at)
			found |= has ? 4 : 2;
		else
			found |= has ? 1 : 2;
	}
	return bytes == whole->len ? found : 0;
}

int main(int argc, char **argv)
{
	unsigned int first = 0, all = 0;
	struct bpf_program *program;
	struct ring_buffer *ring;
	struct bpf_object *object;
	char byte;

	if (argc != 4 || !if_nametoindex(argv[3]))
		errx(2, "usage: ecn_watch WATCH.bpf.o tcx|clsact DEVICE");
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "%s", argv[1]);
	bpf_object__for_each_program(program, object)
		bpf_program__set_type(program, BPF_PROG_TYPE_SCHED_CLS);
	if (bpf_object__load(object))
		errx(1, "%s does not load", argv[1]);
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "seen"), take, NULL, NULL);
	if (!ring)
		err(1, "ring buffer");
	attach(object, argv[2], if_nametoindex(argv[3]));
	puts("watching");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	detach(argv[2], if_nametoindex(argv[3]));
	if (ring_buffer__consume(ring) < 0)
		errx(1, "ring buffer");
	for (unsigned int i = 0; i < superpacket_count; i++) {
		unsigned int found = where_cwr(&superpackets[i]);

		first += found == 6;
		all += found == 5;
	}
	printf("{\"superpackets\":%u,\"first\":%u,\"all\":%u,\"other\":%u}\n", superpacket_count, first, all,
	       superpacket_count - first - all);
	return 0;
}
