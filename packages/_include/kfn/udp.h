/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP (RFC 768) and the headers of tunnels over it. Refuses to know their
 * ports: those are the operator's.
 */
#ifndef KFN_UDP_H
#define KFN_UDP_H

#include "int.h"

/* RFC 768; network byte order. */
struct udphdr {
	union {
		struct {
			__be16 source;
			__be16 dest;
		};
		__be32 ports;
	};
	__be16 len;
	__be16 check;
};

_Static_assert(sizeof(struct udphdr) == 8, "a UDP header is 8 bytes");

/* RFC 7348 section 5; an Ethernet frame follows. */
struct vxlanhdr {
	__u8 flags;
	__u8 reserved[3];
	__be32 vni;
};

_Static_assert(sizeof(struct vxlanhdr) == 8, "a VXLAN header is 8 bytes");

#define VXLAN_I 0x08	/* of flags: the VNI is valid, "MUST be set to 1" */

/* RFC 8926 section 3.4. */
struct genevehdr {
	__u8 version_optlen;
	__u8 flags;
	__be16 protocol;	/* an ethertype */
	__be32 vni;
};

_Static_assert(sizeof(struct genevehdr) == 8, "a Geneve header has 8 bytes before options");

#define GENEVE_VERSION 0xc0	/* of version_optlen: 0 */
#define GENEVE_OPTLEN 0x3f	/* of version_optlen: options in words of 4 bytes */
#define GENEVE_CONTROL 0x80	/* of flags: a control message, no packet */

/* draft-ietf-intarea-gue-09 section 3.1. */
struct guehdr {
	__u8 variant_control_hlen;
	__u8 protocol;		/* an IP protocol */
	__be16 flags;
};

_Static_assert(sizeof(struct guehdr) == 4, "a GUE header has 4 bytes before its fields");

#define GUE_VARIANT 0xc0	/* of the first byte */
#define GUE_CONTROL 0x20	/* variant 0: a control message, no packet */
#define GUE_HLEN 0x1f		/* variant 0: what follows the 4 bytes, in words of 4 bytes */
#define GUE_DIRECT 0x40		/* variant 1 (section 4): no header at all, an IP packet */
#define GUE_IP_VERSION 0xf0	/* variant 1: the IP version is in the same byte */

#endif
