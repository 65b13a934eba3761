/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function's parameters as constants in its instructions. Refuses to be read
 * from memory: no map, no relocation, nothing that changes under a running
 * program.
 *
 * KFN_CONFIG() is a 64-bit immediate load that no other code has: its upper half
 * says which value it is, its lower half is the value. The object has the
 * default there, so it runs as it is; the loader writes the host's value over
 * it before the kernel sees the program (docs/formats/config.md).
 *
 * parameter is the place of the name among the names of the manifest's config
 * parameters, sorted; element is 0, or the place in a list. An element that the
 * list does not have is KFN_CONFIG_ABSENT.
 *
 * The verifier knows the value, so what it rules out costs nothing: branches
 * that cannot be taken are not in the program that runs.
 */
#ifndef KFN_CONFIG_H
#define KFN_CONFIG_H

#include "int.h"

#define KFN_CONFIG_MAGIC 0x6b66		/* "kf", in the topmost 16 bits */
#define KFN_CONFIG_ABSENT 0x10000	/* no 16-bit value of a packet equals it */

#define KFN_CONFIG(parameter, element, initial)					\
	({									\
		__u64 value_;							\
		__asm__("%0 = %1 ll"						\
			: "=r"(value_)						\
			: "i"((__u64)KFN_CONFIG_MAGIC << 48 |			\
			      (__u64)(parameter) << 40 |			\
			      (__u64)(element) << 32 | (initial)));		\
		(__u32)value_;							\
	})

#endif
