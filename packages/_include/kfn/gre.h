/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Generic routing encapsulation, version 0: RFC 2784 with the key and sequence
 * options of RFC 2890; and version 1, which is PPTP's: RFC 2637. Refuses
 * RFC 1701's source routes.
 */
#ifndef KFN_GRE_H
#define KFN_GRE_H

#include "int.h"

/* RFC 2784 section 2.1; both fields in network byte order. */
struct gre_base_hdr {
	__be16 flags;
	__be16 protocol;	/* an ethertype */
};

_Static_assert(sizeof(struct gre_base_hdr) == 4, "a GRE header has 4 bytes before options");

/* Of flags, host byte order. */
#define GRE_CSUM 0x8000		/* RFC 2784 section 2.2 */
#define GRE_ROUTING 0x4000	/* RFC 1701; reserved since RFC 2784 */
#define GRE_KEY 0x2000		/* RFC 2890 section 2.1 */
#define GRE_SEQ 0x1000		/* RFC 2890 section 2.2 */
#define GRE_ACK 0x0080		/* RFC 2637 section 4.1, version 1 only */
#define GRE_VERSION 0x0007	/* RFC 2784 section 2.3.1: 0; RFC 2637: 1 */

#define GRE_OPTION_LEN 4	/* bytes: checksum and reserved1, key, sequence number, acknowledgement */

/* RFC 1661 section 2, RFC 1662 section 3.1: what a packet of PPTP begins with. */
struct ppp_hdr {
	__u8 address;
	__u8 control;
	__be16 protocol;
};

_Static_assert(sizeof(struct ppp_hdr) == 4, "address, control and protocol are 4 bytes");

#endif
