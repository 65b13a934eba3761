// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP segmentation at a device's egress: turns a TCP superpacket (GSO) into the
 * packets that the kernel's software GSO makes of it. Refuses whatever is
 * unusual: that goes on untouched, to the kernel's GSO or the device's.
 *
 * The packet is copied to a buffer and cut down to one segment. For each segment
 * but the last its headers and payload are written into it, and a clone is sent.
 * The packet itself becomes the last segment: it has the socket, which so learns
 * when it was sent. All segments pass the hook as packets of their own, this
 * program first, which leaves them alone as they are no superpackets.
 */
#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/note.h"
#include "kfn/map.h"
#include "kfn/sched_cls.h"
#include "superpacket.h"
#include "segment.h"

KFN_NOTE("tso", "1", ">=6.1",
	 KFN_FEATURE("prog_type:sched_cls"));
KFN_LICENSE("Dual BSD/GPL");

struct buffer {
	__u32 busy;
	struct superpacket packet;
	struct header header;
	/* A copy of a segment may be longer than what is left of the packet, as far as the verifier knows. */
	__u8 bytes[SUPERPACKET_MAX + SEGMENT_MAX + 1];
};

/* By CPU: too large for a per-CPU map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KFN_POSSIBLE_CPUS);
	__type(key, __u32);
	__type(value, struct buffer);
} tso_buffer SEC(".maps");

/*
 * From here on clang knows nothing of the value: it would check another register
 * than the one that is used. That a value is not 0 says nothing to Linux 6.1: it
 * must be a sum.
 */
#define TSO_OPAQUE(value) __asm__("" : "+r"(value))

struct emission {
	struct __sk_buff *skb;
	struct buffer *buffer;
};

/*
 * Sockets of TCP, and packet sockets. Without one the packet was forwarded, and
 * may be one that GRO has made: with the id of all segments the same, which is
 * not to be seen from a program (SKB_GSO_TCP_FIXEDID), or as a list of them.
 */
static __always_inline int sent_here(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	return sk->family == AF_PACKET || sk->protocol == IPPROTO_TCP;
}

/* Only CHECKSUM_PARTIAL is neither good to a level nor, as NONE is, to be made so. */
static __always_inline int checksum_is_partial(struct __sk_buff *skb)
{
	bpf_csum_level(skb, BPF_CSUM_LEVEL_INC);
	if (bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) < 0)
		return 1;
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	return 0;
}

/*
 * On a device without link-layer header the IP header is at 0. Were the bytes
 * at 14 the same, then both had the same length for packets that differ by 14.
 */
static __always_inline int is_ethernet(struct __sk_buff *skb, const struct buffer *buffer)
{
	__u64 network, found;

	if (bpf_skb_load_bytes_relative(skb, 0, &network, sizeof(network), BPF_HDR_START_NET))
		return 0;
	__builtin_memcpy(&found, buffer->bytes + NETWORK_AT, sizeof(found));
	return network == found;
}

static __always_inline int read_packet(struct __sk_buff *skb, struct buffer *buffer)
{
	__u32 len = skb->len;

	if (len < HEADER_MIN || len > SUPERPACKET_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, buffer->bytes, len))
		return 0;
	return superpacket_read(&buffer->packet, buffer->bytes, len, skb->gso_size) && is_ethernet(skb, buffer);
}

/* Writes segment index of len bytes of payload over the packet. */
static __attribute__((noinline)) long write_segment(struct __sk_buff *skb, struct buffer *buffer, __u32 index, __u32 len)
{
	const struct superpacket *p = &buffer->packet;
	__u32 header_len = p->header_len;
	__u64 from = header_len + (__u64)index * p->mss;
	long err;

	if (header_len < HEADER_MIN || header_len > HEADER_MAX)
		return -1;
	len--;
	TSO_OPAQUE(len);
	if (from > SUPERPACKET_MAX || len >= SEGMENT_MAX)
		return -1;
	TSO_OPAQUE(len);
	len++;
	number_header(&buffer->header, p, index);
	err = bpf_skb_store_bytes(skb, 0, buffer->header.bytes, header_len, 0);
	if (err)
		return err;
	return bpf_skb_store_bytes(skb, header_len, buffer->bytes + from, len, 0);
}

/*
 * Of a segment that cannot be sent nothing is: that is a lost packet, which TCP
 * sends again. Everything follows from index, or the verifier would look at
 * each turn of the loop.
 */
static __attribute__((noinline)) long send_segment(__u32 index, struct emission *e)
{
	if (!write_segment(e->skb, e->buffer, index, e->buffer->packet.mss))
		bpf_clone_redirect(e->skb, e->skb->ifindex, 0);
	return 0;
}

/* Cuts the packet down to its last segment. Where memory fails it stays the one before, sent twice. */
static __always_inline void become_last(struct __sk_buff *skb, struct buffer *buffer)
{
	const struct superpacket *p = &buffer->packet;
	__u32 index = p->segments - 1;
	__u32 len = p->payload_len - index * p->mss;

	if (len < p->mss && bpf_skb_change_tail(skb, p->header_len + len, 0))
		return;
	__builtin_memcpy(&buffer->header, buffer->bytes, sizeof(buffer->header));
	size_header(&buffer->header, p, len);
	write_segment(skb, buffer, index, len);
}

/* 1 where the packet is the last of its segments now; 0 where it is as it was. */
static __always_inline int segment(struct __sk_buff *skb, struct buffer *buffer)
{
	const struct superpacket *p = &buffer->packet;
	struct emission emission = { .skb = skb, .buffer = buffer };

	if (!read_packet(skb, buffer) || !checksum_is_partial(skb))
		return 0;
	/* From here on it is no superpacket. When this fails it still is, and whole. */
	if (bpf_skb_change_tail(skb, p->header_len + p->mss, 0))
		return 0;
	__builtin_memcpy(&buffer->header, buffer->bytes, sizeof(buffer->header));
	size_header(&buffer->header, p, p->mss);
	clear_flags(&buffer->header, p, TCP_FIN | TCP_PSH);
	bpf_loop(p->segments - 1, send_segment, &emission, 0);
	become_last(skb, buffer);
	return 1;
}

SEC("tc/egress")
int tso_egress(struct __sk_buff *skb)
{
	struct buffer *buffer;
	int segmented;
	__u32 cpu;

	if (!skb->gso_size || skb->vlan_present || !sent_here(skb))
		return TC_ACT_UNSPEC;
	cpu = bpf_get_smp_processor_id();
	buffer = bpf_map_lookup_elem(&tso_buffer, &cpu);
	/* Sending a clone brings no other superpacket to this CPU, as far as is known. */
	if (!buffer || buffer->busy)
		return TC_ACT_UNSPEC;
	buffer->busy = 1;
	segmented = segment(skb, buffer);
	buffer->busy = 0;
	/*
	 * Not straight on to the queue: its length there was taken before this hook
	 * (qdisc_pkt_len_init()) and is the superpacket's.
	 */
	return segmented ? bpf_redirect(skb->ifindex, 0) : TC_ACT_UNSPEC;
}
