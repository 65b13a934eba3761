// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What kernel_gro.c sets at devices: features, GRO's sizes, NAPI's thread. */
#include "device.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* include/uapi/linux/if_link.h; newer than the headers of Debian 12 */
#define IFLA_GRO_MAX_SIZE 58
#define IFLA_GRO_IPV4_MAX_SIZE 64

void device_feature(const char *device, uint32_t command, uint32_t value)
{
	struct ethtool_value feature = { .cmd = command, .data = value };
	struct ifreq request = { .ifr_data = (char *)&feature };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		err(1, "%s: feature %u", device, command);
	close(fd);
}

static int route_socket(void)
{
	static int fd;

	if (!fd)
		fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0)
		err(1, "netlink");
	return fd;
}

void device_gro_max_size(int ifindex, uint32_t size, uint32_t ipv4_size)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct { struct rtattr head; uint32_t value; } sizes[2];
	} request = {
		.head = {
			.nlmsg_len = sizeof(request), .nlmsg_type = RTM_NEWLINK,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.link = { .ifi_index = ifindex },
		.sizes = {
			{ { RTA_LENGTH(sizeof(uint32_t)), IFLA_GRO_MAX_SIZE }, size },
			{ { RTA_LENGTH(sizeof(uint32_t)), IFLA_GRO_IPV4_MAX_SIZE }, ipv4_size },
		},
	};
	struct { struct nlmsghdr head; struct nlmsgerr error; char rest[512]; } answer;
	int fd = route_socket();

	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		err(1, "netlink");
	if (answer.head.nlmsg_type != NLMSG_ERROR || answer.error.error) {
		errno = -answer.error.error;
		err(1, "gro_max_size %u, gro_ipv4_max_size %u", size, ipv4_size);
	}
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd))
		err(1, "%s", path);
}

/* The thread's name is napi/DEVICE-ID. */
int device_napi_thread(const char *device)
{
	char want[64], path[300], comm[64];
	struct dirent *entry;
	int found = 0;
	DIR *proc;

	snprintf(path, sizeof(path), "/sys/class/net/%s/threaded", device);
	write_text(path, "1");
	snprintf(want, sizeof(want), "napi/%s-", device);
	proc = opendir("/proc");
	while (proc && !found && (entry = readdir(proc))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strncmp(comm, want, strlen(want)))
			found = atoi(entry->d_name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	if (!found)
		errx(1, "no thread %s", want);
	return found;
}
