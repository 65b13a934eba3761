/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The members of the kernel's own structures that are read, and how. Refuses to
 * say where they are: libbpf finds that in the types of the kernel that runs
 * (CO-RE), and the program is not loaded where one is missing.
 *
 * Mirrors include/linux/skbuff.h and include/linux/netdevice.h; kfuncs of
 * kernel/bpf/helpers.c.
 */
#ifndef GRO_LIVE_KERNEL_TYPES_H
#define GRO_LIVE_KERNEL_TYPES_H

#include "kfn/int.h"
#include "kfn/sched_cls.h"

#define KERNEL_TYPE __attribute__((preserve_access_index))
#define KERNEL_SYMBOL __attribute__((section(".ksyms")))

struct net_device;
struct sock;

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;	/* linear and not */
	unsigned int data_len;	/* of which not linear */
	__u16 mac_len;
	__u8 ip_summed : 2;
	__u32 vlan_all;		/* a tag that was taken off, or 0 */
	__u16 mac_header;	/* from head, as is end */
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
	unsigned int truesize;	/* memory that a socket is charged for */
} KERNEL_TYPE;

struct skb_shared_info {
	__u16 gso_size;
} KERNEL_TYPE;

struct sk_buff_head {
	struct sk_buff *next;	/* itself where the queue is empty */
} KERNEL_TYPE;

/* One of each CPU. */
struct softnet_data {
	struct sk_buff_head process_queue;	/* only this CPU takes from it: process_backlog() */
} KERNEL_TYPE;

#define CHECKSUM_UNNECESSARY 1
#define CHECKSUM_PARTIAL 3

extern const struct softnet_data softnet_data KERNEL_SYMBOL;

/* The kernel's packet behind a context. Linux 6.2. */
extern void *bpf_cast_to_kern_ctx(void *context) KERNEL_SYMBOL;

/* An object of each CPU: this one's. */
static void *(*const bpf_this_cpu_ptr)(const void *of_each_cpu) = (void *)154;

/* Copies kernel memory: 0, or negative and the bytes zeroed. */
static long (*const bpf_probe_read_kernel)(void *to, __u32 size, const void *from) = (void *)113;

/* enum bpf_field_info_kind */
#define FIELD_BYTE_OFFSET 0
#define FIELD_LSHIFT_U64 4
#define FIELD_RSHIFT_U64 5

/* ip_summed is a bit field, whose place only CO-RE knows: within one byte, since it exists. */
static __always_inline __u32 checksum_state(const struct sk_buff *skb)
{
	const __u8 *at = (const void *)skb + __builtin_preserve_field_info(skb->ip_summed, FIELD_BYTE_OFFSET);
	__u64 value = *at;

	value <<= __builtin_preserve_field_info(skb->ip_summed, FIELD_LSHIFT_U64);
	return value >> __builtin_preserve_field_info(skb->ip_summed, FIELD_RSHIFT_U64);
}

#endif
