// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes the kernel dissect a packet, by whichever dissector rules in the
 * caller's namespace, and the same without that, as its floor. Refuses to be
 * attached: both are for BPF_PROG_TEST_RUN.
 */
#include "kfn/int.h"
#include "kfn/program.h"

KFN_LICENSE("Dual BSD/GPL");

/* include/uapi/linux/bpf.h, enum bpf_func_id */
static __u32 (*const bpf_get_hash_recalc)(void *skb) = (void *)34;
static void (*const bpf_set_hash_invalid)(void *skb) = (void *)41;

SEC("tc")
int with_hash(void *skb)
{
	bpf_set_hash_invalid(skb);
	return bpf_get_hash_recalc(skb);
}

SEC("tc")
int without_hash(void *skb)
{
	bpf_set_hash_invalid(skb);
	return 0;
}
