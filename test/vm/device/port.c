// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The port of a test device, and the wire that it has to the port of another: the
 * first and the second, the third and the fourth. What is offered, TSO, is off
 * until the host asks for it, and off again when other firmware runs. Refuses to
 * segment anything itself: that is the engine's, or the kernel's own GSO's.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/ip.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <net/gso.h>
#include <net/ip.h>

#include "device.h"

#define PORT_MTU_MAX 65535
#define PORT_FEATURES (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA)
#define PORT_TSO (NETIF_F_TSO | NETIF_F_TSO_ECN | NETIF_F_TSO6)

/* What drivers of today do: that a device offers something turns it on, and new firmware goes on with it. */
static bool eager;
module_param(eager, bool, 0644);

static LIST_HEAD(ports);	/* under the RTNL */

static struct kfn_device *device_of(const struct net_device *netdev)
{
	return *(struct kfn_device **)netdev_priv(netdev);
}

static void tell_lie(enum lie lie, struct sk_buff *skb, __be16 id)
{
	struct iphdr *ip = ip_hdr(skb);

	if (lie == LIE_PSH)
		tcp_hdr(skb)->psh = 1;
	if (lie != LIE_ID || skb->protocol != htons(ETH_P_IP))
		return;
	ip->id = id;
	ip_send_check(ip);
}

/* dev_forward_skb() takes the packet in any case. A wire has finished checksums. */
static void deliver(struct net_device *netdev, struct net_device *peer, struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) {
		kfree_skb(skb);
		return;
	}
	dev_sw_netstats_tx_add(netdev, 1, skb->len);
	dev_forward_skb(peer, skb);
}

/* What the engine leaves alone: as drivers do with what their hardware cannot (tg3_tso_bug()). */
static void segment_in_software(struct net_device *netdev, struct sk_buff *skb, struct sk_buff_head *sent)
{
	struct sk_buff *segments = skb_gso_segment(skb, netdev->features & ~NETIF_F_GSO_MASK), *next;

	if (IS_ERR_OR_NULL(segments)) {
		kfree_skb(skb);
		return;
	}
	consume_skb(skb);
	skb_list_walk_safe(segments, segments, next) {
		skb_mark_not_on_list(segments);
		__skb_queue_tail(sent, segments);
	}
}

static void segment(struct net_device *netdev, struct sk_buff *skb, struct sk_buff_head *sent)
{
	const struct firmware_image *running = &device_of(netdev)->running;
	struct sk_buff *one;
	__be16 id = 0;

	if (!running->engine || !engine_segment(running->engine, skb, sent)) {
		device_of(netdev)->port.superpackets[1]++;
		segment_in_software(netdev, skb, sent);
		return;
	}
	device_of(netdev)->port.superpackets[0]++;
	skb_queue_walk(sent, one) {
		if (one == skb_peek(sent))
			id = ip_hdr(one)->id;
		tell_lie(running->lie, one, id);
	}
}

static netdev_tx_t port_xmit(struct sk_buff *skb, struct net_device *netdev)
{
	struct net_device *peer = rcu_dereference_bh(device_of(netdev)->port.peer);
	struct sk_buff_head sent;

	if (!peer || !(peer->flags & IFF_UP)) {
		netdev->stats.tx_dropped++;
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	__skb_queue_head_init(&sent);
	if (skb_is_gso(skb))
		segment(netdev, skb, &sent);
	else
		__skb_queue_tail(&sent, skb);
	while ((skb = __skb_dequeue(&sent)))
		deliver(netdev, peer, skb);
	return NETDEV_TX_OK;
}

static netdev_features_t port_fix_features(struct net_device *netdev, netdev_features_t features)
{
	return device_of(netdev)->running.engine ? features : features & ~PORT_TSO;
}

static void port_carrier(struct device_port *port)
{
	struct net_device *peer = rtnl_dereference(port->peer);

	if (peer && netif_running(peer) && netif_running(port->netdev)) {
		netif_carrier_on(peer);
		netif_carrier_on(port->netdev);
		return;
	}
	netif_carrier_off(port->netdev);
	if (peer)
		netif_carrier_off(peer);
}

static int port_open(struct net_device *netdev)
{
	port_carrier(&device_of(netdev)->port);
	return 0;
}

static int port_close(struct net_device *netdev)
{
	port_carrier(&device_of(netdev)->port);
	return 0;
}

static const struct net_device_ops port_ops = {
	.ndo_open = port_open,
	.ndo_stop = port_close,
	.ndo_start_xmit = port_xmit,
	.ndo_fix_features = port_fix_features,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void port_drvinfo(struct net_device *netdev, struct ethtool_drvinfo *info)
{
	const struct kfn_device *device = device_of(netdev);

	strscpy(info->driver, device->dev->driver->name, sizeof(info->driver));
	strscpy(info->bus_info, dev_name(device->dev), sizeof(info->bus_info));
	strscpy(info->fw_version, device->running.version, sizeof(info->fw_version));
}

static int port_sset_count(struct net_device *netdev, int set)
{
	return set == ETH_SS_STATS ? ARRAY_SIZE(device_of(netdev)->port.superpackets) : -EOPNOTSUPP;
}

static void port_strings(struct net_device *netdev, u32 set, u8 *data)
{
	if (set != ETH_SS_STATS)
		return;
	ethtool_puts(&data, "superpackets_engine");
	ethtool_puts(&data, "superpackets_software");
}

static void port_stats(struct net_device *netdev, struct ethtool_stats *stats, u64 *data)
{
	memcpy(data, device_of(netdev)->port.superpackets, sizeof(device_of(netdev)->port.superpackets));
}

static const struct ethtool_ops port_ethtool_ops = {
	.get_drvinfo = port_drvinfo,
	.get_sset_count = port_sset_count,
	.get_strings = port_strings,
	.get_ethtool_stats = port_stats,
	.get_link = ethtool_op_get_link,
};

static void port_setup(struct kfn_device *device, struct net_device *netdev)
{
	*(struct kfn_device **)netdev_priv(netdev) = device;
	SET_NETDEV_DEV(netdev, device->dev);
	netdev->netdev_ops = &port_ops;
	netdev->ethtool_ops = &port_ethtool_ops;
	netdev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	netdev->max_mtu = PORT_MTU_MAX;
	netdev->hw_features = PORT_FEATURES | PORT_TSO;
	netdev->features = PORT_FEATURES | (eager ? PORT_TSO : 0);
	eth_hw_addr_random(netdev);
	netif_carrier_off(netdev);
}

/* To the port that has none yet. */
static void port_connect(struct device_port *port)
{
	struct device_port *other;

	list_for_each_entry(other, &ports, list) {
		if (rtnl_dereference(other->peer))
			continue;
		rcu_assign_pointer(other->peer, port->netdev);
		rcu_assign_pointer(port->peer, other->netdev);
		break;
	}
	list_add_tail(&port->list, &ports);
	port_carrier(port);
}

static void port_disconnect(struct device_port *port)
{
	struct net_device *peer = rtnl_dereference(port->peer);

	list_del(&port->list);
	RCU_INIT_POINTER(port->peer, NULL);
	if (!peer)
		return;
	RCU_INIT_POINTER(device_of(peer)->port.peer, NULL);
	netif_carrier_off(peer);
	netif_carrier_off(port->netdev);
}

int port_add(struct kfn_device *device, struct devlink *devlink)
{
	struct devlink_port_attrs attrs = { .flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL };
	struct device_port *port = &device->port;
	int err;

	port->netdev = alloc_etherdev(sizeof(device));
	if (!port->netdev)
		return -ENOMEM;
	port_setup(device, port->netdev);
	devlink_port_attrs_set(&port->devlink_port, &attrs);
	err = devlink_port_register(devlink, &port->devlink_port, 0);
	if (err)
		goto free;
	SET_NETDEV_DEVLINK_PORT(port->netdev, &port->devlink_port);
	err = register_netdev(port->netdev);
	if (err)
		goto unregister_port;
	rtnl_lock();
	port_connect(port);
	rtnl_unlock();
	return 0;

unregister_port:
	devlink_port_unregister(&port->devlink_port);
free:
	free_netdev(port->netdev);
	return err;
}

void port_remove(struct kfn_device *device)
{
	struct device_port *port = &device->port;

	rtnl_lock();
	port_disconnect(port);
	rtnl_unlock();
	/* Nobody sends to it any more. */
	synchronize_net();
	unregister_netdev(port->netdev);
	devlink_port_unregister(&port->devlink_port);
	free_netdev(port->netdev);
}

void port_stop(struct kfn_device *device)
{
	rtnl_lock();
	netif_carrier_off(device->port.netdev);
	netif_tx_disable(device->port.netdev);
	rtnl_unlock();
	synchronize_net();
}

void port_start(struct kfn_device *device, bool same_engine)
{
	struct net_device *netdev = device->port.netdev;

	rtnl_lock();
	/* What the host let in was another function: it must ask again. */
	if (!same_engine && !eager)
		netdev->wanted_features &= ~PORT_TSO;
	netdev_update_features(netdev);
	netif_tx_wake_all_queues(netdev);
	port_carrier(&device->port);
	rtnl_unlock();
}
