/* SPDX-License-Identifier: Apache-2.0 */
/* DEVLINK_CMD_INFO_GET of the device that a network device hangs on, in the shape of `devlink -j dev info`. */
#include <errno.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>
#include <string.h>
#include "kfn-device.h"

struct info {
	json_t *versions;
	json_t *driver;
	const char *broken;			/* NULL: all of it was understood */
};

static const char *section_of(uint16_t type)
{
	switch (type) {
	case DEVLINK_ATTR_INFO_VERSION_FIXED:
		return "fixed";
	case DEVLINK_ATTR_INFO_VERSION_RUNNING:
		return "running";
	case DEVLINK_ATTR_INFO_VERSION_STORED:
		return "stored";
	}
	return NULL;
}

static void version_note(struct info *info, const char *section, const struct nlattr *version)
{
	json_t *list = json_object_get(info->versions, section);
	const char *name = NULL, *value = NULL;
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, version) {
		if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			continue;
		if (mnl_attr_get_type(attr) == DEVLINK_ATTR_INFO_VERSION_NAME)
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == DEVLINK_ATTR_INFO_VERSION_VALUE)
			value = mnl_attr_get_str(attr);
	}
	if (!list) {
		list = json_object();
		json_object_set_new(info->versions, section, list);
	}
	if (!name || !value)
		info->broken = "a version without a name or a value";
	else if (json_object_get(list, name))
		info->broken = "two versions of one name";
	else if (json_object_set_new(list, name, json_string(value)))
		info->broken = "a version that is no UTF-8";
}

static int info_note(const struct nlmsghdr *message, void *data)
{
	struct info *info = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		const char *section = section_of(mnl_attr_get_type(attr));

		if (section)
			version_note(info, section, attr);
		if (mnl_attr_get_type(attr) == DEVLINK_ATTR_INFO_DRIVER_NAME && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			info->driver = json_string(mnl_attr_get_str(attr));
	}
	return MNL_CB_OK;
}

/* -ENODEV: no devlink instance of that handle in this namespace. */
static int ask(const char *netns, const char *bus, const char *name, struct info *info)
{
	char buffer[REQUEST];
	struct nlmsghdr *request;
	struct family devlink;
	struct session genl;
	int err;

	if (session_open(&genl, netns, NETLINK_GENERIC))
		return -1;
	err = family_look(&genl, DEVLINK_GENL_NAME, DEVLINK_GENL_MCGRP_CONFIG_NAME, &devlink);
	if (!err && !devlink.id)
		err = -ENODEV;
	if (!err) {
		request = genl_request(buffer, &devlink, DEVLINK_CMD_INFO_GET, NLM_F_ACK);
		mnl_attr_put_strz(request, DEVLINK_ATTR_BUS_NAME, bus);
		mnl_attr_put_strz(request, DEVLINK_ATTR_DEV_NAME, name);
		err = session_ask(&genl, request, info_note, info);
		if (err && err != -ENODEV && err != -EOPNOTSUPP) {
			fail("DEVICE_REFUSED", "devlink does not tell of %s/%s: %s", bus, name, strerror(-err));
			err = -1;
		}
	}
	session_close(&genl);
	return err;
}

int info_read(const char *netns, const char *bus, const char *name, json_t **out)
{
	struct info info = { .versions = json_object() };
	/* A network device moves between namespaces, its devlink instance stays where it was. */
	int err = ask(netns, bus, name, &info);

	if (err == -ENODEV && strcmp(netns, ROOT_NETNS))
		err = ask(ROOT_NETNS, bus, name, &info);
	if (!err && info.broken)
		err = fail("DEVICE_REFUSED", "devlink info of %s/%s has %s", bus, name, info.broken);
	if (!err)
		*out = json_pack("{s:o*, s:O}", "driver", info.driver, "versions", info.versions);
	else if (err == -ENODEV || err == -EOPNOTSUPP)
		*out = json_null();
	json_decref(info.versions);
	return err && err != -ENODEV && err != -EOPNOTSUPP ? -1 : 0;
}
