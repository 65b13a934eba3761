// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Keeps a program on a device's egress until its stdin ends, and switches
 * features of the device off. Refuses the machine's own namespace.
 *
 * hold OBJECT|- tcx|clsact DEVICE [uncounted] [FEATURE...]: FEATURE is tso, gso, rx or tx. "-" attaches nothing.
 * stdout: "attached", and at the end {"runs"}: how often the program ran; 0 where that is uncounted, as counting takes time.
 */
#include <bpf/bpf.h>
#include <err.h>
#include <linux/ethtool.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"

static unsigned int command_of(const char *feature)
{
	static const struct { const char *name; unsigned int command; } known[] = {
		{ "tso", ETHTOOL_STSO }, { "gso", ETHTOOL_SGSO }, { "rx", ETHTOOL_SRXCSUM }, { "tx", ETHTOOL_STXCSUM },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(known[i].name, feature))
			return known[i].command;
	}
	errx(2, "%s is no feature", feature);
}

int main(int argc, char **argv)
{
	int program = -1, counted = argc < 5 || strcmp(argv[4], "uncounted");
	char byte;

	if (argc < 4)
		errx(2, "usage: hold OBJECT|- tcx|clsact DEVICE [uncounted] [FEATURE...]");
	for (int i = counted ? 4 : 5; i < argc; i++)
		feature_set(argv[3], command_of(argv[i]), 0);
	if (strcmp(argv[1], "-")) {
		program = program_load(argv[1]);
		if (counted && bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
			err(1, "counting of runs");
		program_attach(program, hook_of(argv[2]), if_nametoindex(argv[3]));
	}
	puts("attached");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	if (program >= 0) {
		program_detach(hook_of(argv[2]), if_nametoindex(argv[3]));
		printf("{\"runs\":%llu}\n", program_runs(program));
	}
	return 0;
}
