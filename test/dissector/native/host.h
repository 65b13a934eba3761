/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The dissector as a function of the host. Refuses to judge what it answers. */
#ifndef KFN_TEST_HOST_H
#define KFN_TEST_HOST_H

#include "kfn/flow_keys.h"

#define ETH_HLEN 14

struct answer {
	__u32 retval;
	struct bpf_flow_keys keys;	/* after the clamp of bpf_flow_dissect() */
};

/* The first linear bytes of the packet are in a heap block of their own. */
struct answer dissect(const __u8 *packet, __u32 length, __u32 linear, int has_skb, __u32 flags);

/* "parameter:element=value": what KFN_CONFIG() gives from now on; 0, or -1 for any other text. */
int config_set(const char *text);
void config_clear(void);

#endif
