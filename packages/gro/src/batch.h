/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The batch: what goes into the function and, rewritten in place, what comes
 * out. Bodies are not in it: their lengths and whether the checksum over them
 * is right are. The layout is described field by field in README.md; numbers
 * are little-endian unless they are header bytes.
 */
#ifndef GRO_BATCH_H
#define GRO_BATCH_H

#include "kfn/int.h"
#include "kfn/program.h"

#define GRO_MAGIC 0x314f5247	/* "GRO1" */
#define GRO_PACKETS 64		/* one NAPI poll: NAPI_POLL_WEIGHT */
#define GRO_HEAD 256

/* gro_packet.state: what became of a packet. */
enum gro_state {
	GRO_STATE_NONE,		/* as it comes in */
	GRO_STATE_HELD,		/* only while the function runs */
	GRO_STATE_MERGED,	/* its payload went to the end of packet `into` */
	GRO_STATE_NORMAL,	/* went on as it is, never held */
	GRO_STATE_COMPLETE,	/* was held, went on; merged if count > 1 */
};

/* gro_packet.csum: the TCP checksum, as the kernel or the device finds it. */
#define GRO_CSUM_GOOD 1

/* gro_packet.gso: SKB_GSO_… in bits of its own. */
#define GRO_GSO_TCPV4 1
#define GRO_GSO_TCPV6 2
#define GRO_GSO_FIXEDID 4
#define GRO_GSO_ACCECN 8

struct gro_packet {
	/* in */
	__u32 len;		/* of the frame, Ethernet header included; out: of the merged frame */
	__u32 hash;		/* skb->hash, 0 if none: chooses the bucket, and flows differ by it */
	__u32 vlan;		/* a tag that the device took off: protocol << 16 | TCI, 0 if none */
	__u8 csum;
	/* out */
	__u8 state;
	__u8 into;		/* MERGED: index of the packet that it went into */
	__u8 order;		/* NORMAL, COMPLETE: the how-manieth to be delivered */
	__u8 count;		/* COMPLETE: packets in it */
	__u8 gso;
	__u16 gso_size;		/* COMPLETE and count > 1 */
	__u16 payload;		/* where the payload starts in the frame */
	__u8 transport;		/* where the TCP header starts */
	__u8 fixedid;
	__u32 zero;
	__u32 mss;
	__u8 head[GRO_HEAD];	/* first bytes of the frame; out: the header as delivered */
};

struct gro_batch {
	__u32 magic;
	__u32 packets;		/* 1 to GRO_PACKETS */
	__u32 max_size;		/* the device's gro_max_size, up to 65536 */
	__u32 ipv4_max_size;	/* the device's gro_ipv4_max_size, up to 65536 */
	/* out */
	__u32 delivered;
	__u32 beyond;		/* a packet's headers did not end within its head: no answer */
	/* scratch: 1 + indices of held packets, of the same flow and of the same bucket */
	__u16 found;
	__u16 oldest;
	__u32 held;
	struct gro_packet packet[GRO_PACKETS];
};

#define GRO_BATCH_HEADER 32
#define GRO_BATCH_SIZE(packets) (GRO_BATCH_HEADER + (packets) * sizeof(struct gro_packet))

_Static_assert(sizeof(struct gro_packet) == 288, "packets are 288 bytes");
_Static_assert(sizeof(struct gro_batch) == GRO_BATCH_SIZE(GRO_PACKETS), "and nothing lies between them");

/* A field at the end of the last head may be read past; it is memory of the map. */
struct gro_memory {
	struct gro_batch batch;
	__u8 slack[64];
};

static __always_inline struct gro_packet *gro_packet_at(struct gro_batch *batch, __u32 index)
{
	return &batch->packet[index % GRO_PACKETS];
}

static __always_inline __u8 head8(const struct gro_packet *packet, __u32 offset)
{
	return packet->head[offset % GRO_HEAD];
}

/* Bytes as they lie in the frame: big-endian. */
static __always_inline __be16 head16(const struct gro_packet *packet, __u32 offset)
{
	__be16 value;

	__builtin_memcpy(&value, (const __u8 *)packet + __builtin_offsetof(struct gro_packet, head) + offset % GRO_HEAD, 2);
	return value;
}

static __always_inline __be32 head32(const struct gro_packet *packet, __u32 offset)
{
	__be32 value;

	__builtin_memcpy(&value, (const __u8 *)packet + __builtin_offsetof(struct gro_packet, head) + offset % GRO_HEAD, 4);
	return value;
}

static __always_inline void set_head16(struct gro_packet *packet, __u32 offset, __be16 value)
{
	__builtin_memcpy((__u8 *)packet + __builtin_offsetof(struct gro_packet, head) + offset % (GRO_HEAD - 2), &value, 2);
}

#endif
