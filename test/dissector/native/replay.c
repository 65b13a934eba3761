// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs the dissector, compiled for the host, over packets from stdin. Refuses
 * to answer when the answer depends on how much of a packet is linear.
 *
 * replay [parameter:element=value]...
 * stdin: { u32 length, u32 flags, bytes }, repeated, little-endian.
 * stdout: { u32 retval, struct bpf_flow_keys } for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define LENGTH_MAX (1 << 20)

static void replay(const __u8 *packet, __u32 length, __u32 flags)
{
	struct answer whole = dissect(packet, length, length, 0, flags);

	for (__u32 linear = 0; linear < length; linear++) {
		struct answer part = dissect(packet, length, linear, 1, flags);

		if (memcmp(&whole, &part, sizeof(whole))) {
			fprintf(stderr, "another answer with %u of %u bytes linear\n", linear, length);
			exit(1);
		}
	}
	if (fwrite(&whole, sizeof(whole), 1, stdout) != 1)
		exit(1);
}

int main(int argc, char **argv)
{
	__u32 head[2];

	for (int i = 1; i < argc; i++)
		if (config_set(argv[i]))
			return 2;
	while (fread(head, sizeof(head), 1, stdin) == 1) {
		__u8 *packet;

		if (head[0] < ETH_HLEN || head[0] > LENGTH_MAX)
			return 1;
		packet = malloc(head[0]);
		if (!packet || fread(packet, head[0], 1, stdin) != 1)
			return 1;
		replay(packet, head[0], head[1]);
		free(packet);
	}
	return fflush(stdout) ? 1 : 0;
}
