/* SPDX-License-Identifier: Apache-2.0 */
/* Superpackets, and the wire that they go over. */
#ifndef KFN_SUPERPACKET_H
#define KFN_SUPERPACKET_H

#include <linux/virtio_net.h>
#include "kfn-load.h"

#define FRAME_MAX (1 << 17)
#define SEGMENTS_MAX 1024

struct superpacket {
	char name[48];
	unsigned int header, payload, mss;
	struct virtio_net_hdr vnet;
	size_t len;
	unsigned char bytes[FRAME_MAX];			/* but the addresses, which are the wire's */
};

/* superpacket.c */
extern const unsigned int superpackets;			/* how many there are */
void superpacket_make(struct superpacket *p, uint64_t seed, unsigned int index, unsigned int mtu);
void checksum_finish(unsigned char *bytes, size_t len, unsigned int start, unsigned int offset);

struct segment {
	size_t len;
	unsigned char *bytes;				/* with its checksum finished */
};
struct segments {
	size_t count, payload;
	bool whole;					/* one of them is still a superpacket, or merged again */
	struct segment segment[SEGMENTS_MAX];
};

/* wire.c: two ports, and frames that nobody else sends or takes */
struct wire {
	int out, in, control;				/* packet sockets; one for the settings of the receiving port */
	char in_name[16];
	unsigned int mtu;
	uint32_t number;				/* of the last frame */
	bool merging;					/* the receiving port merged before, and is to again */
	unsigned char nonce[4];
};
#define WIRE_NONE ((struct wire){ .out = -1, .in = -1, .control = -1 })
int wire_open(const struct place *out, const struct place *in, bool bypass, struct wire *wire);
int wire_check(struct wire *wire);			/* LOAD_NO_WIRE */
int wire_send(struct wire *wire, const struct superpacket *p, struct segments *into);
void segments_free(struct segments *segments);
void wire_close(struct wire *wire);

/* veth.c: a pair in the network namespace that the process is in; `out` sends at once */
int veth_make(struct place *out, struct place *in);

#endif
