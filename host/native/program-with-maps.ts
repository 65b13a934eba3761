// A program that has what a program may have besides instructions: private arrays, subprograms and a loop's callback. Refuses to be a useful one.
import type { BundleSpec } from "./fixture.ts";

export const HEAD = '#include "kfn/map.h"\n';
export const ONE = `${HEAD}
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } counted SEC(".maps");
`;
/** A counter, an array indexed by CPU, a subprogram that calls another, and a loop's callback. */
const WHOLE = `${ONE}
struct buffer { __u8 bytes[65536]; };
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, KFN_POSSIBLE_CPUS); __type(key, __u32); __type(value, struct buffer); } buffers SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); } each SEC(".maps");
static long (*const bpf_loop)(__u32 count, void *callback, void *context, __u64 flags) = (void *)181;
__attribute__((noinline)) static int inner(int x) { __u32 two = 2; __u64 *at = bpf_map_lookup_elem(&each, &two); return at ? x + (int)*at : x; }
__attribute__((noinline)) static int outer(int x) { __asm__ volatile(""); return inner(x) + 1; }
static long step(__u32 index, __u64 *sum) { *sum += index; return inner(index) > 100; }
`;
export const WHOLE_BODY = `__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	__u64 *count = bpf_map_lookup_elem(&counted, &zero), sum = 0;
	struct buffer *buffer = bpf_map_lookup_elem(&buffers, &cpu);
	if (!count || !buffer) return 2;
	*count += 1;
	bpf_loop(5, step, &sum, 0);
	buffer->bytes[sum & 0xff] = 1;
	skb->flow_keys->ip_proto = outer(sum) + *count;
	return 0;`;
/** sum of 0 to 4, one by outer(), and one packet counted. */
export const WHOLE_MARK = 10 + 1 + 1;
const REQUIRES = { kernel: ">=5.17", features: ["link:netns", "prog_type:flow_dissector"] };
export const whole: BundleSpec = { mark: WHOLE_MARK, top: WHOLE, body: WHOLE_BODY, requires: REQUIRES };
