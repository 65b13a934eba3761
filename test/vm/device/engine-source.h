/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Compiles the tagged source of tso, not a byte of it changed, as the engine
 * ENGINE_NAME. Stands in for the two of its headers that say what a helper of BPF
 * is, kfn/sched_cls.h and kfn/map.h: the same guards, included first. Refuses
 * anything that the source does not ask for.
 */
#include "engine.h"

/* The build of the kernel defines these before the first line; the source has its own. */
#undef __always_inline
#undef noinline
#undef likely
#undef unlikely

#define ENGINE_JOIN(a, b) a##_##b
#define ENGINE_SYMBOL(a, b) ENGINE_JOIN(a, b)
#define ENGINE_TEXT(a) #a
#define ENGINE_STRING(a) ENGINE_TEXT(a)

/* Two engines in one module: their symbols must differ. */
#define tso_egress ENGINE_SYMBOL(tso_egress, ENGINE_NAME)
#define tso_buffer ENGINE_SYMBOL(tso_buffer, ENGINE_NAME)
#define kfn_license ENGINE_SYMBOL(kfn_license, ENGINE_NAME)

#define KFN_SCHED_CLS_H
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT 2
#define AF_INET 2
#define AF_INET6 10
#define AF_PACKET 17
#define BPF_HDR_START_NET 1
#define TCP_ECN_MODE_RFC3168 0x01
#define TCP_ECN_MODE_ACCECN 0x10
#define BPF_CSUM_LEVEL_QUERY 0
#define BPF_CSUM_LEVEL_INC 1
#define BPF_CSUM_LEVEL_DEC 2
#define __sk_buff engine_packet
#define bpf_sock engine_socket
#define bpf_skb_load_bytes engine_load_bytes
#define bpf_skb_load_bytes_relative engine_load_bytes_relative
#define bpf_skb_store_bytes engine_store_bytes
#define bpf_skb_change_tail engine_change_tail
#define bpf_clone_redirect engine_clone_redirect
#define bpf_redirect engine_redirect
#define bpf_sk_fullsock engine_fullsock
#define bpf_tcp_sock engine_tcp_sock	/* the helper, and its structure */
#define bpf_csum_level engine_csum_level
#define bpf_loop engine_loop

#define KFN_MAP_H
#define __uint(name, number) int (*name)[number]
#define __type(name, type) __typeof__(type) *name
#define BPF_MAP_TYPE_ARRAY 2
#define KFN_POSSIBLE_CPUS 0
#define bpf_map_lookup_elem(map, key) engine_map_value(*(key), sizeof(*(map)->value))
#define bpf_get_smp_processor_id engine_processor

int tso_egress(struct engine_packet *packet);

#include "tso.bpf.c"

const struct engine ENGINE_SYMBOL(engine, ENGINE_NAME) = {
	.name = ENGINE_STRING(ENGINE_NAME),
	.tag = ENGINE_TAG,
	.run = tso_egress,
};
