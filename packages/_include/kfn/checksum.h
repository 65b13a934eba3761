/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071) over values in host byte order. Refuses
 * memory: whoever adds a header up says which of its words.
 *
 * A sum of 16-bit words is a __u64 until it is folded, so that carries are
 * never lost. Folding gives 0 only for a sum of nothing but zeros, as
 * csum_fold() of include/asm-generic/checksum.h does.
 */
#ifndef KFN_CHECKSUM_H
#define KFN_CHECKSUM_H

#include "int.h"
#include "program.h"

/* checksum_fold() - the ones' complement sum of the 16-bit words of a sum. */
static __always_inline __u16 checksum_fold(__u64 sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

#endif
