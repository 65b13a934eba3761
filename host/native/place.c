/* SPDX-License-Identifier: Apache-2.0 */
/* The places of hooks: network namespaces and the devices in them. Refuses what is not there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

/* 0, or why there is no namespace; ENOTTY: the file is none. `ip netns add` leaves a plain file behind when its mount is gone. */
static int netns_find(const char *path, struct place *out)
{
	struct statfs fs;
	struct stat st;

	*out = (struct place){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) };
	if (out->fd < 0)
		return errno;
	if (!fstatfs(out->fd, &fs) && fs.f_type == NSFS_MAGIC && ioctl(out->fd, NS_GET_NSTYPE) == CLONE_NEWNET &&
	    !fstat(out->fd, &st)) {
		out->inode = st.st_ino;
		return 0;
	}
	close_fd(&out->fd);
	return ENOTTY;
}

int netns_path_open(const char *path, struct place *out)
{
	int err = netns_find(path, out);

	if (err == EACCES || err == EPERM)
		return fail_errno(LOAD_NO_PRIVILEGE, err, "%s", path);
	if (err == ENOTTY)
		return fail(LOAD_NETNS_GONE, "make the namespace, or take the function out of the plan",
			    "%s is not a network namespace", path);
	if (err)
		return fail(LOAD_NETNS_GONE, "make the namespace, or take the function out of the plan", "%s: %s", path,
			    strerror(err));
	return 0;
}

int place_open(const char *scope, struct place *out)
{
	struct scope parsed;

	*out = (struct place){ .fd = -1 };
	if (!scope_parse(scope, &parsed) || parsed.kind == SCOPE_NONE || parsed.kind == SCOPE_NETNS_PATTERN)
		return fail(LOAD_INTERNAL, NULL, "%s is not one place", scope);
	if (netns_path_open(parsed.netns, out))
		return -1;
	if (parsed.kind == SCOPE_NETNS)
		return 0;
	if (parsed.kind == SCOPE_DEV && !device_index(out, parsed.name, &out->ifindex) && out->ifindex)
		return 0;
	close_fd(&out->fd);
	out->inode = 0;
	return fail(LOAD_DEVICE_GONE, "make the device, or take the function out of the plan", "%s: there is no such device",
		    scope);
}

void place_close(struct place *place)
{
	close_fd(&place->fd);
}

bool place_look(const char *scope, struct place *out)
{
	struct scope parsed;

	*out = (struct place){ .fd = -1 };
	if (!scope_is_one(scope) || !scope_parse(scope, &parsed) || netns_find(parsed.netns, out))
		return false;
	if (parsed.kind == SCOPE_NETNS)
		return true;
	if (device_index(out, parsed.name, &out->ifindex))
		json_decref(failure_clear());
	if (!out->ifindex)
		out->inode = 0;
	return out->ifindex;
}

bool netns_look(const char *path, struct place *out)
{
	return !netns_find(path, out);
}

bool place_exists(const char *scope)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	struct scope parsed;

	if (!scope_parse(scope, &parsed))
		return false;
	if (parsed.kind == SCOPE_DEV_DRIVER || parsed.kind == SCOPE_DEV_BUS)
		return netns_look(parsed.netns, &place);
	return parsed.kind == SCOPE_NONE || parsed.kind == SCOPE_NETNS_PATTERN || place_look(scope, &place);
}

static int own_netns(uint64_t *inode)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st)) {
		*inode = st.st_ino;
		return fd;
	}
	close_fd(&fd);
	return -1;
}

/* BPF and rtnetlink look for a device's index in the caller's namespace. back: -1 where it is that already. */
int place_enter(const struct place *place, int *back)
{
	uint64_t inode;

	*back = own_netns(&inode);
	if (*back < 0)
		return -errno;
	if (inode == place->inode) {
		close_fd(back);
		return 0;
	}
	if (!setns(place->fd, CLONE_NEWNET))
		return 0;
	inode = errno;
	close_fd(back);
	return -(int)inode;
}

/* Nothing else may run in a namespace that was only visited. */
void place_leave(int back)
{
	if (back >= 0 && setns(back, CLONE_NEWNET))
		_exit(70);
	close_fd(&back);
}

bool place_same(const struct place *a, const struct place *b)
{
	return a->inode && a->inode == b->inode && a->ifindex == b->ifindex && a->ingress == b->ingress;
}

uint64_t netns_root_inode(void)
{
	struct stat st;

	return stat(ROOT_NETNS, &st) ? 0 : st.st_ino;
}

int netns_attached(const struct place *netns, uint32_t *prog_id)
{
	uint32_t ids[8] = { 0 }, count = 8;
	int err = bpf_prog_query(netns->fd, BPF_FLOW_DISSECTOR, 0, NULL, ids, &count);

	*prog_id = count ? ids[0] : 0;
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "the hook cannot be queried") : 0;
}
