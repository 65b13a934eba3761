// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Keeps a program on a device's ingress or egress (tcx), and says what it
 * counted. Only for a VM: it would attach anywhere.
 *
 * hold OBJECT DEVICE|- ingress|egress [before]: "-" loads the program and ends. before: as the first of the hook.
 * stdin: lines "stats", and "flap", which detaches and attaches 20 times; each is answered by one line. The end detaches.
 * stdout: "attached", then the answers; stats are {"runs", and the counters of every CPU's buffer together}.
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

/* enum bpf_attach_type and flags; newer than this libbpf. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define FLAG_BEFORE (1 << 3)

#define FLAPS 20

static struct bpf_object *object;
static int program, link_fd = -1;
static uint32_t ifindex, type, flags;

static int verdict(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void load(const char *path)
{
	struct bpf_program *found;
	struct bpf_map *map;

	libbpf_set_print(verdict);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		err(1, "%s", path);
	bpf_object__for_each_map(map, object) {
		if (!bpf_map__max_entries(map))
			bpf_map__set_max_entries(map, libbpf_num_possible_cpus());
	}
	found = bpf_object__next_program(object, NULL);
	if (!found || bpf_program__set_type(found, BPF_PROG_TYPE_SCHED_CLS))
		errx(1, "%s holds no program", path);
	bpf_program__set_expected_attach_type(found, 0);
	if (bpf_object__load(object))
		err(1, "%s", path);
	program = bpf_program__fd(found);
}

static void attach(void)
{
	struct { uint32_t program, ifindex, type, flags; uint64_t rest[12]; } attr = {
		.program = program, .ifindex = ifindex, .type = type, .flags = flags,
	};

	link_fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (link_fd < 0)
		err(1, "tcx link");
}

/* Taken off and put back, so that each time another packet is the first that it does not see. */
static void flap(void)
{
	for (int i = 0; i < FLAPS; i++) {
		close(link_fd);
		attach();
	}
	puts("flapped");
}

static void stats(void)
{
	static const char *const names[] = { "absorbed", "delivered", "missed", "failed" };
	struct bpf_map *map = bpf_object__next_map(object, NULL);
	struct bpf_prog_info info = { 0 };
	uint64_t sums[4] = { 0 };
	uint32_t len = sizeof(info), cpu;
	uint8_t *value;

	if (bpf_obj_get_info_by_fd(program, &info, &len))
		err(1, "program info");
	printf("{\"runs\":%llu", (unsigned long long)info.run_cnt);
	value = map ? malloc(bpf_map__value_size(map)) : NULL;
	for (cpu = 0; value && cpu < bpf_map__max_entries(map); cpu++) {
		if (bpf_map_lookup_elem(bpf_map__fd(map), &cpu, value))
			err(1, "map");
		/* The counters come first. */
		for (size_t i = 0; i < 4; i++)
			sums[i] += ((uint64_t *)value)[i];
	}
	for (size_t i = 0; value && i < 4; i++)
		printf(",\"%s\":%llu", names[i], (unsigned long long)sums[i]);
	puts("}");
	free(value);
}

int main(int argc, char **argv)
{
	char line[16];

	if (argc < 4)
		errx(2, "usage: hold OBJECT DEVICE|- ingress|egress [before]");
	load(argv[1]);
	if (!strcmp(argv[2], "-"))
		return 0;
	ifindex = if_nametoindex(argv[2]);
	type = strcmp(argv[3], "egress") ? TCX_INGRESS : TCX_EGRESS;
	flags = argc > 4 ? FLAG_BEFORE : 0;
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "counting of runs");
	setlinebuf(stdout);
	attach();
	puts("attached");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "stats\n"))
			stats();
		else if (!strcmp(line, "flap\n"))
			flap();
	}
	return 0;
}
