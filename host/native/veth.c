/* SPDX-License-Identifier: Apache-2.0 */
/* A veth pair in the process's own network namespace, up, whose sending end leaves segmentation to the kernel. For a namespace that goes with the process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "superpacket.h"

#define OUT "out"
#define IN "in"
#define MTU 65535

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char attributes[256];
};

static struct rtattr *put(struct request *request, unsigned short type, const void *data, size_t len)
{
	struct rtattr *attr = (struct rtattr *)((char *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attr), data, len);
	request->head.nlmsg_len = NLMSG_ALIGN(request->head.nlmsg_len) + RTA_ALIGN(attr->rta_len);
	return attr;
}

static void end(struct request *request, struct rtattr *attr)
{
	attr->rta_len = (char *)request + request->head.nlmsg_len - (char *)attr;
}

static int pair_add(void)
{
	struct request request = {
		.head = { NLMSG_LENGTH(sizeof(struct ifinfomsg)), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0 },
	};
	struct { struct nlmsghdr head; struct nlmsgerr error; char rest[1024]; } reply;
	int fd __close = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	static const struct ifinfomsg any;
	static const unsigned int mtu = MTU;
	struct rtattr *info, *data, *peer;

	put(&request, IFLA_IFNAME, OUT, sizeof(OUT));
	put(&request, IFLA_MTU, &mtu, sizeof(mtu));
	info = put(&request, IFLA_LINKINFO, NULL, 0);
	put(&request, IFLA_INFO_KIND, "veth", sizeof("veth"));
	data = put(&request, IFLA_INFO_DATA, NULL, 0);
	peer = put(&request, VETH_INFO_PEER, &any, sizeof(any));
	put(&request, IFLA_IFNAME, IN, sizeof(IN));
	put(&request, IFLA_MTU, &mtu, sizeof(mtu));
	end(&request, peer);
	end(&request, data);
	end(&request, info);
	if (fd < 0 || send(fd, &request, request.head.nlmsg_len, 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < (ssize_t)NLMSG_LENGTH(sizeof(int)))
		return -errno;
	return reply.head.nlmsg_type == NLMSG_ERROR ? reply.error.error : -EPROTO;
}

static int up(int fd, const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_UP };

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	return ioctl(fd, SIOCSIFFLAGS, &request) ? -errno : 0;
}

static int segmentation_off(int fd)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STSO };
	struct ifreq request = { .ifr_name = OUT, .ifr_data = (char *)&value };

	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

int veth_make(struct place *out, struct place *in)
{
	int fd __close = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* The end that comes up last has its queue at once; the other waits for the kernel to notice its carrier. */
	int err = fd < 0 ? -errno : pair_add() ?: segmentation_off(fd) ?: up(fd, IN) ?: up(fd, OUT);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a veth pair cannot be made to try the program on");
	if (netns_path_open("/proc/self/ns/net", out) || netns_path_open("/proc/self/ns/net", in))
		return -1;
	return device_index(out, OUT, &out->ifindex) ?: device_index(in, IN, &in->ifindex);
}
