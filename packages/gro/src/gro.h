/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The function over a whole batch. GRO_LOOP(n, step, batch) calls
 * step(i, batch) for i = 0 … n - 1: bpf_loop() in the kernel, a for loop on the
 * host; nothing else differs. The flows of a bucket are told from packets by
 * their state, so that the age of what is held is its place in the batch.
 */
#ifndef GRO_GRO_H
#define GRO_GRO_H

#include "receive.h"

#define bucket_of(packet) ((packet)->hash % GRO_BUCKETS)

/* The state of what loops: the packet whose flow a nested loop looks for. */
struct gro_walk {
	struct gro_batch *batch;
	__u32 index;
};

/* One step back from the youngest: the first held packet of the flow, how many the bucket holds, and its oldest. */
static long gro_look(__u32 i, struct gro_walk *walk)
{
	struct gro_batch *batch = walk->batch;
	struct gro_packet *packet = gro_packet_at(batch, walk->index);
	__u32 at = walk->index - 1 - i;
	struct gro_packet *held = gro_packet_at(batch, at);

	if (held->state != GRO_STATE_HELD || bucket_of(held) != bucket_of(packet))
		return 0;
	batch->held++;
	batch->oldest = 1 + at % GRO_PACKETS;
	if (!batch->found && gro_same_flow(held, packet))
		batch->found = 1 + at % GRO_PACKETS;
	return 0;
}

static long gro_step(__u32 i, struct gro_walk *outer)
{
	struct gro_batch *batch = outer->batch;
	struct gro_walk walk = { .batch = batch, .index = i };
	struct gro_packet *packet = gro_packet_at(batch, i), *held = NULL;
	enum gro_parsed parsed;

	gro_reset(packet);
	parsed = gro_parse(packet);

	if (parsed == GRO_PARSED_BEYOND) {
		batch->beyond = 1;
		return 1;
	}
	if (parsed == GRO_PARSED_NORMAL) {
		gro_deliver(batch, packet, GRO_STATE_NORMAL);
		return 0;
	}
	batch->found = batch->oldest = batch->held = 0;
	GRO_LOOP(i, gro_look, &walk);
	if (batch->found)
		held = gro_packet_at(batch, batch->found - 1);
	if (!gro_receive(batch, packet, parsed, held, (batch->found - 1u) % GRO_PACKETS))
		return 0;
	/* A held packet of this flow has gone by now, and left its place. */
	if (!held && batch->held >= GRO_CHAIN)
		gro_deliver(batch, gro_packet_at(batch, batch->oldest - 1), GRO_STATE_COMPLETE);
	gro_hold(packet);
	return 0;
}

/* napi_gro_flush() of one bucket: the oldest first. */
static long gro_flush(__u32 i, struct gro_walk *walk)
{
	struct gro_packet *packet = gro_packet_at(walk->batch, i % GRO_PACKETS);

	if (i % GRO_PACKETS < walk->batch->packets && packet->state == GRO_STATE_HELD &&
	    bucket_of(packet) == i / GRO_PACKETS)
		gro_deliver(walk->batch, packet, GRO_STATE_COMPLETE);
	return 0;
}

static __always_inline void gro_run(struct gro_walk *walk)
{
	struct gro_batch *batch = walk->batch;

	batch->delivered = batch->beyond = 0;
	GRO_LOOP(batch->packets, gro_step, walk);
	GRO_LOOP(GRO_BUCKETS * GRO_PACKETS, gro_flush, walk);
	batch->found = batch->oldest = batch->held = 0;
}

static __always_inline int gro_valid(const struct gro_batch *batch, __u32 length)
{
	return batch->magic == GRO_MAGIC && batch->packets >= 1 && batch->packets <= GRO_PACKETS &&
	       length == GRO_BATCH_SIZE(batch->packets) && batch->max_size <= GRO_LEGACY_MAX_SIZE &&
	       batch->ipv4_max_size <= GRO_LEGACY_MAX_SIZE;
}

#endif
