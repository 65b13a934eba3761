/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP (RFC 9293): the header and its flags. Refuses options: whoever needs
 * their bytes takes them as they are.
 */
#ifndef KFN_TCP_H
#define KFN_TCP_H

#include "int.h"

/* RFC 9293 section 3.1; every field in network byte order. */
struct tcphdr {
	__be16 source;
	__be16 dest;
	__be32 seq;
	__be32 ack_seq;
	__u8 doff_res;
	__u8 flags;
	__be16 window;
	__be16 check;
	__be16 urg_ptr;
};

_Static_assert(sizeof(struct tcphdr) == 20, "a TCP header has 20 bytes before options");

#define TCP_DOFF_MIN 5	/* of doff_res, upper 4 bits: header length in words of 4 bytes */

/* Of flags: RFC 9293 section 3.1, RFC 3168 section 6.1 for ECE and CWR. */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#endif
