// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The floor of a dissector's time: a program that does nothing, so that what
 * BPF_PROG_TEST_RUN itself costs can be taken off. Refuses to dissect.
 */
#include "kfn/program.h"

KFN_LICENSE("Dual BSD/GPL");

SEC("flow_dissector")
int flow_dissect(void *skb)
{
	(void)skb;
	return 0;
}
