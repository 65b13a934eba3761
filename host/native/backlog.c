/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feature `device:backlog`: whether what a device receives goes through the CPU's backlog, one packet behind the other, and
 * reaches its ingress from there as it came. Refuses devices of which that is not known. Changes nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/mount.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "kfn-load.h"

#define HINT "ethtool -K DEVICE gro on is faster nearly everywhere; docs/formats/bundle.md says when a device is taken"

static int refuse(const char *scope, const char *why)
{
	return fail(LOAD_DEVICE_UNFIT, HINT, "%s: %s", scope, why);
}

/* 0, or errno; *value of an ethtool command without arguments. */
static int ethtool_ask(int fd, const char *name, uint32_t command, uint32_t *value)
{
	struct ethtool_value answer = { .cmd = command };
	struct ifreq request = { .ifr_data = (char *)&answer };

	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (ioctl(fd, SIOCETHTOOL, &request))
		return errno;
	*value = answer.data;
	return 0;
}

static bool is_veth(int fd, const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (char *)&info };

	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	return !ioctl(fd, SIOCETHTOOL, &request) && !strcmp(info.driver, "veth");
}

/* A sysfs that shows the place's own devices, mounted nowhere: the descriptor is all there is of it. */
static int sysfs_open(const struct place *place)
{
	int back, err = place_enter(place, &back), fs, top = -1;

	if (err)
		return err;
	fs = syscall(SYS_fsopen, "sysfs", FSOPEN_CLOEXEC);
	if (fs >= 0 && !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		top = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	err = top < 0 ? -errno : top;
	close_fd(&fs);
	place_leave(back);
	return err;
}

/* A mask of CPUs, in groups of hex digits. */
static bool mask_is_set(int queues, const char *queue)
{
	char path[64], text[512];
	ssize_t len;
	int fd __close = -1;

	snprintf(path, sizeof(path), "%.32s/rps_cpus", queue);
	fd = openat(queues, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len < 0)
		return false;
	text[len] = 0;
	return strspn(text, "0,\n") < (size_t)len;
}

/* With RPS, every packet goes through a CPU's backlog, its own CPU's too (net/core/dev.c, netif_receive_skb_internal()). */
static int rps_look(const struct place *place, const char *name, bool *everywhere)
{
	int top __close = sysfs_open(place);
	struct dirent *entry;
	char path[64];
	DIR *folder;
	int fd;

	*everywhere = false;
	if (top < 0)
		return fail_errno(LOAD_KERNEL_REFUSED, -top, "the queues of %s cannot be looked at", name);
	snprintf(path, sizeof(path), "class/net/%.15s/queues", name);
	fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder)
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "the queues of %s cannot be looked at", name);
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, "rx-", 3))
			continue;
		*everywhere = mask_is_set(dirfd(folder), entry->d_name);
		if (!*everywhere)
			break;
	}
	closedir(folder);
	return 0;
}

int backlog_check(const struct place *place, const char *scope)
{
	int fd __close = netns_socket(place, AF_UNIX, SOCK_DGRAM, 0);
	struct ifreq request = { .ifr_ifindex = place->ifindex };
	uint32_t gro = 0, program = 0;
	bool everywhere;
	int err;

	if (fd < 0)
		return -1;
	if (ioctl(fd, SIOCGIFNAME, &request) || ioctl(fd, SIOCGIFFLAGS, &request))
		return fail(LOAD_DEVICE_GONE, NULL, "%s: the device went away meanwhile", scope);
	err = hook_xdp(place, &program);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: its XDP programs cannot be asked for", scope);
	if (program)
		return refuse(scope, "it has an XDP program, which may take packets out behind the backlog");
	if (request.ifr_flags & IFF_LOOPBACK)
		return 0;
	err = ethtool_ask(fd, request.ifr_name, ETHTOOL_GGRO, &gro);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, err, "%s: it cannot be asked whether the kernel's GRO is on", scope);
	if (gro)
		return refuse(scope, "the kernel's own GRO is on there, and is the better choice");
	/* Without GRO and XDP, veth receives without NAPI: netif_rx(). */
	if (is_veth(fd, request.ifr_name))
		return 0;
	if (rps_look(place, request.ifr_name, &everywhere))
		return -1;
	return everywhere ? 0 : refuse(scope, "it does not receive through the backlog: it is neither the loopback device nor veth, and not every receive queue has rps_cpus");
}
