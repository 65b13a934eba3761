// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a wire does not carry by itself, for kernel_gro.c: gives each packet that
 * leaves the hash and the VLAN tag that a device would have found, and notes the
 * whole GSO type of each that arrives, which no packet socket shows. Refuses to
 * change a byte of a packet.
 */
#include "kfn/int.h"
#include "kfn/map.h"
#include "kfn/program.h"
#include "kfn/sched_cls.h"

#define PACKETS 64

struct found {
	__u32 hash, vlan;	/* vlan: protocol << 16 | TCI, host byte order */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PACKETS);
	__type(key, __u32);
	__type(value, struct found);
} found SEC(".maps");

/* Entry 0 counts, the others follow. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PACKETS + 1);
	__type(key, __u32);
	__type(value, __u32);
} gso_types SEC(".maps");

static long (*const bpf_skb_vlan_push)(struct __sk_buff *skb, __u16 proto, __u16 tci) = (void *)18;
static long (*const bpf_set_hash)(struct __sk_buff *skb, __u32 hash) = (void *)48;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
	unsigned char *head;
	__u32 end;
};

struct skb_shared_info {
	__u32 gso_type;
};
#pragma clang attribute pop

extern void *bpf_cast_to_kern_ctx(void *context) __attribute__((section(".ksyms")));
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __attribute__((section(".ksyms")));

/* The sender marks packet n of a batch with n. */
SEC("tc/leave")
int leave(struct __sk_buff *skb)
{
	__u32 index = skb->mark;
	const struct found *f = bpf_map_lookup_elem(&found, &index);

	if (!f)
		return TC_ACT_SHOT;
	if (f->vlan)
		bpf_skb_vlan_push(skb, __builtin_bswap16(f->vlan >> 16), f->vlan);
	bpf_set_hash(skb, f->hash);
	return TC_ACT_UNSPEC;
}

/* Instead of arrive, where only time is of interest. */
SEC("tc/drop")
int drop(struct __sk_buff *skb)
{
	return TC_ACT_SHOT;
}

SEC("tc/arrive")
int arrive(struct __sk_buff *skb)
{
	__u32 first = 0, *count = bpf_map_lookup_elem(&gso_types, &first), *type, index;
	const struct sk_buff *packet = bpf_cast_to_kern_ctx(skb);
	const struct skb_shared_info *info;

	if (!count)
		return TC_ACT_UNSPEC;
	index = ++*count;
	type = bpf_map_lookup_elem(&gso_types, &index);
	info = bpf_rdonly_cast(packet->head + packet->end, __builtin_btf_type_id(*(struct skb_shared_info *)0, 1));
	if (type)
		*type = info->gso_type;
	return TC_ACT_UNSPEC;
}

KFN_LICENSE("Dual BSD/GPL");
