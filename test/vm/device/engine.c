// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The helpers that a tagged source calls, over a packet that the driver was given
 * to send. Each does what net/core/filter.c does in the helper of its name, and
 * refuses what that refuses.
 */
#include <linux/cpumask.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/sock.h>

#include "device.h"
#include "engine.h"

#define BPF_HDR_START_NET 1
#define CSUM_LEVEL_QUERY 0
#define CSUM_LEVEL_INC 1
#define CSUM_LEVEL_DEC 2
#define ACT_UNSPEC (-1)
#define ACT_REDIRECT 7
/* SKB_MAX_ALLOC: what bpf_skb_change_tail() takes. */
#define TAIL_MAX 16064
/* More than the value of the source's map. */
#define MEMORY (128 << 10)

static void **memory;	/* by CPU */

int engine_memory_init(void)
{
	unsigned int cpu;

	memory = kcalloc(nr_cpu_ids, sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		memory[cpu] = kvzalloc(MEMORY, GFP_KERNEL);
		if (!memory[cpu]) {
			engine_memory_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void engine_memory_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		kvfree(memory[cpu]);
	kfree(memory);
}

/* Both engines have the same memory: one runs on a CPU at a time. */
void *engine_map_value(unsigned int index, unsigned long size)
{
	return WARN_ON_ONCE(size > MEMORY) || index >= nr_cpu_ids ? NULL : memory[index];
}

unsigned int engine_processor(void)
{
	return smp_processor_id();
}

long engine_load_bytes(const struct engine_packet *packet, unsigned int offset, void *to, unsigned int len)
{
	if (offset <= INT_MAX && len <= INT_MAX && !skb_copy_bits(packet->skb, offset, to, len))
		return 0;
	memset(to, 0, len);
	return -EFAULT;
}

long engine_load_bytes_relative(const struct engine_packet *packet, unsigned int offset, void *to,
				unsigned int len, unsigned int start)
{
	if (start == BPF_HDR_START_NET)
		offset += skb_network_offset(packet->skb);
	return engine_load_bytes(packet, offset, to, len);
}

long engine_store_bytes(struct engine_packet *packet, unsigned int offset, const void *from, unsigned int len,
			unsigned long long flags)
{
	if (flags || offset > INT_MAX || len > packet->len || offset > packet->len - len)
		return -EFAULT;
	if (skb_ensure_writable(packet->skb, offset + len))
		return -EFAULT;
	return skb_store_bits(packet->skb, offset, from, len);
}

long engine_change_tail(struct engine_packet *packet, unsigned int len, unsigned long long flags)
{
	struct sk_buff *skb = packet->skb;

	if (flags || len > TAIL_MAX || len > packet->len)
		return -EINVAL;
	if (skb_linearize(skb) || skb_unclone(skb, GFP_ATOMIC) || pskb_trim(skb, len))
		return -ENOMEM;
	skb_gso_reset(skb);
	packet->len = len;
	packet->gso_size = 0;
	return 0;
}

long engine_clone_redirect(struct engine_packet *packet, unsigned int ifindex, unsigned long long flags)
{
	struct sk_buff *copy;

	if (flags || ifindex != packet->ifindex)
		return -EINVAL;
	/* A clone shares the bytes, which the next segment is written over. */
	copy = skb_copy(packet->skb, GFP_ATOMIC);
	if (!copy)
		return -ENOMEM;
	__skb_queue_tail(packet->sent, copy);
	return 0;
}

long engine_redirect(unsigned int ifindex, unsigned long long flags)
{
	return flags ? -EINVAL : ACT_REDIRECT;
}

struct engine_socket *engine_fullsock(struct engine_socket *sk)
{
	return sk->family ? sk : NULL;
}

struct engine_tcp_sock *engine_tcp_sock(struct engine_socket *sk)
{
	return sk->family && sk->protocol == IPPROTO_TCP ? &sk->tcp : NULL;
}

long engine_csum_level(struct engine_packet *packet, unsigned long long level)
{
	struct sk_buff *skb = packet->skb;

	switch (level) {
	case CSUM_LEVEL_INC:
		__skb_incr_checksum_unnecessary(skb);
		return 0;
	case CSUM_LEVEL_DEC:
		__skb_decr_checksum_unnecessary(skb);
		return 0;
	case CSUM_LEVEL_QUERY:
		return skb->ip_summed == CHECKSUM_UNNECESSARY ? skb->csum_level : -EACCES;
	}
	return -EINVAL;
}

long engine_loop(unsigned int count, void *callback, void *context, unsigned long long flags)
{
	long (*turn)(unsigned int index, void *context) = callback;
	unsigned int i;

	if (flags)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		if (turn(i, context))
			break;
	}
	return i;
}

static void read_socket(struct engine_packet *packet, struct sock *sk)
{
	if (!sk)
		return;
	packet->sk = &packet->socket;
	if (!sk_fullsock(sk))
		return;
	packet->socket.family = sk->sk_family;
	packet->socket.protocol = sk->sk_protocol;
	if (sk->sk_protocol == IPPROTO_TCP)
		packet->socket.tcp.ecn_flags = tcp_sk(sk)->ecn_flags;
}

bool engine_segment(const struct engine *engine, struct sk_buff *skb, struct sk_buff_head *sent)
{
	struct engine_packet packet = {
		.len = skb->len,
		.vlan_present = skb_vlan_tag_present(skb),
		.ifindex = skb->dev->ifindex,
		.gso_size = skb_shinfo(skb)->gso_size,
		.skb = skb,
		.sent = sent,
	};
	int verdict;

	read_socket(&packet, skb->sk);
	verdict = engine->run(&packet);
	if (verdict == ACT_UNSPEC)
		return false;
	if (verdict == ACT_REDIRECT)
		__skb_queue_tail(sent, skb);
	else
		kfree_skb(skb);
	return true;
}
