/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line for each change that may matter: links that come, go and change (rtnetlink), features (ethtool's monitor group),
 * devlink instances, ports and flashes (devlink's config group). Says that something changed, not what: the reader looks again.
 */
#include <errno.h>
#include <linux/devlink.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kfn-device.h"

#define MAX_NAMESPACES	64
#define SOURCES		3

struct source {
	struct session session;
	const char *event;
};

static int line(const char *event, const char *netns)
{
	if (printf("{\"event\":\"%s\"%s", event, netns ? ",\"netns\":" : "}\n") < 0)
		return -1;
	if (netns) {
		json_t *text = json_string(netns);

		json_dumpf(text, stdout, JSON_ENCODE_ANY);
		json_decref(text);
		printf("}\n");
	}
	return fflush(stdout);
}

static int join(struct source *source, const char *netns, int bus, const char *family, const char *group, const char *event)
{
	int groups = RTNLGRP_LINK;
	struct family found;

	if (session_open(&source->session, netns, bus))
		return -1;
	source->event = event;
	if (family) {
		if (family_look(&source->session, family, group, &found))
			return -1;
		if (!found.group) {		/* this kernel has no devlink */
			session_close(&source->session);
			return 0;
		}
		groups = found.group;
	}
	if (mnl_socket_setsockopt(source->session.nl, NETLINK_ADD_MEMBERSHIP, &groups, sizeof(groups)))
		return fail("DEVICE_REFUSED", "changes in %s cannot be followed: %s", netns, strerror(errno));
	return 0;
}

/* All that waits is one event: whoever reads the line looks at everything there. */
static int drain(struct source *source)
{
	static char buffer[1 << 16];
	bool lost = false;

	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(source->session.nl), buffer, sizeof(buffer), MSG_DONTWAIT);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (got < 0 && errno != EAGAIN)
			return fail("DEVICE_REFUSED", "changes can no longer be followed: %s", strerror(errno));
		if (got <= 0)
			return line(lost ? "lost" : source->event, source->session.netns);
	}
}

static int follow(struct source *sources, int count)
{
	struct pollfd fds[MAX_NAMESPACES * SOURCES + 1];
	char rest[64];
	int i;

	for (i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = sources[i].session.nl ? mnl_socket_get_fd(sources[i].session.nl) : -1,
					  .events = POLLIN };
	fds[count] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	for (;;) {
		if (poll(fds, count + 1, -1) < 0 && errno != EINTR)
			return fail("DEVICE_INTERNAL", "poll: %s", strerror(errno));
		if (fds[count].revents && read(STDIN_FILENO, rest, sizeof(rest)) <= 0)
			return 0;
		for (i = 0; i < count; i++)
			if (fds[i].revents && drain(&sources[i]))
				return -1;
	}
}

int watch(char *const *namespaces, int count)
{
	static struct source sources[MAX_NAMESPACES * SOURCES];
	int i;

	if (count > MAX_NAMESPACES)
		return fail("DEVICE_USAGE", "at most %d namespaces", MAX_NAMESPACES);
	for (i = 0; i < count; i++) {
		struct source *three = &sources[i * SOURCES];

		if (join(three, namespaces[i], NETLINK_ROUTE, NULL, NULL, "link") ||
		    join(three + 1, namespaces[i], NETLINK_GENERIC, ETHTOOL_GENL_NAME, ETHTOOL_MCGRP_MONITOR_NAME, "features") ||
		    join(three + 2, namespaces[i], NETLINK_GENERIC, DEVLINK_GENL_NAME, DEVLINK_GENL_MCGRP_CONFIG_NAME, "devlink"))
			return -1;
	}
	if (line("watching", NULL))
		return -1;
	return follow(sources, count * SOURCES);
}
