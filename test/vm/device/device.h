/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The test device: a PCI function with a devlink instance, flash for one firmware
 * image, and one port. Refuses to be a model of a real one's registers: what is
 * real is what the kernel and a host see of it.
 */
#ifndef KFN_DEVICE_H
#define KFN_DEVICE_H

#include <linux/netdevice.h>
#include <linux/types.h>
#include <net/devlink.h>

#include "engine.h"

#define CLAIMS 4

/* What a device does wrong to each segment, behind a tag that says otherwise. */
enum lie {
	LIE_NONE,
	LIE_PSH,	/* PSH on every segment */
	LIE_ID,		/* the same IPv4 id in every segment */
};

struct claim {
	char name[40];
	char value[200];
};

struct firmware_image {
	char version[32];
	const struct engine *engine;	/* NULL: none */
	enum lie lie;
	unsigned int claims;
	struct claim claim[CLAIMS];
};

struct device_port {
	struct net_device *netdev;
	struct net_device __rcu *peer;	/* at the other end of the wire */
	struct devlink_port devlink_port;
	u64 superpackets[2];	/* segmented by the engine, and left to software */
	struct list_head list;
};

struct kfn_device {
	struct device *dev;
	struct firmware_image running;
	struct firmware_image stored;
	struct device_port port;
};

/* What a device has before it is flashed. */
void firmware_default(struct firmware_image *image);

/* Reads an image from a file's text; on failure says why in extack. */
int firmware_parse(struct firmware_image *image, const char *text, size_t len, struct netlink_ext_ack *extack);

int engine_memory_init(void);
void engine_memory_exit(void);

/* Whether the engine took the packet: it is then gone, and what it became is in sent. */
bool engine_segment(const struct engine *engine, struct sk_buff *skb, struct sk_buff_head *sent);

int port_add(struct kfn_device *device, struct devlink *devlink);
void port_remove(struct kfn_device *device);

/* Stops the port for a change of firmware, and starts it with the one that runs then. */
void port_stop(struct kfn_device *device);
void port_start(struct kfn_device *device, bool same_engine);

#endif
