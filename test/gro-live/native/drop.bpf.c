// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Drops one of 32 TCP packets that have a payload, at random: the losses of the tests. */
#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/sched_cls.h"

KFN_LICENSE("Dual BSD/GPL");

static __u32 (*const bpf_get_prandom_u32)(void) = (void *)7;

SEC("tc")
int drop(struct __sk_buff *skb)
{
	return skb->len > 200 && bpf_get_prandom_u32() % 32 == 0 ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
