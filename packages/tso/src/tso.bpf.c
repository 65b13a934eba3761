// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP segmentation at a device's egress: turns a TCP superpacket (GSO) into the
 * packets that the kernel's software GSO makes of it. Refuses whatever is
 * unusual: that goes on untouched, to the kernel's GSO or the device's.
 *
 * The packet is copied to a buffer and cut down to one segment. For each segment
 * but the last its headers and payload are written into it, and a clone is sent.
 * The packet itself becomes the last segment: it has the socket, which so learns
 * when it was sent. It starts anew, too, instead of going on to the queue: its
 * length there was taken before this hook (qdisc_pkt_len_init()) and is that of
 * the superpacket. So each segment passes the hook as a packet of its own, this
 * program first, which leaves it alone.
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

/* Room for a header in front of a payload, in words of 8 bytes. */
#define HEADER_WORDS ((HEADER_MAX + 7) / 8)
#define HEADER_ROOM (8 * HEADER_WORDS)

struct buffer {
	__u32 busy;
	struct superpacket packet;
	__u8 before_header[HEADER_ROOM];	/* of no meaning: see put_header() */
	struct header header;			/* of the next segment */
	__u8 first_header[HEADER_MAX];		/* as it came */
	__u8 bytes[HEADER_ROOM + SUPERPACKET_MAX + SEGMENT_MAX];	/* the payload, behind room */
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
 * CWR stands in the first segment only (RFC 3168), or in each, as part of AccECN's
 * counter (RFC 9768; SKB_GSO_TCP_ACCECN, Linux 6.17). Which of the two is the
 * connection's mode, settled before it sends data. Of a packet socket it is not
 * to be seen.
 */
static __always_inline int settle_cwr(struct __sk_buff *skb, struct superpacket *p)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	__u32 mode;

	if (!(p->flags & TCP_CWR))
		return 1;
	if (!sk)
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return 0;
	mode = tcp->ecn_flags & (TCP_ECN_MODE_RFC3168 | TCP_ECN_MODE_ACCECN);
	if (mode == TCP_ECN_MODE_RFC3168)
		p->first_flags = TCP_CWR;
	return mode == TCP_ECN_MODE_RFC3168 || mode == TCP_ECN_MODE_ACCECN;
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
	__builtin_memcpy(&found, buffer->first_header + NETWORK_AT, sizeof(found));
	return network == found;
}

static __always_inline int read_packet(struct __sk_buff *skb, struct buffer *buffer)
{
	struct superpacket *p = &buffer->packet;
	__u32 len = skb->len, head = len < HEADER_MAX ? len : HEADER_MAX, payload_len;

	/* Linux 6.1 knows the bound of the register that is checked only. */
	TSO_OPAQUE(head);
	if (head < HEADER_MIN || head > HEADER_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, buffer->first_header, head))
		return 0;
	if (!superpacket_read(p, buffer->first_header, len, skb->gso_size) || !is_ethernet(skb, buffer))
		return 0;
	payload_len = p->payload_len - 1;
	TSO_OPAQUE(payload_len);
	if (payload_len >= SUPERPACKET_MAX)
		return 0;
	TSO_OPAQUE(payload_len);
	return !bpf_skb_load_bytes(skb, p->header_len, buffer->bytes + HEADER_ROOM, payload_len + 1);
}

/*
 * Puts the header before a payload, by words that end where it ends. What they
 * overwrite besides is payload of segments before, which are sent.
 */
static __always_inline void put_header(struct buffer *buffer, __u64 segment_at, __u32 header_len)
{
	const __u64 *from = (const void *)(buffer->before_header + header_len);
	__u64 *to = (void *)(buffer->bytes + segment_at);

#pragma unroll
	for (__u32 i = 0; i < HEADER_WORDS; i++)
		to[i] = from[i];
}

/* Writes segment index of len bytes of payload over the packet: all of it, or on failure nothing. */
static __attribute__((noinline)) long write_segment(struct __sk_buff *skb, struct buffer *buffer, __u32 index,
						    __u32 len)
{
	const struct superpacket *p = &buffer->packet;
	__u32 header_len = p->header_len;
	__u64 at = (__u64)index * p->mss, before;

	if (header_len < HEADER_MIN || header_len > HEADER_MAX || at > SUPERPACKET_MAX)
		return -1;
	len += header_len - 1;
	TSO_OPAQUE(len);
	if (len >= SEGMENT_MAX)
		return -1;
	TSO_OPAQUE(len);
	number_header(&buffer->header, p, index);
	put_header(buffer, at, header_len);
	before = HEADER_ROOM - header_len;
	/* Or clang takes the header's length from the pointer, whose bounds the verifier then loses. */
	TSO_OPAQUE(before);
	return bpf_skb_store_bytes(skb, 0, buffer->bytes + at + before, len + 1, 0);
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

/*
 * Cuts the packet down to its last segment. Where memory for that fails it stays
 * the segment before, and is sent twice.
 */
static __always_inline int become_last(struct __sk_buff *skb, struct buffer *buffer)
{
	const struct superpacket *p = &buffer->packet;
	__u32 index = p->segments - 1;
	__u32 len = p->payload_len - index * p->mss;
	int is_cut = len < p->mss;

	if (is_cut && bpf_skb_change_tail(skb, p->header_len + len, 0))
		return bpf_redirect(skb->ifindex, 0);
	__builtin_memcpy(&buffer->header, buffer->first_header, sizeof(buffer->header));
	size_header(&buffer->header, p, len);
	/* What was cut is nobody's copy: writing to it takes no memory. If it ever fails, half a segment must not be sent. */
	if (write_segment(skb, buffer, index, len) && is_cut)
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline int segment(struct __sk_buff *skb, struct buffer *buffer)
{
	const struct superpacket *p = &buffer->packet;
	struct emission emission = { .skb = skb, .buffer = buffer };

	if (!read_packet(skb, buffer) || !settle_cwr(skb, &buffer->packet) || !checksum_is_partial(skb))
		return TC_ACT_UNSPEC;
	/* From here on it is no superpacket. When this fails it still is, and whole. */
	if (bpf_skb_change_tail(skb, p->header_len + p->mss, 0))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(&buffer->header, buffer->first_header, sizeof(buffer->header));
	size_header(&buffer->header, p, p->mss);
	clear_flags(&buffer->header, p, TCP_FIN | TCP_PSH);
	bpf_loop(p->segments - 1, send_segment, &emission, 0);
	return become_last(skb, buffer);
}

SEC("tc/egress")
int tso_egress(struct __sk_buff *skb)
{
	struct buffer *buffer;
	int verdict;
	__u32 cpu;

	if (!skb->gso_size || skb->vlan_present || !sent_here(skb))
		return TC_ACT_UNSPEC;
	cpu = bpf_get_smp_processor_id();
	buffer = bpf_map_lookup_elem(&tso_buffer, &cpu);
	/* Sending a clone brings no other superpacket to this CPU, as far as is known. */
	if (!buffer || buffer->busy)
		return TC_ACT_UNSPEC;
	buffer->busy = 1;
	verdict = segment(skb, buffer);
	buffer->busy = 0;
	return verdict;
}
