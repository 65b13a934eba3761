/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IPv6 (RFC 8200): the fixed header and the extension headers that chain.
 * Refuses the options inside of them.
 */
#ifndef KFN_IPV6_H
#define KFN_IPV6_H

#include "int.h"

/*
 * RFC 8200 section 3; every field in network byte order. Addresses are halves
 * of 8 bytes, so that copying both takes four loads.
 */
struct ipv6hdr {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
	__u64 saddr[2];
	__u64 daddr[2];
};

_Static_assert(sizeof(struct ipv6hdr) == 40, "an IPv6 header is 40 bytes");

#define IPV6_FLOWLABEL 0x000fffff	/* of version_class_label; RFC 6437 */

/* RFC 8200 sections 4.3, 4.4 and 4.6: what these three begin with. */
struct ipv6_opt_hdr {
	__u8 nexthdr;
	__u8 hdrlen;	/* in units of 8 bytes, without the first 8 */
};

_Static_assert(sizeof(struct ipv6_opt_hdr) == 2, "2 bytes that three headers share");

/* RFC 8200 section 4.5. */
struct frag_hdr {
	__u8 nexthdr;
	__u8 reserved;
	__be16 frag_off;
	__be32 identification;
};

_Static_assert(sizeof(struct frag_hdr) == 8, "a fragment header is 8 bytes");

#define IP6_OFFSET 0xfff8	/* of frag_off: in units of 8 bytes, shifted by 3 */

/* IANA "IPv6 Extension Header Types"; include/net/ipv6.h. */
#define NEXTHDR_HOP 0		/* RFC 8200 section 4.3 */
#define NEXTHDR_ROUTING 43	/* RFC 8200 section 4.4; RFC 8754 for segment routing */
#define NEXTHDR_FRAGMENT 44	/* RFC 8200 section 4.5 */
#define NEXTHDR_DEST 60		/* RFC 8200 section 4.6 */

#endif
