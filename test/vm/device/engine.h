/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands between the tagged source of a function and the driver: the packet
 * as the source sees it, and the helpers that it calls. Refuses to include a
 * header: the source brings types of its own under the kernel's names, so its
 * translation unit knows no header of the kernel's.
 */
#ifndef KFN_DEVICE_ENGINE_H
#define KFN_DEVICE_ENGINE_H

struct sk_buff;
struct sk_buff_head;

struct engine_tcp_sock {
	unsigned int ecn_flags;
};

struct engine_socket {
	unsigned int family;
	unsigned int protocol;
	struct engine_tcp_sock tcp;
};

/* What of struct __sk_buff the source reads; then what the helpers work on. */
struct engine_packet {
	unsigned int len;
	unsigned int vlan_present;
	unsigned int ifindex;
	unsigned int gso_size;
	struct engine_socket *sk;

	struct engine_socket socket;
	struct sk_buff *skb;
	struct sk_buff_head *sent;
};

struct engine {
	const char *name;
	const char *tag;
	/* The program: a value of enum tcx_action_base. */
	int (*run)(struct engine_packet *packet);
};

extern const struct engine engine_first, engine_second;

/* What the kernel does in the helper of that name (net/core/filter.c). */
void *engine_map_value(unsigned int index, unsigned long size);
unsigned int engine_processor(void);
long engine_load_bytes(const struct engine_packet *packet, unsigned int offset, void *to, unsigned int len);
long engine_load_bytes_relative(const struct engine_packet *packet, unsigned int offset, void *to,
				unsigned int len, unsigned int start);
long engine_store_bytes(struct engine_packet *packet, unsigned int offset, const void *from, unsigned int len,
			unsigned long long flags);
long engine_change_tail(struct engine_packet *packet, unsigned int len, unsigned long long flags);
long engine_clone_redirect(struct engine_packet *packet, unsigned int ifindex, unsigned long long flags);
long engine_redirect(unsigned int ifindex, unsigned long long flags);
struct engine_socket *engine_fullsock(struct engine_socket *sk);
struct engine_tcp_sock *engine_tcp_sock(struct engine_socket *sk);
long engine_csum_level(struct engine_packet *packet, unsigned long long level);
long engine_loop(unsigned int count, void *callback, void *context, unsigned long long flags);

#endif
