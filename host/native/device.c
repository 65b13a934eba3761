/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network devices of a namespace, as the kernel lists them there: sysfs shows the namespace of whoever mounted it, a socket
 * that was opened inside asks the right one. Changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "kfn-load.h"

#define TRIES	5			/* of a dump that devices changed under */

/* A socket stays in the namespace in which it was opened; this process comes back. */
int netns_socket(const struct place *place, int domain, int type, int protocol)
{
	int own __close = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;
	struct stat st;

	if (own < 0 || fstat(own, &st))
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "this process's own network namespace cannot be opened");
	if (st.st_ino != place->inode && setns(place->fd, CLONE_NEWNET))
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "a network namespace cannot be entered");
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fail_errno(LOAD_KERNEL_REFUSED, errno, "a socket cannot be opened in a network namespace");
	if (st.st_ino != place->inode && setns(own, CLONE_NEWNET)) {
		close_fd(&fd);
		return fail_errno(LOAD_INTERNAL, errno, "this process cannot go back to its network namespace");
	}
	return fd;
}

/* 0 where there is none of that name: devices come and go. */
int device_index(const struct place *place, const char *name, uint32_t *ifindex)
{
	int fd __close = netns_socket(place, AF_UNIX, SOCK_DGRAM, 0);
	struct ifreq request = { 0 };

	*ifindex = 0;
	if (fd < 0)
		return -1;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (!ioctl(fd, SIOCGIFINDEX, &request))
		*ifindex = request.ifr_ifindex;
	else if (errno != ENODEV)
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "the device %s cannot be looked up", name);
	return 0;
}

/* What `ethtool -i` shows; a driver that does not say leaves the kind of link that the dump had. */
static void driver_look(int fd, struct device *device)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (char *)&info };

	memcpy(request.ifr_name, device->name, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCETHTOOL, &request) || !*info.driver)
		return;
	info.driver[sizeof(info.driver) - 1] = 0;
	memcpy(device->driver, info.driver, sizeof(device->driver));
}

static void text_copy(char *out, size_t size, const struct rtattr *attr)
{
	size_t len = strnlen(RTA_DATA(attr), RTA_PAYLOAD(attr));

	if (len >= size)
		return;
	memcpy(out, RTA_DATA(attr), len);
	out[len] = 0;
}

static void device_parse(struct nlmsghdr *message, struct device *out)
{
	struct ifinfomsg *link = NLMSG_DATA(message);
	struct rtattr *attr = IFLA_RTA(link), *inner;
	int len = IFLA_PAYLOAD(message), rest;

	*out = (struct device){ .ifindex = link->ifi_index };
	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		switch (attr->rta_type & NLA_TYPE_MASK) {
		case IFLA_IFNAME:
			text_copy(out->name, sizeof(out->name), attr);
			break;
		case IFLA_PARENT_DEV_BUS_NAME:
			text_copy(out->bus, sizeof(out->bus), attr);
			break;
		case IFLA_LINKINFO:
			rest = RTA_PAYLOAD(attr);
			for (inner = RTA_DATA(attr); RTA_OK(inner, rest); inner = RTA_NEXT(inner, rest))
				if ((inner->rta_type & NLA_TYPE_MASK) == IFLA_INFO_KIND)
					text_copy(out->driver, sizeof(out->driver), inner);
		}
	}
}

static int dump_ask(int fd)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr attr;
		uint32_t mask;
	} request = {
		.head = { sizeof(request), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		.attr = { RTA_LENGTH(sizeof(uint32_t)), IFLA_EXT_MASK },
		.mask = RTEXT_FILTER_SKIP_STATS,
	};

	return send(fd, &request, sizeof(request), 0) == sizeof(request) ? 0 : -errno;
}

/* -EINTR: devices changed meanwhile, and the list may lack some. */
static int dump_read(int fd, struct device **out, size_t *count)
{
	static char buffer[1 << 17] __attribute__((aligned(8)));
	bool changed = false;
	ssize_t got;

	for (;;) {
		struct nlmsghdr *message = (struct nlmsghdr *)buffer;
		unsigned int len;

		got = recv(fd, buffer, sizeof(buffer), MSG_TRUNC);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0 || (size_t)got > sizeof(buffer))
			return got < 0 ? -errno : -EPROTO;
		for (len = got; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
			struct device *grown;

			changed |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (message->nlmsg_type == NLMSG_DONE)
				return changed ? -EINTR : 0;
			if (message->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(message))->error ?: -EPROTO;
			if (message->nlmsg_type != RTM_NEWLINK)
				continue;
			grown = realloc(*out, (*count + 1) * sizeof(**out));
			if (!grown)
				return -ENOMEM;
			*out = grown;
			device_parse(message, &grown[(*count)++]);
		}
	}
}

static int dump(const struct place *place, struct device **out, size_t *count)
{
	int fd __close = netns_socket(place, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), err = -EINTR, i;

	if (fd < 0)
		return -1;
	for (i = 0; err == -EINTR && i < TRIES; i++) {
		*count = 0;
		err = dump_ask(fd) ?: dump_read(fd, out, count);
	}
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "the devices of a network namespace cannot be listed") : 0;
}

/* Caller frees, also after a failure. */
int devices_list(const struct place *place, struct device **out, size_t *count)
{
	int fd __close = netns_socket(place, AF_UNIX, SOCK_DGRAM, 0);
	size_t i;

	*out = NULL;
	*count = 0;
	if (fd < 0 || dump(place, out, count))
		return -1;
	for (i = 0; i < *count; i++)
		driver_look(fd, &(*out)[i]);
	return 0;
}
