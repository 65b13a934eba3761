/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A train: segments of one connection that follow each other without gap, and
 * the one header that they get. The rules of tcp_gro_receive(),
 * inet_gro_receive() and ipv6_gro_receive() of Linux 6.18, for one flow.
 * Refuses to hold anything: who stays and who goes is said in gro_live.bpf.c.
 */
#ifndef GRO_LIVE_TRAIN_H
#define GRO_LIVE_TRAIN_H

#include "segment.h"

/* BPF_SKB_MAX_LEN: to what a packet can be grown, headers included (net/core/filter.c; pages of 4 KiB). */
#define FRAME_MAX 16064

struct train {
	struct segment first;	/* what all have in common, and the first's own */
	__u64 awaited;		/* the address of the packet that comes next */
	__u32 segments;		/* 0: there is no train */
	__u32 bytes;		/* of payload */
	__u32 next_seq;
	__u32 mss;		/* payload of all but the last */
	__u32 fixed_id;		/* of IPv4: as the second has it */
	__u32 checksum;		/* CHECKSUM_PARTIAL or CHECKSUM_UNNECESSARY, of all */
};

/* IPv4 and TCP without what each segment has of its own: length, id, checksums, sequence, FIN and PSH. */
static __always_inline __u32 ipv4_differs(const struct segment *a, const struct segment *b)
{
	__u32 differ = (get16(a, NETWORK_AT) ^ get16(b, NETWORK_AT)) |
		       (get32(a, NETWORK_AT + 6) ^ get32(b, NETWORK_AT + 6));	/* DF, TTL, protocol */

	differ |= get32(a, NETWORK_AT + 12) ^ get32(b, NETWORK_AT + 12);
	return differ | (get32(a, NETWORK_AT + 16) ^ get32(b, NETWORK_AT + 16));
}

static __always_inline __u32 ipv6_differs(const struct segment *a, const struct segment *b)
{
	__u32 differ = get32(a, NETWORK_AT) ^ get32(b, NETWORK_AT);

	differ |= get16(a, NETWORK_AT + 6) ^ get16(b, NETWORK_AT + 6);
#pragma unroll
	for (__u32 i = 8; i < 40; i += 4)
		differ |= get32(a, NETWORK_AT + i) ^ get32(b, NETWORK_AT + i);
	return differ;
}

/* at: where both have their TCP header, and a constant. */
static __always_inline __u32 tcp_differs(const struct segment *a, const struct segment *b, const __u32 at)
{
	__u32 differ = get32(a, at) ^ get32(b, at);

	differ |= get32(a, at + 8) ^ get32(b, at + 8);
	differ |= (get32(a, at + 12) ^ get32(b, at + 12)) & ~be32((TCP_FIN | TCP_PSH) << 16);
#pragma unroll
	for (__u32 i = 20; i < 20 + OPTIONS_MAX; i += 4) {
		if (at + i < a->header_len)
			differ |= get32(a, at + i) ^ get32(b, at + i);
	}
	return differ;
}

static __always_inline __u32 ethernet_differs(const struct segment *a, const struct segment *b)
{
	return (get32(a, 0) ^ get32(b, 0)) | (get32(a, 4) ^ get32(b, 4)) | (get32(a, 8) ^ get32(b, 8)) |
	       (get16(a, 12) ^ get16(b, 12));
}

/* inet_gro_flush(): the id counts, or stays. */
static __always_inline int id_follows(const struct train *t, const struct segment *s)
{
	__u16 step = be16(get16(s, NETWORK_AT + 4)) - be16(get16(&t->first, NETWORK_AT + 4));

	if (t->segments == 1)
		return step <= 1;
	return step == (t->fixed_id ? 0 : t->segments);
}

static __always_inline int train_takes(const struct train *t, const struct segment *s)
{
	const struct segment *first = &t->first;

	/* The flags' word holds the length of the header, too. */
	if (tcp_seq(s) != t->next_seq || s->payload_len > t->mss || ethernet_differs(first, s))
		return 0;
	if (first->tcp_at == TCP_AT_IPV4)
		return !ipv4_differs(first, s) && !tcp_differs(first, s, TCP_AT_IPV4) && id_follows(t, s);
	return !ipv6_differs(first, s) && !tcp_differs(first, s, TCP_AT_IPV6);
}

static __always_inline void train_start(struct train *t, const struct segment *s, __u32 checksum)
{
	__builtin_memcpy(&t->first, s, sizeof(*s));
	t->segments = 1;
	t->bytes = 0;
	t->next_seq = tcp_seq(s) + s->payload_len;
	t->mss = s->payload_len;
	t->checksum = checksum;
}

/* The segment that train_takes(). Its payload is the caller's to put behind the others. */
static __always_inline void train_join(struct train *t, const struct segment *s)
{
	if (t->segments == 1)
		t->fixed_id = get16(s, NETWORK_AT + 4) == get16(&t->first, NETWORK_AT + 4);
	t->segments++;
	t->next_seq += s->payload_len;
}

/* Of a TCP pseudo header (RFC 9293 section 3.1; RFC 8200 section 8.1), its length left out. */
static __always_inline __u64 addresses_sum(const struct segment *s)
{
	__u64 sum = be16(IPPROTO_TCP);

	if (s->tcp_at == TCP_AT_IPV4)
		return sum + get32(s, NETWORK_AT + 12) + get32(s, NETWORK_AT + 16);
#pragma unroll
	for (__u32 i = 8; i < 40; i += 4)
		sum += get32(s, NETWORK_AT + i);
	return sum;
}

/*
 * Makes the first's header that of the whole train, which ends with FIN and PSH as its last
 * segment does. The TCP checksum is the sum of the pseudo header, as after the
 * kernel's GRO (CHECKSUM_PARTIAL).
 */
static __always_inline void train_header(struct train *t, const struct segment *last)
{
	struct segment *h = &t->first;
	__u32 flags = tcp_flags(last) & (TCP_FIN | TCP_PSH);
	__u32 tcp_len = h->header_len - h->tcp_at + t->bytes;
	__u16 check = checksum_fold(addresses_sum(h) + be16(tcp_len));

	if (h->tcp_at == TCP_AT_IPV4) {
		put16(h, NETWORK_AT + 2, be16(20 + tcp_len));
		put16(h, NETWORK_AT + 10, 0);
		put16(h, NETWORK_AT + 10, ~ipv4_sum(h));
		h->bytes[TCP_AT_IPV4 + 13] |= flags;
		put16(h, TCP_AT_IPV4 + 16, check);
	} else {
		put16(h, NETWORK_AT + 4, be16(tcp_len));
		h->bytes[TCP_AT_IPV6 + 13] |= flags;
		put16(h, TCP_AT_IPV6 + 16, check);
	}
}

#endif
