// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Generic receive offload as a function of one batch: which packets are merged,
 * in which order what is left goes on, and with which headers. Never attached;
 * it runs through BPF_PROG_TEST_RUN on the layout of batch.h. Refuses a batch
 * that is not well formed, or whose headers go on behind the heads: the answer
 * is XDP_ABORTED, and the batch as it was.
 *
 * XDP with fragments, because TEST_RUN takes 64 KiB of them from Linux 6.1 on,
 * where a sched_cls packet ends with its page and a BPF_PROG_TYPE_SYSCALL
 * program may sleep and so may not be offered to devices.
 */
#include "kfn/int.h"
#include "kfn/map.h"
#include "kfn/note.h"
#include "kfn/program.h"

/* include/uapi/linux/bpf.h */
struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

#define XDP_ABORTED 0
#define XDP_PASS 2

static long (*const bpf_loop)(__u32 count, void *step, void *context, __u64 flags) = (void *)181;
static __u64 (*const bpf_xdp_get_buff_len)(struct xdp_md *xdp) = (void *)188;
static long (*const bpf_xdp_load_bytes)(struct xdp_md *xdp, __u32 offset, void *to, __u32 length) = (void *)189;
static long (*const bpf_xdp_store_bytes)(struct xdp_md *xdp, __u32 offset, void *from, __u32 length) = (void *)190;

#define GRO_LOOP(count, step, walk) bpf_loop(count, step, walk, 0)

#include "gro.h"

KFN_NOTE("gro", "1", ">=6.1", KFN_FEATURE("prog_type:xdp"));
KFN_LICENSE("Dual BSD/GPL");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KFN_POSSIBLE_CPUS);
	__type(key, __u32);
	__type(value, struct gro_memory);
} gro_memory SEC(".maps");

SEC("xdp.frags")
int gro(struct xdp_md *xdp)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct gro_memory *memory = bpf_map_lookup_elem(&gro_memory, &cpu);
	__u64 length = bpf_xdp_get_buff_len(xdp);
	struct gro_walk walk = {};

	if (!memory || length < GRO_BATCH_HEADER)
		return XDP_ABORTED;
	/* Two comparisons: of the one that clang makes of them, Linux 6.1 and 6.12 learn no bounds. */
	__asm__ volatile("" : "+r"(length));
	if (length > sizeof(memory->batch))
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(xdp, 0, &memory->batch, length))
		return XDP_ABORTED;
	if (!gro_valid(&memory->batch, length))
		return XDP_ABORTED;
	walk.batch = &memory->batch;
	gro_run(&walk);
	if (memory->batch.beyond || bpf_xdp_store_bytes(xdp, 0, &memory->batch, length))
		return XDP_ABORTED;
	return XDP_PASS;
}
