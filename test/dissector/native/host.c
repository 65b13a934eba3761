// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The dissector, compiled for the host, behind the kernel's half of the hook:
 * what net/core/flow_dissector.c bpf_flow_dissect() does around a program.
 * Refuses to give it a byte that the kernel would not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define PARAMETERS 16
#define ELEMENTS 16

static struct {
	int set;
	__u32 value;
} config[PARAMETERS][ELEMENTS];

__u32 kfn_config(__u32 parameter, __u32 element, __u32 initial)
{
	return config[parameter][element].set ? config[parameter][element].value : initial;
}

int config_set(const char *text)
{
	unsigned int parameter, element, value;

	if (sscanf(text, "%u:%u=%u", &parameter, &element, &value) != 3 || parameter >= PARAMETERS || element >= ELEMENTS)
		return -1;
	config[parameter][element].set = 1;
	config[parameter][element].value = value;
	return 0;
}

void config_clear(void)
{
	memset(config, 0, sizeof(config));
}

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

struct answer dissect(const __u8 *packet, __u32 length, __u32 linear, int has_skb, __u32 flags)
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
