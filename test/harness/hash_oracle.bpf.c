// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts arriving packets by the flow hash that the namespace's dissector gives them. Refuses to change a packet or its
 * way: every packet goes on (TC_ACT_OK).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} kfn_hashes SEC(".maps");

SEC("tc")
int kfn_hash_oracle(struct __sk_buff *skb)
{
	__u64 one = 1, *seen;
	__u32 hash;

	/* The sender's side may have left a hash of its own dissector in the skb. */
	bpf_set_hash_invalid(skb);
	hash = bpf_get_hash_recalc(skb);

	seen = bpf_map_lookup_elem(&kfn_hashes, &hash);
	if (!seen) {
		/* Another CPU may add it first: then this fails and the count below is taken. */
		if (!bpf_map_update_elem(&kfn_hashes, &hash, &one, BPF_NOEXIST))
			return TC_ACT_OK;
		seen = bpf_map_lookup_elem(&kfn_hashes, &hash);
	}
	if (seen)
		__sync_fetch_and_add(seen, 1);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
