/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ethernet: the header, VLAN tags and ethertypes. Refuses anything above.
 */
#ifndef KFN_ETHERNET_H
#define KFN_ETHERNET_H

#include "int.h"

/* IEEE 802.3 clause 3.1.1; proto in network byte order. */
struct ethhdr {
	__u8 h_dest[6];
	__u8 h_source[6];
	__be16 h_proto;
};

_Static_assert(sizeof(struct ethhdr) == 14, "an Ethernet header is 14 bytes");

/* IEEE 802.1Q clause 9.6: what follows the tag's ethertype. */
struct vlan_hdr {
	__be16 h_vlan_TCI;
	__be16 h_vlan_encapsulated_proto;
};

_Static_assert(sizeof(struct vlan_hdr) == 4, "a VLAN tag is 4 bytes");

/* IANA "IEEE 802 Numbers"; include/uapi/linux/if_ether.h. Host byte order. */
#define ETH_P_IP 0x0800		/* RFC 894 */
#define ETH_P_ARP 0x0806	/* RFC 826 */
#define ETH_P_BATMAN 0x4305	/* batman-adv; not assigned by the IEEE */
#define ETH_P_TEB 0x6558	/* RFC 7637: Transparent Ethernet Bridging */
#define ETH_P_RARP 0x8035	/* RFC 903 */
#define ETH_P_8021Q 0x8100	/* IEEE 802.1Q C-tag */
#define ETH_P_IPV6 0x86DD	/* RFC 2464 */
#define ETH_P_PPP 0x880B	/* RFC 7042: PPP, as PPTP's GRE (RFC 2637) has it */
#define ETH_P_MPLS_UC 0x8847	/* RFC 3032 */
#define ETH_P_MPLS_MC 0x8848	/* RFC 5332 */
#define ETH_P_PPP_SES 0x8864	/* RFC 2516: PPPoE, session stage */
#define ETH_P_8021AD 0x88A8	/* IEEE 802.1Q S-tag */
#define ETH_P_TIPC 0x88CA	/* Transparent Inter-Process Communication */
#define ETH_P_1588 0x88F7	/* IEEE 1588: PTP over Ethernet */
#define ETH_P_PRP 0x88FB	/* IEC 62439-3: PRP supervision, HSR version 0 */
#define ETH_P_CFM 0x8902	/* IEEE 802.1ag: connectivity fault management */
#define ETH_P_FCOE 0x8906	/* INCITS FC-BB-5: Fibre Channel over Ethernet */
#define ETH_P_HSR 0x892F	/* IEC 62439-3: HSR version 1 */

#endif
