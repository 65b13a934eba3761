// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The program, compiled for the host, behind the kernel's half of the hook: what
 * net/core/filter.c does in the helpers that it calls. Refuses to give it a byte
 * that the kernel would not.
 *
 * stdin: struct question and the packet, repeated. stdout for each: u32 the
 * program's answer, u32 gso_size then, u32 helpers called that can fail, u32
 * count, and count times u32 length and the packet: what was sent, in order, the
 * packet itself last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched_cls.h"

#define IPPROTO_TCP 6
#define ENOMEM 12
#define EINVAL 22
/* include/linux/skbuff.h, SKB_MAX_ALLOC with pages of 4 KiB: BPF_SKB_MAX_LEN. */
#define SKB_MAX_LEN 16064

struct question {
	__u32 length;
	__u32 gso_size;
	__u32 family;		/* of the socket; 0: none */
	__u32 protocol;		/* of the socket */
	__u32 partial;		/* 1: CHECKSUM_PARTIAL, 0: NONE, 2: UNNECESSARY */
	__u32 network_at;
	__u32 vlan;
	__u32 busy;		/* the buffer is in use */
	__u32 ecn_flags;	/* of the socket */
	__u32 fails;		/* which call of a helper that can fail does; 0: none */
};

static struct question question;
static __u32 calls, sent_count;
static __u8 *sent;
static unsigned long sent_size;
static void *buffer;
static unsigned long buffer_size;

static int failed(void)
{
	return ++calls == question.fails;
}

static void *need(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

void *map_value(__u32 index, unsigned long size)
{
	if (index)
		abort();
	if (!buffer) {
		buffer = need(malloc(size));
		buffer_size = size;
		/* What was there before means nothing; but that it is not busy. */
		memset(buffer, 0xa5, size);
		memset(buffer, 0, sizeof(__u32));
	}
	if (question.busy)
		*(__u32 *)buffer = 1;
	return buffer;
}

__u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

long bpf_skb_store_bytes(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags)
{
	if (flags || offset > skb->len || len > skb->len - offset || failed())
		return -ENOMEM;
	memcpy(skb->bytes + offset, from, len);
	return 0;
}

long bpf_skb_load_bytes(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len)
{
	if (offset > skb->len || len > skb->len - offset || failed()) {
		memset(to, 0, len);
		return -EINVAL;
	}
	memcpy(to, skb->bytes + offset, len);
	return 0;
}

long bpf_skb_load_bytes_relative(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len, __u32 start)
{
	return bpf_skb_load_bytes(skb, offset + (start == BPF_HDR_START_NET ? skb->network_at : 0), to, len);
}

long bpf_skb_change_tail(struct __sk_buff *skb, __u32 len, __u64 flags)
{
	if (flags || len > SKB_MAX_LEN || failed())
		return -EINVAL;
	if (len > skb->len)
		abort();
	skb->bytes = need(realloc(skb->bytes, len));
	skb->len = len;
	skb->gso_size = 0;
	return 0;
}

struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)
{
	return sk->full ? sk : NULL;
}

struct bpf_tcp_sock *bpf_tcp_sock(struct bpf_sock *sk)
{
	return sk->full && sk->protocol == IPPROTO_TCP ? &sk->tcp : NULL;
}

long bpf_csum_level(struct __sk_buff *skb, __u64 level)
{
	switch (level) {
	case BPF_CSUM_LEVEL_QUERY:
		return skb->partial || skb->level < 0 ? -13 : skb->level;
	case BPF_CSUM_LEVEL_INC:
		skb->level += !skb->partial;
		return 0;
	case BPF_CSUM_LEVEL_DEC:
		skb->level -= !skb->partial;
		return 0;
	}
	return -EINVAL;
}

static void send_packet(const struct __sk_buff *skb)
{
	sent = need(realloc(sent, sent_size + sizeof(skb->len) + skb->len));
	memcpy(sent + sent_size, &skb->len, sizeof(skb->len));
	memcpy(sent + sent_size + sizeof(skb->len), skb->bytes, skb->len);
	sent_size += sizeof(skb->len) + skb->len;
	sent_count++;
}

/* The clone has no socket, and passes the hook as well. */
long bpf_clone_redirect(struct __sk_buff *skb, __u32 ifindex, __u64 flags)
{
	struct __sk_buff clone = *skb;

	if (flags || ifindex != skb->ifindex)
		abort();
	if (failed())
		return -ENOMEM;
	clone.sk = NULL;
	if (tso_egress(&clone) != TC_ACT_UNSPEC)
		abort();
	send_packet(&clone);
	return 0;
}

long bpf_redirect(__u32 ifindex, __u64 flags)
{
	if (flags || ifindex != 7)
		abort();
	return TC_ACT_REDIRECT;
}

long bpf_loop(__u32 count, void *callback, void *context, __u64 flags)
{
	long (*turn)(__u32, void *) = callback;
	__u32 i;

	if (flags || count > 1 << 23)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (turn(i, context))
			break;
	}
	return i;
}

static void put(__u32 value)
{
	fwrite(&value, sizeof(value), 1, stdout);
}

static void answer(void)
{
	struct bpf_sock sk = {
		.family = question.family,
		.protocol = question.protocol,
		.full = 1,
		.tcp = { .ecn_flags = question.ecn_flags },
	};
	struct __sk_buff skb = {
		.len = question.length,
		.vlan_present = question.vlan,
		.ifindex = 7,
		.gso_size = question.gso_size,
		.sk = question.family ? &sk : NULL,
		.bytes = need(malloc(question.length)),
		.network_at = question.network_at,
		.partial = question.partial == 1,
		.level = question.partial == 2 ? 0 : -1,
	};
	int level = skb.level;
	__u32 verdict;

	if (fread(skb.bytes, question.length, 1, stdin) != 1)
		exit(2);
	calls = sent_count = sent_size = 0;
	verdict = tso_egress(&skb);
	if (skb.level != level || (buffer && *(__u32 *)buffer != question.busy))
		abort();
	/* It starts anew, as the last of its segments. */
	if (verdict == TC_ACT_REDIRECT && tso_egress(&skb) != TC_ACT_UNSPEC)
		abort();
	send_packet(&skb);
	put(verdict);
	put(skb.gso_size);
	put(calls);
	put(sent_count);
	fwrite(sent, sent_size, 1, stdout);
	free(skb.bytes);
	free(buffer);
	buffer = NULL;
}

int main(void)
{
	while (fread(&question, sizeof(question), 1, stdin) == 1)
		answer();
	free(sent);
	return fflush(stdout) ? 1 : 0;
}
