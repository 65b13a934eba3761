/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * MPLS: the label stack entry. Refuses to guess what the stack carries, for
 * nothing in it says so.
 */
#ifndef KFN_MPLS_H
#define KFN_MPLS_H

#include "int.h"

/* RFC 3032 section 2.1: label 20 bits, class 3, bottom of stack 1, TTL 8. */
struct mpls_label {
	__be32 entry;
};

_Static_assert(sizeof(struct mpls_label) == 4, "a label stack entry is 4 bytes");

#endif
