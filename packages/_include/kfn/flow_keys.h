/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow dissector hook's half of the kernel's BPF ABI. Refuses to know any
 * packet format.
 *
 * Mirrors include/uapi/linux/bpf.h (struct bpf_flow_keys, BPF_FLOW_DISSECTOR_F_*,
 * enum bpf_ret_code) and include/net/flow_dissector.h (the one flag that the
 * UAPI header does not name). Semantics: Documentation/bpf/prog_flow_dissector.rst.
 */
#ifndef KFN_FLOW_KEYS_H
#define KFN_FLOW_KEYS_H

#include "int.h"

/*
 * In: nhoff == thoff == offset of the first header, n_proto its ethertype,
 * flags; the rest is 0. Out: all but flags. Offsets are bytes from the packet's
 * first byte; the kernel clamps both to what the packet has.
 */
struct bpf_flow_keys {
	__u16 nhoff;
	__u16 thoff;
	__u16 addr_proto;	/* ETH_P_IP or ETH_P_IPV6, host byte order */
	__u8 is_frag;
	__u8 is_first_frag;
	__u8 is_encap;
	__u8 ip_proto;
	__be16 n_proto;
	union {
		struct {
			__be16 sport;
			__be16 dport;
		};
		__be32 ports;	/* ours: both at once, as they lie in the packet */
	};
	union {
		struct {
			__be32 ipv4_src;
			__be32 ipv4_dst;
		};
		struct {
			__u32 ipv6_src[4];
			__u32 ipv6_dst[4];
		};
	};
	__u32 flags;
	__be32 flow_label;
};

_Static_assert(sizeof(struct bpf_flow_keys) == 56, "struct bpf_flow_keys is 56 bytes");
_Static_assert(__builtin_offsetof(struct bpf_flow_keys, ports) == 12, "ports at 12");
_Static_assert(__builtin_offsetof(struct bpf_flow_keys, ipv6_src) == 16, "addresses at 16");
_Static_assert(__builtin_offsetof(struct bpf_flow_keys, flags) == 48, "flags at 48");

/* Also look behind the IP header of a first fragment. */
#define BPF_FLOW_DISSECTOR_F_PARSE_1ST_FRAG (1U << 0)
/* A non-zero IPv6 flow label is all the caller wants to know. */
#define BPF_FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL (1U << 1)
/* Stop behind the first encapsulation's header. */
#define BPF_FLOW_DISSECTOR_F_STOP_AT_ENCAP (1U << 2)
/* Not in the UAPI header, but passed through; only cls_flower sets it. */
#define FLOW_DISSECTOR_F_STOP_BEFORE_ENCAP (1U << 3)

#define BPF_OK 0			/* the keys are good */
#define BPF_DROP 2			/* the keys are used, dissection "failed" */
#define BPF_FLOW_DISSECTOR_CONTINUE 129	/* 6.1+: forget the keys, run the C code */

/* net/core/flow_dissector.c, MAX_FLOW_DISSECT_HDRS: headers behind the first. */
#define MAX_FLOW_DISSECT_HDRS 15

#endif
