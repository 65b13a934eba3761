/* SPDX-License-Identifier: Apache-2.0 */
/* Network namespaces as attach targets. Enters none: links take the namespace's file. */
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

#define ROOT_NETNS "/proc/1/ns/net"

int netns_path_open(const char *path, struct netns *out)
{
	struct statfs fs;
	struct stat st;

	out->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (out->fd < 0 && (errno == EACCES || errno == EPERM))
		return fail_errno(LOAD_NO_PRIVILEGE, errno, "%s", path);
	if (out->fd < 0)
		return fail(LOAD_NETNS_GONE, "make the namespace, or take the function out of the plan", "%s: %s", path,
			    strerror(errno));
	/* `ip netns add` leaves a plain file behind when its mount is gone. */
	if (fstatfs(out->fd, &fs) || fs.f_type != NSFS_MAGIC || ioctl(out->fd, NS_GET_NSTYPE) != CLONE_NEWNET ||
	    fstat(out->fd, &st)) {
		close_fd(&out->fd);
		return fail(LOAD_NETNS_GONE, "make the namespace, or take the function out of the plan",
			    "%s is not a network namespace", path);
	}
	out->inode = st.st_ino;
	return 0;
}

int netns_open(const char *scope, struct netns *out)
{
	return netns_path_open(strcmp(scope, "netns:root") ? scope + strlen("netns:") : ROOT_NETNS, out);
}

uint64_t netns_root_inode(void)
{
	struct stat st;

	return stat(ROOT_NETNS, &st) ? 0 : st.st_ino;
}

int netns_attached(const struct netns *netns, uint32_t *prog_id)
{
	uint32_t ids[8] = { 0 }, count = 8;
	int err = bpf_prog_query(netns->fd, BPF_FLOW_DISSECTOR, 0, NULL, ids, &count);

	*prog_id = count ? ids[0] : 0;
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "the hook cannot be queried") : 0;
}

/* Whether a scope's namespace can be opened, for those who only look. */
bool netns_exists(const char *scope)
{
	struct statfs fs;

	return !statfs(strcmp(scope, "netns:root") ? scope + strlen("netns:") : ROOT_NETNS, &fs) && fs.f_type == NSFS_MAGIC;
}
