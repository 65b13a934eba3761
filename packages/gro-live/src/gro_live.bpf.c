// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Live receive offload for TCP, by looking ahead: a segment is taken out, and its
 * payload kept, only if the packet that comes next from this CPU's backlog
 * continues it. That packet then brings all of it, or is taken out itself.
 * So nothing waits for a packet that may not come. Refuses whatever is unusual,
 * has a socket already, or is not for a socket of this namespace.
 *
 * A packet is made longer only while it has no socket. One that has (it came over
 * veth from a sender here) would be charged for what it was, and TCP of the
 * receiver divides by what it computes of that (tcp_rcvbuf_grow(): an oops on
 * Linux 6.18.44). Whether the charge did grow is looked at before it goes on.
 */
#include "kfn/int.h"
#include "kfn/program.h"
#include "kfn/note.h"
#include "kfn/map.h"
#include "kfn/sched_cls.h"
#include "kernel_types.h"
#include "socket.h"
#include "segment.h"
#include "train.h"
#include "backlog.h"

KFN_NOTE("gro-live", "1", ">=6.6",
	 KFN_FEATURE("device:backlog")
	 KFN_FEATURE("ksym:bpf_cast_to_kern_ctx")
	 KFN_FEATURE("ksym:softnet_data")
	 KFN_FEATURE("link:tcx")
	 KFN_FEATURE("prog_type:sched_cls"));
KFN_LICENSE("Dual BSD/GPL");

/* What a segment may have of payload; with what is there before it ends within the buffer. */
#define PAYLOAD_MAX 16384

struct buffer {
	/* Counted since the program was loaded. */
	__u64 absorbed;			/* segments taken out */
	__u64 delivered;		/* packets that brought them */
	__u64 missed;			/* trains whose next packet did not come: lost, as a packet is */
	__u64 failed;			/* trains that memory was missing for: lost */
	__u32 busy;
	struct train train;
	struct segment segment;		/* of the packet that is here */
	struct segment next;		/* of the one behind it */
	__u8 payload[2 * PAYLOAD_MAX - 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KFN_POSSIBLE_CPUS);
	__type(key, __u32);
	__type(value, struct buffer);
} gro_live_buffer SEC(".maps");

/*
 * From here on clang knows nothing of the value: it would check another register
 * than the one that is used.
 */
#define GRO_LIVE_OPAQUE(value) __asm__("" : "+r"(value))

static __always_inline int read_segment(struct __sk_buff *skb, struct segment *s)
{
	__u32 head = skb->len < HEADER_MAX ? skb->len : HEADER_MAX;

	GRO_LIVE_OPAQUE(head);
	if (head < HEADER_MIN || head > HEADER_MAX)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, s->bytes, head))
		return 0;
	s->len = skb->len;
	return segment_parse(s);
}

/* Whether a connection of this namespace waits for it: then nothing will send it on. */
static __always_inline int is_delivered_here(struct __sk_buff *skb, const struct segment *s)
{
	union address_pair pair;
	struct connection *sk;
	__u32 state;

	if (s->tcp_at == TCP_AT_IPV4) {
		__builtin_memcpy(pair.ipv4.addresses, s->bytes + NETWORK_AT + 12, 8);
		__builtin_memcpy(pair.ipv4.ports, s->bytes + TCP_AT_IPV4, 4);
		sk = bpf_sk_lookup_tcp(skb, &pair, sizeof(pair.ipv4), BPF_F_CURRENT_NETNS, 0);
	} else {
		__builtin_memcpy(pair.ipv6.addresses, s->bytes + NETWORK_AT + 8, 32);
		__builtin_memcpy(pair.ipv6.ports, s->bytes + TCP_AT_IPV6, 4);
		sk = bpf_sk_lookup_tcp(skb, &pair, sizeof(pair.ipv6), BPF_F_CURRENT_NETNS, 0);
	}
	if (!sk)
		return 0;
	state = sk->state;
	bpf_sk_release(sk);
	return state == BPF_TCP_ESTABLISHED;
}

static __always_inline int is_plain(struct __sk_buff *skb, const struct sk_buff *kernel)
{
	return !skb->gso_size && !skb->vlan_present && skb->pkt_type == PACKET_HOST && kernel->mac_len == NETWORK_AT;
}

/* Puts the payload of the packet behind those before it. */
static __always_inline int append(struct __sk_buff *skb, struct buffer *b)
{
	__u32 at = b->train.bytes, len = b->segment.payload_len - 1;

	GRO_LIVE_OPAQUE(at);
	GRO_LIVE_OPAQUE(len);
	if (at >= PAYLOAD_MAX || len >= PAYLOAD_MAX - 1)
		return -1;
	GRO_LIVE_OPAQUE(at);
	GRO_LIVE_OPAQUE(len);
	if (bpf_skb_load_bytes(skb, b->segment.header_len, b->payload + at, len + 1))
		return -1;
	b->train.bytes += b->segment.payload_len;
	return 0;
}

static __always_inline int lose(__u64 *counter, struct train *t, int verdict)
{
	(*counter)++;
	t->segments = 0;
	return verdict;
}

/* Makes the packet the whole train. */
static __always_inline int deliver(struct __sk_buff *skb, const struct sk_buff *kernel, struct buffer *b)
{
	struct train *t = &b->train;
	__u32 header_len = t->first.header_len, payload_len = t->bytes - 1;

	if (skb->sk || bpf_skb_change_tail(skb, header_len + t->bytes, 0))
		return lose(&b->failed, t, TC_ACT_UNSPEC);
	/* From here on it is no longer the segment that came, and must be the train or nothing. */
	train_header(t, &b->segment);
	GRO_LIVE_OPAQUE(header_len);
	GRO_LIVE_OPAQUE(payload_len);
	if (header_len < HEADER_MIN || header_len > HEADER_MAX || payload_len >= 2 * PAYLOAD_MAX - 1)
		return lose(&b->failed, t, TC_ACT_SHOT);
	GRO_LIVE_OPAQUE(header_len);
	GRO_LIVE_OPAQUE(payload_len);
	if (kernel->truesize <= skb->len || bpf_skb_store_bytes(skb, 0, t->first.bytes, header_len, 0) ||
	    bpf_skb_store_bytes(skb, header_len, b->payload, payload_len + 1, 0))
		return lose(&b->failed, t, TC_ACT_SHOT);
	b->delivered++;
	t->segments = 0;
	return TC_ACT_UNSPEC;
}

/* Whether the packet behind this one in the backlog continues the train, and will be able to bring it. */
static __always_inline int goes_on(struct buffer *b, const struct sk_buff *kernel)
{
	struct train *t = &b->train;
	struct sk_buff *next = backlog_next();

	/* A short one ends a train, as PSH and FIN do. */
	if (is_head(next) || (tcp_flags(&b->segment) & (TCP_PSH | TCP_FIN)) || b->segment.payload_len != t->mss)
		return 0;
	if (!backlog_read(next, kernel->dev, t->checksum, &b->next) || !train_takes(t, &b->next))
		return 0;
	if (t->first.header_len + t->bytes + b->segment.payload_len + b->next.payload_len > FRAME_MAX)
		return 0;
	t->awaited = (__u64)next;
	return 1;
}

/* Of a segment that is the first, or that was awaited. */
static __always_inline int pass_on(struct __sk_buff *skb, const struct sk_buff *kernel, struct buffer *b)
{
	struct train *t = &b->train;
	int absorbs = goes_on(b, kernel);

	if (t->segments == 1 && (!absorbs || !is_delivered_here(skb, &b->segment))) {
		t->segments = 0;
		return TC_ACT_UNSPEC;
	}
	if (append(skb, b))
		return lose(&b->failed, t, TC_ACT_UNSPEC);
	if (!absorbs)
		return deliver(skb, kernel, b);
	b->absorbed++;
	return TC_ACT_SHOT;
}

static __always_inline int receive(struct __sk_buff *skb, struct buffer *b)
{
	const struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct train *t = &b->train;
	int awaited = (__u64)kernel == t->awaited;
	__u32 checksum;

	/* It came another way than over the backlog, and before that which is awaited. */
	if (t->segments && !awaited && (__u64)backlog_next() == t->awaited)
		return TC_ACT_UNSPEC;
	if (t->segments && !awaited)
		lose(&b->missed, t, 0);
	if (!is_plain(skb, kernel) || !read_segment(skb, &b->segment))
		return t->segments ? lose(&b->missed, t, TC_ACT_UNSPEC) : TC_ACT_UNSPEC;
	checksum = checksum_state(kernel);
	if (t->segments && (checksum != t->checksum || !train_takes(t, &b->segment)))
		lose(&b->missed, t, 0);
	if (t->segments) {
		train_join(t, &b->segment);
		return pass_on(skb, kernel, b);
	}
	if (checksum != CHECKSUM_PARTIAL && checksum != CHECKSUM_UNNECESSARY)
		return TC_ACT_UNSPEC;
	train_start(t, &b->segment, checksum);
	return pass_on(skb, kernel, b);
}

SEC("tc/ingress")
int gro_live(struct __sk_buff *skb)
{
	struct buffer *b;
	int verdict;
	__u32 cpu;

	cpu = bpf_get_smp_processor_id();
	b = bpf_map_lookup_elem(&gro_live_buffer, &cpu);
	/* A test run of the program, in the midst of which the CPU receives. */
	if (!b || b->busy)
		return TC_ACT_UNSPEC;
	b->busy = 1;
	verdict = receive(skb, b);
	b->busy = 0;
	return verdict;
}
