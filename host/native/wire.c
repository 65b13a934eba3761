/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends frames out of one port and takes what comes of them in at another. Every frame has addresses that no station has, so that
 * nobody answers and nothing forwards it. With `bypass` it goes to the device itself: past the queue and past programs at the
 * device's egress, and the kernel drops it rather than segment it in the device's place (packet_direct_xmit(), net/packet/af_packet.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sodium.h>
#include "superpacket.h"

#define WAIT_MS 1000			/* of a frame on a wire */
#define TRIES 3
#define MARK 0x88b5			/* IEEE 802: local experimental */
#define RECEIVE_BUFFER (32 << 20)
#define VNET sizeof(struct virtio_net_hdr)

static int port_socket(const struct place *place, bool receiving)
{
	int fd = netns_socket(place, AF_PACKET, SOCK_RAW, 0), on = 1, size = RECEIVE_BUFFER;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = receiving ? htons(ETH_P_ALL) : 0, .sll_ifindex = place->ifindex,
	};
	/* Frames for another station reach no protocol of this machine. */
	struct packet_mreq promiscuous = { .mr_ifindex = place->ifindex, .mr_type = PACKET_MR_PROMISC };

	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) &&
	    (!receiving || (!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) &&
			    !setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)))) &&
	    !bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	fail_errno(LOAD_KERNEL_REFUSED, errno, "frames cannot be %s a port", receiving ? "taken in at" : "sent out of");
	close(fd);
	return -1;
}

static int port_ask(int fd, const char *name, unsigned long what, void *data)
{
	struct ifreq request = { 0 };
	int err;

	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (data)
		request.ifr_data = data;
	err = ioctl(fd, what, &request) ? -errno : 0;
	return err ?: what == SIOCGIFMTU ? request.ifr_mtu : 0;
}

static int port_name(int fd, const struct place *place, char name[16])
{
	struct ifreq request = { .ifr_ifindex = place->ifindex };

	if (ioctl(fd, SIOCGIFNAME, &request))
		return fail_errno(LOAD_DEVICE_GONE, errno, "a port is gone");
	memcpy(name, request.ifr_name, 16);
	return 0;
}

/* GRO comes before packet sockets: it would put together again what the other port has cut. */
static void merging_set(struct wire *wire, bool on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = on };

	port_ask(wire->control, wire->in_name, SIOCETHTOOL, &value);
}

static int settings_make(const struct place *out, const struct place *in, struct wire *wire)
{
	int there __close = netns_socket(out, AF_UNIX, SOCK_DGRAM, 0), own, other;
	struct ethtool_value merging = { .cmd = ETHTOOL_GGRO };
	char out_name[16];

	wire->control = netns_socket(in, AF_UNIX, SOCK_DGRAM, 0);
	if (there < 0 || wire->control < 0 || port_name(there, out, out_name) || port_name(wire->control, in, wire->in_name))
		return -1;
	own = port_ask(there, out_name, SIOCGIFMTU, NULL);
	other = port_ask(wire->control, wire->in_name, SIOCGIFMTU, NULL);
	wire->mtu = own < other ? own : other;
	if (own < 0 || other < 0 || wire->mtu < 576)
		return fail(LOAD_NO_WIRE, "ip link set DEVICE mtu 1500", "the ports take packets of %d and %d bytes", own, other);
	wire->merging = !port_ask(wire->control, wire->in_name, SIOCETHTOOL, &merging) && merging.data;
	if (wire->merging)
		merging_set(wire, false);
	return 0;
}

int wire_open(const struct place *out, const struct place *in, bool bypass, struct wire *wire)
{
	int on = 1;

	*wire = WIRE_NONE;
	randombytes_buf(wire->nonce, sizeof(wire->nonce));
	wire->out = port_socket(out, false);
	wire->in = wire->out < 0 ? -1 : port_socket(in, true);
	if (wire->in < 0)
		return -1;
	if (bypass && setsockopt(wire->out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "frames cannot be sent past the device's queue");
	return settings_make(out, in, wire);
}

void wire_close(struct wire *wire)
{
	if (wire->merging)
		merging_set(wire, true);
	close_fd(&wire->control);
	close_fd(&wire->out);
	close_fd(&wire->in);
}

/* Locally administered, both: the run in the first, the frame's number in the second. */
static void addresses_put(const struct wire *wire, unsigned char *frame)
{
	uint32_t number = htonl(wire->number);

	memcpy(frame, "\x02k", 2);
	memcpy(frame + 2, wire->nonce, 4);
	memcpy(frame + 6, "\x02k", 2);
	memcpy(frame + 8, &number, 4);
}

static int frame_send(struct wire *wire, const struct virtio_net_hdr *vnet, const unsigned char *bytes, size_t len)
{
	unsigned char addresses[12];
	struct iovec parts[] = {
		{ (void *)vnet, VNET }, { addresses, sizeof(addresses) },
		{ (void *)(bytes + sizeof(addresses)), len - sizeof(addresses) },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };

	wire->number++;
	addresses_put(wire, addresses);
	if (sendmsg(wire->out, &message, 0) >= 0 || errno == ENOBUFS)
		return 0;
	return fail_errno(LOAD_NO_WIRE, errno, "the port does not send");
}

static int mark_send(struct wire *wire)
{
	static const struct virtio_net_hdr none;
	unsigned char frame[60] = { [12] = MARK >> 8, [13] = MARK & 0xff };

	return frame_send(wire, &none, frame, sizeof(frame));
}

/* The next frame of this run, with its virtio header; 0 where none comes in time. */
static ssize_t frame_take(struct wire *wire, unsigned char *room)
{
	unsigned char wanted[12];
	struct pollfd ready = { .fd = wire->in, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t got;

	addresses_put(wire, wanted);
	while (poll(&ready, 1, WAIT_MS) == 1) {
		from_len = sizeof(from);
		got = recvfrom(wire->in, room, VNET + FRAME_MAX, 0, (struct sockaddr *)&from, &from_len);
		if (got < 0)
			return 0;
		if (got >= (ssize_t)VNET + 14 && from.sll_pkttype != PACKET_OUTGOING && !memcmp(room + VNET, wanted, 8))
			return got;
	}
	return 0;
}

static bool is_number(const unsigned char *frame, uint32_t number)
{
	number = htonl(number);
	return !memcmp(frame + 8, &number, 4);
}

int wire_check(struct wire *wire)
{
	static unsigned char room[VNET + FRAME_MAX];
	int i;

	for (i = 0; i < TRIES; i++) {
		if (mark_send(wire))
			return -1;
		if (frame_take(wire, room) > 0)
			return 0;
	}
	return fail(LOAD_NO_WIRE, "both ports must be up, and a cable or a veth pair between them", "nothing that is sent arrives");
}

static int segment_keep(struct segments *into, const unsigned char *room, size_t got, const struct superpacket *p)
{
	const struct virtio_net_hdr *vnet = (const void *)room;
	struct segment *segment = &into->segment[into->count];

	if (into->count == SEGMENTS_MAX)
		return 0;
	segment->len = got - VNET;
	segment->bytes = malloc(segment->len);
	if (!segment->bytes)
		return fail(LOAD_INTERNAL, NULL, "no memory");
	memcpy(segment->bytes, room + VNET, segment->len);
	if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		checksum_finish(segment->bytes, segment->len, vnet->csum_start, vnet->csum_offset);
	into->whole |= vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	into->payload += segment->len > p->header ? segment->len - p->header : 0;
	into->count++;
	return 0;
}

/* Ends with a frame that follows: what comes before it, and is too much, is seen too. */
int wire_send(struct wire *wire, const struct superpacket *p, struct segments *into)
{
	static unsigned char room[VNET + FRAME_MAX];
	uint32_t number = wire->number + 1;
	bool marked = false;
	ssize_t got;

	if (frame_send(wire, &p->vnet, p->bytes, p->len))
		return -1;
	while ((got = frame_take(wire, room)) > 0 && !(marked && is_number(room + VNET, wire->number))) {
		if (is_number(room + VNET, number) && segment_keep(into, room, got, p))
			return -1;
		if (!marked && (into->whole || into->payload >= p->payload)) {
			marked = true;
			if (mark_send(wire))
				return -1;
		}
	}
	return 0;
}

void segments_free(struct segments *segments)
{
	size_t i;

	for (i = 0; i < segments->count; i++)
		free(segments->segment[i].bytes);
	segments->count = segments->payload = 0;
	segments->whole = false;
}
