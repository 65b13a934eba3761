// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The benchmark's peer: a flow dissector of the structure that the kernel's
 * selftest sample has (tools/testing/selftests/bpf/progs/bpf_flow.c), written
 * anew. One program per kind of header, joined by tail calls through a
 * PROG_ARRAY; the position lies in the keys; every packet ends with its keys in
 * a hash map. Refuses to be more than a peer: it knows well-formed packets of
 * the benchmark's shapes.
 *
 * Where it departs from the sample it does what ours does, so that both are
 * timed at the same work: it knows PPPoE and IPv6 routing headers, sets n_proto
 * behind tunnels, steps over an MPLS entry, and leaves out what only costs the
 * sample time (its test hook for one source address, the checks of a TCP header
 * behind the ports).
 *
 * -DVXLAN_PORT=n adds VXLAN, which the sample does not know either.
 * -DWITHOUT_MAP leaves the hash map out: the sample writes it for its own test.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char peer_license[] SEC("license") = "Dual BSD/GPL";

enum header {
	HEADER_IPV4,
	HEADER_IPV6,
	HEADER_IPV6_OPTIONS,
	HEADER_IPV6_FRAGMENT,
	HEADER_MPLS,
	HEADER_VLAN,
	HEADER_PPPOE,
	HEADER_VXLAN,
	HEADERS,
};

int dissect_ipv4(struct __sk_buff *skb);
int dissect_ipv6(struct __sk_buff *skb);
int dissect_ipv6_options(struct __sk_buff *skb);
int dissect_ipv6_fragment(struct __sk_buff *skb);
int dissect_mpls(struct __sk_buff *skb);
int dissect_vlan(struct __sk_buff *skb);
int dissect_pppoe(struct __sk_buff *skb);
int dissect_vxlan(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, HEADERS);
	__type(key, __u32);
	__array(values, int(struct __sk_buff *));
} headers SEC(".maps") = {
	.values = {
		[HEADER_IPV4] = dissect_ipv4,
		[HEADER_IPV6] = dissect_ipv6,
		[HEADER_IPV6_OPTIONS] = dissect_ipv6_options,
		[HEADER_IPV6_FRAGMENT] = dissect_ipv6_fragment,
		[HEADER_MPLS] = dissect_mpls,
		[HEADER_VLAN] = dissect_vlan,
		[HEADER_PPPOE] = dissect_pppoe,
#ifdef VXLAN_PORT
		[HEADER_VXLAN] = dissect_vxlan,
#endif
	},
};

#ifndef WITHOUT_MAP
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct bpf_flow_keys);
} dissections SEC(".maps");
#endif

/* The keys of every packet go into the map, under its ports, whatever the verdict. */
static __always_inline int finish(const struct bpf_flow_keys *keys, int verdict)
{
#ifndef WITHOUT_MAP
	__u32 ports = (__u32)keys->sport << 16 | keys->dport;
	struct bpf_flow_keys copy;

	__builtin_memcpy(&copy, keys, sizeof(copy));
	bpf_map_update_elem(&dissections, &ports, &copy, BPF_ANY);
#else
	(void)keys;
#endif
	return verdict;
}

/* The size bytes at thoff: in the packet, or copied out of its non-linear part; NULL behind its end. */
static __always_inline void *header_at_thoff(struct __sk_buff *skb, void *copy, __u32 size)
{
	void *end = (void *)(long)skb->data_end;
	__u16 offset = skb->flow_keys->thoff;
	void *header;

	if (offset > 0xffff - size)
		return NULL;
	header = (void *)(long)skb->data + offset;
	if (header + size <= end)
		return header;
	return bpf_skb_load_bytes(skb, offset, copy, size) ? NULL : copy;
}

static __always_inline int dissect_ethertype(struct __sk_buff *skb, __be16 type)
{
	struct bpf_flow_keys *keys = skb->flow_keys;

	keys->n_proto = type;
	switch (type) {
	case bpf_htons(ETH_P_IP):
		bpf_tail_call_static(skb, &headers, HEADER_IPV4);
		break;
	case bpf_htons(ETH_P_IPV6):
		bpf_tail_call_static(skb, &headers, HEADER_IPV6);
		break;
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		bpf_tail_call_static(skb, &headers, HEADER_VLAN);
		break;
	case bpf_htons(ETH_P_MPLS_UC):
	case bpf_htons(ETH_P_MPLS_MC):
		bpf_tail_call_static(skb, &headers, HEADER_MPLS);
		break;
	case bpf_htons(ETH_P_PPP_SES):
		bpf_tail_call_static(skb, &headers, HEADER_PPPOE);
		break;
	}
	return finish(keys, BPF_DROP);
}

static __always_inline int dissect_tunnel(struct __sk_buff *skb, __be16 type)
{
	struct bpf_flow_keys *keys = skb->flow_keys;

	keys->is_encap = 1;
	if (keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_ENCAP)
		return finish(keys, BPF_OK);
	return dissect_ethertype(skb, type);
}

/* RFC 2784 and 2890. */
static __always_inline int dissect_gre(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct { __be16 flags, type; } *gre, gre_copy;
	struct ethhdr *eth, eth_copy;
	__be16 type;

	gre = header_at_thoff(skb, &gre_copy, sizeof(*gre));
	if (!gre)
		return finish(keys, BPF_DROP);
	if (gre->flags & bpf_htons(0x0007))
		return finish(keys, BPF_OK);
	type = gre->type;
	keys->thoff += sizeof(*gre);
	if (gre->flags & bpf_htons(0x8000))
		keys->thoff += 4;
	if (gre->flags & bpf_htons(0x2000))
		keys->thoff += 4;
	if (gre->flags & bpf_htons(0x1000))
		keys->thoff += 4;
	if (type == bpf_htons(ETH_P_TEB)) {
		eth = header_at_thoff(skb, &eth_copy, sizeof(*eth));
		if (!eth)
			return finish(keys, BPF_DROP);
		keys->thoff += sizeof(*eth);
		type = eth->h_proto;
	}
	return dissect_tunnel(skb, type);
}

static __always_inline int dissect_ip_proto(struct __sk_buff *skb, __u8 protocol)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct { __be16 source, dest; } *ports, copy;

	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		ports = header_at_thoff(skb, &copy, sizeof(*ports));
		if (!ports)
			return finish(keys, BPF_DROP);
#ifdef VXLAN_PORT
		if (protocol == IPPROTO_UDP && ports->dest == bpf_htons(VXLAN_PORT))
			bpf_tail_call_static(skb, &headers, HEADER_VXLAN);
#endif
		keys->sport = ports->source;
		keys->dport = ports->dest;
		return finish(keys, BPF_OK);
	case IPPROTO_ICMP:
		return finish(keys, BPF_OK);
	case IPPROTO_IPIP:
		return dissect_tunnel(skb, bpf_htons(ETH_P_IP));
	case IPPROTO_IPV6:
		return dissect_tunnel(skb, bpf_htons(ETH_P_IPV6));
	case IPPROTO_GRE:
		return dissect_gre(skb);
	default:
		return finish(keys, BPF_DROP);
	}
}

static __always_inline int dissect_next_header(struct __sk_buff *skb, __u8 protocol)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_DSTOPTS:
	case IPPROTO_ROUTING:
		bpf_tail_call_static(skb, &headers, HEADER_IPV6_OPTIONS);
		break;
	case IPPROTO_FRAGMENT:
		bpf_tail_call_static(skb, &headers, HEADER_IPV6_FRAGMENT);
		break;
	default:
		return dissect_ip_proto(skb, protocol);
	}
	return finish(skb->flow_keys, BPF_DROP);
}

SEC("flow_dissector")
int flow_dissect(struct __sk_buff *skb)
{
	return dissect_ethertype(skb, skb->flow_keys->n_proto);
}

/* RFC 791. */
SEC("flow_dissector")
int dissect_ipv4(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct iphdr *iph, copy;

	iph = header_at_thoff(skb, &copy, sizeof(*iph));
	if (!iph || iph->ihl < 5)
		return finish(keys, BPF_DROP);
	keys->addr_proto = ETH_P_IP;
	keys->ipv4_src = iph->saddr;
	keys->ipv4_dst = iph->daddr;
	keys->ip_proto = iph->protocol;
	keys->thoff += iph->ihl * 4;
	if (iph->frag_off & bpf_htons(0x3fff)) {
		keys->is_frag = 1;
		if (iph->frag_off & bpf_htons(0x1fff))
			return finish(keys, BPF_OK);
		keys->is_first_frag = 1;
		if (!(keys->flags & BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG))
			return finish(keys, BPF_OK);
	}
	return dissect_ip_proto(skb, iph->protocol);
}

/* RFC 8200 and 6437. */
SEC("flow_dissector")
int dissect_ipv6(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct ipv6hdr *iph, copy;

	iph = header_at_thoff(skb, &copy, sizeof(*iph));
	if (!iph)
		return finish(keys, BPF_DROP);
	keys->addr_proto = ETH_P_IPV6;
	__builtin_memcpy(keys->ipv6_src, &iph->saddr, sizeof(keys->ipv6_src));
	__builtin_memcpy(keys->ipv6_dst, &iph->daddr, sizeof(keys->ipv6_dst));
	keys->thoff += sizeof(*iph);
	keys->ip_proto = iph->nexthdr;
	keys->flow_label = *(__be32 *)iph & bpf_htonl(0x000fffff);
	if (keys->flow_label && keys->flags & BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL)
		return finish(keys, BPF_OK);
	return dissect_next_header(skb, iph->nexthdr);
}

/* Hop-by-hop, destination and routing headers: RFC 8200 section 4. */
SEC("flow_dissector")
int dissect_ipv6_options(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct ipv6_opt_hdr *options, copy;

	options = header_at_thoff(skb, &copy, sizeof(*options));
	if (!options)
		return finish(keys, BPF_DROP);
	keys->thoff += (options->hdrlen + 1) * 8;
	keys->ip_proto = options->nexthdr;
	return dissect_next_header(skb, options->nexthdr);
}

/* RFC 8200 section 4.5. */
SEC("flow_dissector")
int dissect_ipv6_fragment(struct __sk_buff *skb)
{
	struct { __u8 nexthdr, reserved; __be16 offset; __be32 id; } *fragment, copy;
	struct bpf_flow_keys *keys = skb->flow_keys;

	fragment = header_at_thoff(skb, &copy, sizeof(*fragment));
	if (!fragment)
		return finish(keys, BPF_DROP);
	keys->thoff += sizeof(*fragment);
	keys->is_frag = 1;
	keys->ip_proto = fragment->nexthdr;
	if (fragment->offset & bpf_htons(0xfff8))
		return finish(keys, BPF_OK);
	keys->is_first_frag = 1;
	if (!(keys->flags & BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG))
		return finish(keys, BPF_OK);
	return dissect_next_header(skb, fragment->nexthdr);
}

/* RFC 3032: nothing says what is below the stack. */
SEC("flow_dissector")
int dissect_mpls(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	__be32 copy;

	if (!header_at_thoff(skb, &copy, sizeof(copy)))
		return finish(keys, BPF_DROP);
	keys->thoff += sizeof(copy);
	return finish(keys, BPF_OK);
}

/* One tag, or a service tag and a customer tag, in one program as in the sample. */
SEC("flow_dissector")
int dissect_vlan(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct { __be16 tci, type; } *tag, copy;

	if (keys->n_proto == bpf_htons(ETH_P_8021AD)) {
		tag = header_at_thoff(skb, &copy, sizeof(*tag));
		if (!tag || tag->type != bpf_htons(ETH_P_8021Q))
			return finish(keys, BPF_DROP);
		keys->nhoff += sizeof(*tag);
		keys->thoff += sizeof(*tag);
	}
	tag = header_at_thoff(skb, &copy, sizeof(*tag));
	if (!tag)
		return finish(keys, BPF_DROP);
	keys->nhoff += sizeof(*tag);
	keys->thoff += sizeof(*tag);
	if (tag->type == bpf_htons(ETH_P_8021Q) || tag->type == bpf_htons(ETH_P_8021AD))
		return finish(keys, BPF_DROP);
	return dissect_ethertype(skb, tag->type);
}

/* RFC 2516 section 4; the protocol numbers are PPP's (RFC 1332, 5072). */
SEC("flow_dissector")
int dissect_pppoe(struct __sk_buff *skb)
{
	struct { __u8 version_type, code; __be16 session, length, protocol; } *pppoe, copy;
	struct bpf_flow_keys *keys = skb->flow_keys;

	pppoe = header_at_thoff(skb, &copy, sizeof(*pppoe));
	if (!pppoe || pppoe->version_type != 0x11 || pppoe->code != 0)
		return finish(keys, BPF_DROP);
	keys->nhoff += sizeof(*pppoe);
	keys->thoff += sizeof(*pppoe);
	if (pppoe->protocol == bpf_htons(0x0021))
		return dissect_ethertype(skb, bpf_htons(ETH_P_IP));
	if (pppoe->protocol == bpf_htons(0x0057))
		return dissect_ethertype(skb, bpf_htons(ETH_P_IPV6));
	return finish(keys, BPF_DROP);
}

#ifdef VXLAN_PORT
/* RFC 7348 section 5: behind 8 bytes of UDP; the flag says that the VNI is valid. */
SEC("flow_dissector")
int dissect_vxlan(struct __sk_buff *skb)
{
	struct { __be16 udp[4]; __u8 flags, reserved[3]; __be32 vni; } *vxlan, copy;
	struct bpf_flow_keys *keys = skb->flow_keys;
	struct ethhdr *eth, eth_copy;

	vxlan = header_at_thoff(skb, &copy, sizeof(*vxlan));
	if (!vxlan || !(vxlan->flags & 0x08))
		return finish(keys, BPF_DROP);
	keys->thoff += sizeof(*vxlan);
	eth = header_at_thoff(skb, &eth_copy, sizeof(*eth));
	if (!eth)
		return finish(keys, BPF_DROP);
	keys->thoff += sizeof(*eth);
	return dissect_tunnel(skb, eth->h_proto);
}
#endif
