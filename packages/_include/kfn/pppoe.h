/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * PPP over Ethernet, the session stage: RFC 2516, with the protocol numbers of
 * PPP (RFC 1661). Refuses the discovery stage.
 */
#ifndef KFN_PPPOE_H
#define KFN_PPPOE_H

#include "int.h"

/* RFC 2516 section 4 and the PPP protocol field of section 6; network byte order. */
struct pppoe_ses_hdr {
	__u8 version_type;
	__u8 code;
	__be16 session_id;
	__be16 length;
	__be16 protocol;
};

_Static_assert(sizeof(struct pppoe_ses_hdr) == 8, "6 bytes of PPPoE and 2 of PPP");

#define PPPOE_VERSION_TYPE 0x11	/* RFC 2516 section 4: version 1, type 1 */
#define PPPOE_CODE_SESSION 0	/* RFC 2516 section 6 */

/* IANA "PPP DLL Protocol Numbers". Host byte order. */
#define PPP_IP 0x0021		/* RFC 1332 */
#define PPP_IPV6 0x0057		/* RFC 5072 */
#define PPP_MPLS_UC 0x0281	/* RFC 3032 section 4.3 */
#define PPP_MPLS_MC 0x0283	/* RFC 3032 section 4.3 */

/*
 * RFC 1661 section 2: the last bit of a protocol's first octet is 0 and that of
 * its second is 1. A first octet that ends in 1 is a field that was compressed
 * to that one octet (section 6.5), which RFC 2516 section 7 forbids here.
 */
#define PPP_PROTO_BITS 0x0101
#define PPP_PROTO_VALID 0x0001
#define PPP_PROTO_COMPRESSED 0x0100

#endif
