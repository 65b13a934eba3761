// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Runs the dissector, compiled for the host, over packets from stdin. Refuses
 * to answer when the answer depends on how much of a packet is linear.
 *
 * stdin: { u32 length, u32 flags, bytes }, repeated, little-endian.
 * stdout: { u32 retval, struct bpf_flow_keys } for each, after the clamp of
 * net/core/flow_dissector.c bpf_flow_dissect().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kfn/flow_keys.h"

#define ETH_HLEN 14
#define LENGTH_MAX (1 << 20)

struct answer {
	__u32 retval;
	struct bpf_flow_keys keys;
};

long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	if (!skb->has_skb || offset > 0xffff || offset > skb->length || len > skb->length - offset) {
		memset(to, 0, len);
		return -14;
	}
	memcpy(to, skb->packet + offset, len);
	return 0;
}

static __u16 clamp(__u16 value, __u32 low, __u32 high)
{
	return value < low ? low : value > high ? high : value;
}

static struct answer dissect(const __u8 *packet, __u32 length, __u32 linear, int has_skb, __u32 flags)
{
	__u8 *head = malloc(linear ? linear : 1);
	struct answer answer;
	struct __sk_buff skb = {
		.data = head,
		.data_end = head + linear,
		.flow_keys = &answer.keys,
		.packet = packet,
		.length = length,
		.has_skb = has_skb,
	};

	if (!head)
		abort();
	memcpy(head, packet, linear);
	memset(&answer, 0, sizeof(answer));
	memcpy(&answer.keys.n_proto, packet + 12, 2);
	answer.keys.nhoff = ETH_HLEN;
	answer.keys.thoff = ETH_HLEN;
	answer.keys.flags = flags;

	answer.retval = flow_dissect(&skb);

	answer.keys.nhoff = clamp(answer.keys.nhoff, ETH_HLEN, length);
	answer.keys.thoff = clamp(answer.keys.thoff, answer.keys.nhoff, length);
	free(head);
	return answer;
}

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

int main(void)
{
	__u32 head[2];

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
