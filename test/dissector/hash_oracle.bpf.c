// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes the kernel's flow hash of a packet visible: whichever dissector rules
 * in the namespace of the caller, C or BPF, this is the hash of its keys.
 * Refuses to be attached: it is for BPF_PROG_TEST_RUN.
 */
#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/skb.h"

KFN_LICENSE("Dual BSD/GPL");

/* include/uapi/linux/bpf.h, enum bpf_func_id */
static __u32 (*const bpf_get_hash_recalc)(struct __sk_buff *skb) = (void *)34;
static void (*const bpf_set_hash_invalid)(struct __sk_buff *skb) = (void *)41;

SEC("tc")
int flow_hash(struct __sk_buff *skb)
{
	bpf_set_hash_invalid(skb);
	return bpf_get_hash_recalc(skb);
}
