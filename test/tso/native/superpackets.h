/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Superpackets to segment. Refuses to know who segments them. */
#ifndef KFN_TEST_SUPERPACKETS_H
#define KFN_TEST_SUPERPACKETS_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

#define SUPERPACKET_ROOM (1 << 17)
#define NAME_SIZE 64

struct superpacket_case {
	char name[NAME_SIZE];
	int ours;	/* to be segmented by the program; 0: to be left alone */
	unsigned int segments;
	struct virtio_net_hdr vnet;
	size_t len;
	uint8_t bytes[SUPERPACKET_ROOM];
};

/* The table of shapes: 1, or 0 behind its end. */
int table_case(struct superpacket_case *c, unsigned int index);

/* Any shape, of a seed and a number alone. */
void random_case(struct superpacket_case *c, uint64_t seed, unsigned int index);

/* What every packet of a case begins with: a broadcast from a private address. */
#define CASE_MARK "\xff\xff\xff\xff\xff\xff\x02\x4b"

/* Bytes 8 to 11 of the packet, in its source address: which case it is of. */
#define CASE_AT 8

#endif
