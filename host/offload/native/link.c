/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a namespace: rtnetlink says which there are and what they hang on, ethtool's driver information who drives them. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kfn-device.h"

#define TRIES	5				/* of a dump that devices changed under */

struct links {
	json_t *devices;
	const char *only;
};

static const char *text_of(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) ? NULL : mnl_attr_get_str(attr);
}

static const char *kind_of(const struct nlattr *info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			return mnl_attr_validate(attr, MNL_TYPE_STRING) ? NULL : mnl_attr_get_str(attr);
	return NULL;
}

static int link_note(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	const char *name = NULL, *bus = NULL, *parent = NULL, *kind = NULL;
	uint32_t segments = 0;
	struct links *links = data;
	const struct nlattr *attr;
	json_t *device;

	mnl_attr_for_each(attr, message, sizeof(*link)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			name = text_of(attr);
			break;
		case IFLA_PARENT_DEV_BUS_NAME:
			bus = text_of(attr);
			break;
		case IFLA_PARENT_DEV_NAME:
			parent = text_of(attr);
			break;
		case IFLA_LINKINFO:
			kind = kind_of(attr);
			break;
		case IFLA_GSO_MAX_SEGS:
			if (!mnl_attr_validate(attr, MNL_TYPE_U32))
				segments = mnl_attr_get_u32(attr);
		}
	}
	if (!name || (links->only && strcmp(name, links->only)))
		return MNL_CB_OK;
	device = json_pack("{s:s, s:i, s:s?, s:I}", "device", name, "ifindex", link->ifi_index, "kind", kind, "gsoMaxSegments",
			   (json_int_t)segments);
	if (!device)
		return MNL_CB_OK;		/* a name that is no UTF-8: nobody could say it to kfn */
	json_object_set_new(device, "parent",
			    bus && parent ? json_pack("{s:s, s:s}", "bus", bus, "name", parent) : json_null());
	json_array_append_new(links->devices, device);
	return MNL_CB_OK;
}

static int dump(const char *netns, struct links *links)
{
	char buffer[REQUEST];
	struct session route;
	int err = -EINTR, i;

	if (session_open(&route, netns, NETLINK_ROUTE))
		return -1;
	for (i = 0; err == -EINTR && i < TRIES; i++) {
		struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

		request->nlmsg_type = RTM_GETLINK;
		request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
		mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		json_array_clear(links->devices);
		err = session_ask(&route, request, link_note, links);
	}
	session_close(&route);
	return err ? fail("DEVICE_REFUSED", "the devices of %s cannot be listed: %s", netns, strerror(-err)) : 0;
}

/* null of a driver that does not say: "" is how the kernel spells it. */
static json_t *told(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	return (len ? json_stringn(text, len) : NULL) ?: json_null();
}

static void driver_note(int fd, json_t *device)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (char *)&info };
	const char *name = json_string_value(json_object_get(device, "device"));

	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCETHTOOL, &request))
		memset(&info, 0, sizeof(info));
	json_object_set_new(device, "driver", told(info.driver, sizeof(info.driver)));
	json_object_set_new(device, "firmware", told(info.fw_version, sizeof(info.fw_version)));
}

int links_read(const char *netns, const char *only, json_t *devices)
{
	struct links links = { devices, only };
	json_t *device;
	size_t i;
	int fd;

	if (dump(netns, &links))
		return -1;
	fd = socket_in(netns);
	if (fd < 0)
		return -1;
	json_array_foreach(devices, i, device)
		driver_note(fd, device);
	close(fd);
	return 0;
}
