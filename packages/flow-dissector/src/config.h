/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow dissector's parameters, in the order of their names in
 * kfn.package.json. Refuses to do anything by default that the C code does not.
 */
#ifndef FLOW_DISSECTOR_CONFIG_H
#define FLOW_DISSECTOR_CONFIG_H

#include "kfn/byteorder.h"
#include "kfn/config.h"
#include "kfn/int.h"
#include "kfn/program.h"

enum parameter {
	GENEVE_PORTS,
	GUE_PORTS,
	MPLS_UDP_PORTS,
	PATCH,
	VXLAN_PORTS,
};

/*
 * PATCH: what a packet is that must not reach the C code, not even where it
 * would be asked. The bits are in the order of the manifest's names.
 */
#define PATCH_PPPOE_PFC (1 << 0)	/* CVE-2026-46306, whoever asks */
#define PATCH_TIPC (1 << 1)
#define PATCH_UNKNOWN (1 << 2)		/* every other ethertype that this program does not know */

static __always_inline int patched(__u32 shape)
{
	return (KFN_CONFIG(PATCH, 0, 0) & shape) != 0;
}

/* Elements from 2 on are never there when the first is not: a list has no holes. */
#define PORTS_MAX 4
#define PORT(list, element) KFN_CONFIG(list, element, KFN_CONFIG_ABSENT)
#define HAS_PORTS(list) (PORT(list, 0) != KFN_CONFIG_ABSENT)
#define LISTS_PORT(list, port)						\
	(HAS_PORTS(list) &&						\
	 ((port) == PORT(list, 0) || (port) == PORT(list, 1) ||		\
	  (port) == PORT(list, 2) || (port) == PORT(list, 3)))

static __always_inline int has_udp_tunnels(void)
{
	return HAS_PORTS(GENEVE_PORTS) || HAS_PORTS(GUE_PORTS) ||
	       HAS_PORTS(MPLS_UDP_PORTS) || HAS_PORTS(VXLAN_PORTS);
}

#endif
