// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Three tiny flow dissectors for the test of the hash oracle: one that finds TCP over IPv4 and IPv6, one that finds
 * nothing, one that leaves every packet to the kernel's C dissector. Refuses to be a product: no options, no tunnels.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FLOW_DISSECTOR_CONTINUE 129 /* BPF_FLOW_DISSECTOR_CONTINUE, include/uapi/linux/bpf.h since 6.1 */

static __always_inline int ports(struct __sk_buff *skb, struct bpf_flow_keys *keys, __u8 protocol)
{
	__be16 both[2];

	keys->ip_proto = protocol;
	if (protocol != IPPROTO_TCP)
		return BPF_OK;
	if (bpf_skb_load_bytes(skb, keys->thoff, both, sizeof(both)))
		return BPF_DROP;
	keys->sport = both[0];
	keys->dport = both[1];
	return BPF_OK;
}

SEC("flow_dissector/finds")
int finds(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct ipv6hdr ip6;
	struct iphdr ip;

	if (keys->n_proto == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, keys->nhoff, &ip, sizeof(ip)))
			return BPF_DROP;
		keys->addr_proto = ETH_P_IP;
		keys->ipv4_src = ip.saddr;
		keys->ipv4_dst = ip.daddr;
		keys->thoff = keys->nhoff + sizeof(ip);
		return ports(skb, keys, ip.protocol);
	}
	if (keys->n_proto == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, keys->nhoff, &ip6, sizeof(ip6)))
			return BPF_DROP;
		keys->addr_proto = ETH_P_IPV6;
		__builtin_memcpy(keys->ipv6_src, &ip6.saddr, sizeof(ip6.saddr));
		__builtin_memcpy(keys->ipv6_dst, &ip6.daddr, sizeof(ip6.daddr));
		keys->thoff = keys->nhoff + sizeof(ip6);
		return ports(skb, keys, ip6.nexthdr);
	}
	return BPF_OK;
}

SEC("flow_dissector/nothing")
int nothing(struct __sk_buff *skb)
{
	return BPF_OK;
}

SEC("flow_dissector/leaves")
int leaves(struct __sk_buff *skb)
{
	return FLOW_DISSECTOR_CONTINUE;
}

char _license[] SEC("license") = "Dual BSD/GPL";
