/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Private arrays of a program: scratch that is fresh and zeroed each time the
 * program is loaded. Refuses contents, flags and pins: nothing of a function's
 * memory is carried over or seen by others.
 *
 *	struct {
 *		__uint(type, BPF_MAP_TYPE_ARRAY);
 *		__uint(max_entries, KFN_POSSIBLE_CPUS);
 *		__type(key, __u32);
 *		__type(value, struct buffer);
 *	} buffers SEC(".maps");
 *
 * The names and values are those of include/uapi/linux/bpf.h; a member is a
 * pointer whose type says the number or the type (Documentation/bpf/btf.rst).
 */
#ifndef KFN_MAP_H
#define KFN_MAP_H

#include "int.h"
#include "program.h"

#define __uint(name, value) int (*name)[value]
#define __type(name, value) __typeof__(value) *name

#define BPF_MAP_TYPE_ARRAY 2		/* values of up to 256 KiB */
#define BPF_MAP_TYPE_PERCPU_ARRAY 6	/* values of up to 32 KiB, one for each CPU */

/* Of max_entries: as many as the machine may ever have CPUs; the loader fills it in. */
#define KFN_POSSIBLE_CPUS 0

/*
 * The value at an index: the map's own memory, or NULL beyond its entries; of a
 * per-CPU array that of the CPU on which the program runs.
 */
static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;

/* Below the number of possible CPUs; fixed while a program runs (it cannot migrate). */
static __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;

#endif
