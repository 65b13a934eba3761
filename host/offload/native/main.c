/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kfn-device [--netns FILE] show [DEVICE]
 * kfn-device [--netns FILE] set DEVICE NAME=on|off…
 * kfn-device watch FILE…
 *
 * One JSON document on stdout, of `watch` one a line (docs/formats/offload.md). Exit 0, 1 refused, 2 usage, 70 bug.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kfn-device.h"

static int ethtool_open(const char *netns, struct session *genl, struct family *ethtool)
{
	if (session_open(genl, netns, NETLINK_GENERIC) || family_look(genl, "ethtool", "monitor", ethtool))
		return -1;
	return ethtool->id ? 0 : fail("DEVICE_REFUSED", "this kernel has no ethtool netlink");
}

/* What devlink or ethtool refuses of one device must not hide the others: it stands in that device's `problem`. */
static int device_fill(const char *netns, struct session *genl, const struct family *ethtool, json_t *device)
{
	const char *name = json_string_value(json_object_get(device, "device"));
	json_t *features = NULL, *info = json_null(), *parent = json_object_get(device, "parent"), *problem = json_null();

	if (features_read(genl, ethtool, name, &features))
		problem = failure_take();
	else if (json_is_object(parent) &&
		 info_read(netns, json_string_value(json_object_get(parent, "bus")),
			   json_string_value(json_object_get(parent, "name")), &info))
		problem = failure_take();
	json_object_set_new(device, "features", features);
	json_object_set_new(device, "devlink", info);
	return json_object_set_new(device, "problem", problem);
}

static int show(const char *netns, const char *only, json_t *answer)
{
	json_t *devices = json_array(), *device;
	struct family ethtool;
	struct session genl;
	size_t i;

	json_object_set_new(answer, "devices", devices);
	if (links_read(netns, only, devices) || ethtool_open(netns, &genl, &ethtool))
		return -1;
	if (only && !json_array_size(devices))
		return fail("DEVICE_GONE", "there is no device %s in %s", only, netns);
	json_array_foreach(devices, i, device)
		if (device_fill(netns, &genl, &ethtool, device))
			return fail("DEVICE_INTERNAL", "out of memory");
	session_close(&genl);
	return 0;
}

static int set(const char *netns, char *const *args, int count)
{
	struct family ethtool;
	struct session genl;
	int err;

	if (count > MAX_FEATURES)
		return fail("DEVICE_USAGE", "at most %d features", MAX_FEATURES);
	if (ethtool_open(netns, &genl, &ethtool))
		return -1;
	err = features_set(&genl, &ethtool, args[0], args + 1, count);
	session_close(&genl);
	return err;
}

static int run(int argc, char **argv, json_t *answer)
{
	const char *netns = "/proc/self/ns/net";

	if (argc > 2 && !strcmp(argv[1], "--netns")) {
		netns = argv[2];
		argc -= 2;
		argv += 2;
	}
	if ((argc == 2 || argc == 3) && !strcmp(argv[1], "show"))
		return show(netns, argv[2], answer);
	if (argc > 3 && !strcmp(argv[1], "set"))
		return set(netns, argv + 2, argc - 3);
	if (argc > 2 && !strcmp(argv[1], "watch"))
		return watch(argv + 2, argc - 2);
	return fail("DEVICE_USAGE", "kfn-device [--netns FILE] show [DEVICE] | set DEVICE NAME=on|off… | watch FILE…");
}

static int exit_of(const char *code)
{
	if (!strcmp(code, "DEVICE_USAGE"))
		return 2;
	return !strcmp(code, "DEVICE_INTERNAL") ? 70 : 1;
}

int main(int argc, char **argv)
{
	json_t *answer = json_pack("{s:b}", "ok", 1), *failure;
	int code = 0;

	if (run(argc, argv, answer)) {
		failure = failure_take();
		code = exit_of(json_string_value(json_object_get(failure, "code")));
		json_decref(answer);
		answer = json_pack("{s:b, s:o}", "ok", 0, "error", failure);
	}
	if (json_dumpf(answer, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout))
		return 70;
	json_decref(answer);
	return code;
}
