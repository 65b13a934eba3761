// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Puts a program on a device's egress and takes it off, through a tcx link or a clsact filter. */
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCX_EGRESS 47	/* enum bpf_attach_type; newer than this libbpf */

static int link_fd = -1;

enum hook hook_of(const char *name)
{
	if (!strcmp(name, "tcx"))
		return HOOK_TCX;
	if (!strcmp(name, "clsact"))
		return HOOK_CLSACT;
	errx(2, "%s is no hook", name);
}

int program_load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object)
		err(1, "%s", path);
	bpf_object__for_each_map(map, object) {
		if (!bpf_map__max_entries(map))
			bpf_map__set_max_entries(map, libbpf_num_possible_cpus());
	}
	program = bpf_object__next_program(object, NULL);
	if (!program || bpf_program__set_type(program, BPF_PROG_TYPE_SCHED_CLS))
		errx(1, "%s holds no program", path);
	if (bpf_object__load(object))
		err(1, "%s", path);
	return bpf_program__fd(program);
}

static int tcx_attach(int program, int ifindex)
{
	struct { uint32_t program, ifindex, type, flags; uint64_t rest[12]; } attr = {
		.program = program, .ifindex = ifindex, .type = TCX_EGRESS,
	};

	return syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

void program_attach(int program, enum hook hook, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, tc, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .prog_fd = program);
	int ret;

	if (hook == HOOK_TCX) {
		link_fd = tcx_attach(program, ifindex);
		if (link_fd < 0)
			err(1, "tcx link");
		return;
	}
	ret = bpf_tc_hook_create(&tc);
	if (ret && ret != -EEXIST)
		errx(1, "clsact: %s", strerror(-ret));
	ret = bpf_tc_attach(&tc, &opts);
	if (ret)
		errx(1, "clsact filter: %s", strerror(-ret));
}

void program_detach(enum hook hook, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, tc, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

	if (hook == HOOK_TCX)
		close(link_fd);
	else if (bpf_tc_detach(&tc, &opts))
		errx(1, "clsact filter stays");
}

unsigned long long program_runs(int program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &len))
		err(1, "program info");
	return info.run_cnt;
}

void feature_set(const char *device, unsigned int command, int on)
{
	struct ethtool_value value = { .cmd = command, .data = on };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		err(1, "%s: a feature cannot be switched", device);
	close(fd);
}
