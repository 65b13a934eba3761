/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: what hangs on a device's egress by tcx, as no tool here shows it. Prints the ids of the programs in their order, or
 * attaches a pinned program without a link, as the first or the last. Changes nothing else.
 *
 *	tcx show DEVICE | tcx first DEVICE PINNED | tcx last DEVICE PINNED
 */
#include <errno.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>

#define TCX_EGRESS 47			/* enum bpf_attach_type of Linux 6.6 */
#define BEFORE (1u << 3)		/* BPF_F_BEFORE, BPF_F_AFTER: without another program, all of them */
#define AFTER (1u << 4)

static int show(unsigned int ifindex)
{
	uint32_t ids[64] = { 0 }, i;
	struct {
		uint32_t ifindex, type, query_flags, attach_flags;
		uint64_t ids;
		uint32_t count, padding;
		uint64_t more[4];
	} query = { ifindex, TCX_EGRESS, 0, 0, (uintptr_t)ids, 64, 0, { 0 } };

	if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) && errno != ENOENT)
		return -1;
	for (i = 0; i < query.count && i < 64; i++)
		if (ids[i])
			printf("%u\n", ids[i]);
	return 0;
}

static int attach(unsigned int ifindex, const char *pinned, uint32_t flags)
{
	union bpf_attr get = { .pathname = (uintptr_t)pinned };
	int prog = syscall(SYS_bpf, BPF_OBJ_GET, &get, sizeof(get));
	struct {
		uint32_t ifindex, prog, type, flags, replaced, relative;
		uint64_t revision;
	} attr = { ifindex, prog, TCX_EGRESS, flags, 0, 0, 0 };

	return prog < 0 ? -1 : syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr));
}

int main(int argc, char **argv)
{
	unsigned int ifindex = argc > 2 ? if_nametoindex(argv[2]) : 0;
	int err = -1;

	if (ifindex && argc == 3 && !strcmp(argv[1], "show"))
		err = show(ifindex);
	if (ifindex && argc == 4 && (!strcmp(argv[1], "first") || !strcmp(argv[1], "last")))
		err = attach(ifindex, argv[3], *argv[1] == 'f' ? BEFORE : AFTER);
	if (err)
		perror("tcx");
	return err ? 1 : 0;
}
