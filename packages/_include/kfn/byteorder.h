/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network byte order <-> byte order of the machine that runs the program.
 * Refuses to guess: the compiler's target says which one it is.
 *
 * Constants fold at compile time, so comparing a header's field with
 * be16(ETH_P_IP) costs no swap: swap the constant, never the packet.
 */
#ifndef KFN_BYTEORDER_H
#define KFN_BYTEORDER_H

#include "int.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define be16(host) ((__be16)__builtin_bswap16((__u16)(host)))
#define be32(host) ((__be32)__builtin_bswap32((__u32)(host)))
#elif __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define be16(host) ((__be16)(host))
#define be32(host) ((__be32)(host))
#else
#error "the target's byte order is neither little nor big"
#endif

#endif
