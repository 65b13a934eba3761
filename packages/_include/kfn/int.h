/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fixed-width integers under the kernel's own names. Refuses to hold anything
 * that is not an integer.
 *
 * __be16 and __be32 mark a value in network byte order: nothing but
 * byteorder.h turns one into the other. The names and widths are those of
 * include/uapi/asm-generic/int-ll64.h and include/uapi/linux/types.h.
 */
#ifndef KFN_INT_H
#define KFN_INT_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;

typedef __u16 __be16;
typedef __u32 __be32;

#define NULL ((void *)0)

_Static_assert(sizeof(__u8) == 1 && sizeof(__u16) == 2, "8 and 16 bits");
_Static_assert(sizeof(__u32) == 4 && sizeof(__u64) == 8, "32 and 64 bits");

#endif
