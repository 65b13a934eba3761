/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Link protocols of plants, storage and meshes, as far as their lengths and
 * what they carry. Refuses their meaning.
 */
#ifndef KFN_INDUSTRIAL_H
#define KFN_INDUSTRIAL_H

#include "ethernet.h"
#include "int.h"

/* IEC 62439-3 clause 5.6: what follows the tag's ethertype; network byte order. */
struct hsr_tag {
	__be16 path_and_size;
	__be16 sequence;
	__be16 encap_proto;	/* an ethertype */
};

_Static_assert(sizeof(struct hsr_tag) == 6, "an HSR tag is 6 bytes");

/* include/uapi/linux/batadv_packet.h, struct batadv_unicast_packet, and the frame it carries. */
struct batadv_unicast {
	__u8 packet_type;
	__u8 version;
	__u8 ttl;
	__u8 ttvn;
	__u8 dest[6];
	struct ethhdr eth;
};

_Static_assert(sizeof(struct batadv_unicast) == 24, "10 bytes of batman-adv and 14 of Ethernet");

#define BATADV_UNICAST 0x40	/* of packet_type: one frame, not a fragment of one */
#define BATADV_VERSION 15	/* compatibility version, the only one there has been since 2014 */

/* IEEE 1588-2019 clause 13.3: every PTP message begins with these. */
struct ptp_header {
	__u8 bytes[34];
};

/* INCITS FC-BB-5: version, reserved, start of frame (14 bytes), then an FC header (24). */
struct fcoe_header {
	__u8 bytes[38];
};

#endif
