/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ETHTOOL_MSG_FEATURES_GET and _SET (Documentation/networking/ethtool-netlink.rst), under the kernel's own names of features.
 * Asks for verbose bitsets, so that no number of a feature is assumed. A set is no proof: whoever sets reads again.
 */
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <string.h>
#include "kfn-device.h"

struct bits {
	json_t *features;
	uint16_t kind;				/* ETHTOOL_A_FEATURES_* */
	bool broken;
};

static json_t *feature_of(json_t *features, const char *name)
{
	json_t *feature = json_object_get(features, name);

	if (feature)
		return feature;
	feature = json_pack("{s:b, s:b, s:b}", "active", 0, "fixed", 1, "requested", 0);
	if (!feature || json_object_set_new(features, name, feature))
		return NULL;
	return feature;
}

static void bit_note(struct bits *bits, const char *name, bool value)
{
	json_t *feature = feature_of(bits->features, name);

	if (!feature) {
		bits->broken = true;
		return;
	}
	/* HW names every feature and says which the device has; the other sets name what is in them. */
	if (bits->kind == ETHTOOL_A_FEATURES_HW && value)
		json_object_set_new(feature, "fixed", json_false());
	if (bits->kind == ETHTOOL_A_FEATURES_NOCHANGE)
		json_object_set_new(feature, "fixed", json_true());
	if (bits->kind == ETHTOOL_A_FEATURES_WANTED)
		json_object_set_new(feature, "requested", json_true());
	if (bits->kind == ETHTOOL_A_FEATURES_ACTIVE)
		json_object_set_new(feature, "active", json_true());
}

static void bits_note(struct bits *bits, const struct nlattr *set)
{
	const struct nlattr *part, *bit, *attr;

	mnl_attr_for_each_nested(part, set) {
		if (mnl_attr_get_type(part) != ETHTOOL_A_BITSET_BITS)
			continue;
		mnl_attr_for_each_nested(bit, part) {
			const char *name = NULL;
			bool value = false;

			mnl_attr_for_each_nested(attr, bit) {
				if (mnl_attr_get_type(attr) == ETHTOOL_A_BITSET_BIT_NAME &&
				    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
					name = mnl_attr_get_str(attr);
				value |= mnl_attr_get_type(attr) == ETHTOOL_A_BITSET_BIT_VALUE;
			}
			if (!name)
				bits->broken = true;
			else if (*name)		/* the kernel has bits that no feature has any more */
				bit_note(bits, name, value);
		}
	}
}

/* HW first: it makes the entries that say "fixed" of what the device does not have. */
static int features_note(const struct nlmsghdr *message, void *data)
{
	static const uint16_t order[] = { ETHTOOL_A_FEATURES_HW, ETHTOOL_A_FEATURES_WANTED, ETHTOOL_A_FEATURES_ACTIVE,
					  ETHTOOL_A_FEATURES_NOCHANGE };
	struct bits *bits = data;
	const struct nlattr *attr;
	size_t i;

	for (i = 0; i < MNL_ARRAY_SIZE(order); i++)
		mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
			bits->kind = mnl_attr_get_type(attr);
			if (bits->kind == order[i])
				bits_note(bits, attr);
		}
	return MNL_CB_OK;
}

static void header_put(struct nlmsghdr *request, uint16_t type, const char *device)
{
	struct nlattr *nest = mnl_attr_nest_start(request, type);

	mnl_attr_put_strz(request, ETHTOOL_A_HEADER_DEV_NAME, device);
	mnl_attr_nest_end(request, nest);
}

static int refused(int err, const char *device, const char *what)
{
	return fail(err == -ENODEV ? "DEVICE_GONE" : "DEVICE_REFUSED", "the features of %s cannot be %s: %s", device, what,
		    strerror(-err));
}

int features_read(struct session *genl, const struct family *ethtool, const char *device, json_t **out)
{
	char buffer[REQUEST];
	struct nlmsghdr *request = genl_request(buffer, ethtool, ETHTOOL_MSG_FEATURES_GET, NLM_F_ACK);
	struct bits bits = { .features = json_object() };
	int err;

	*out = bits.features;
	header_put(request, ETHTOOL_A_FEATURES_HEADER, device);
	err = session_ask(genl, request, features_note, &bits);
	if (err)
		return refused(err, device, "read");
	return bits.broken ? fail("DEVICE_REFUSED", "the features of %s are not in the form of ethtool netlink", device) : 0;
}

int features_set(struct session *genl, const struct family *ethtool, const char *device, char *const *changes, int count)
{
	char buffer[REQUEST];
	struct nlmsghdr *request = genl_request(buffer, ethtool, ETHTOOL_MSG_FEATURES_SET, NLM_F_ACK);
	struct nlattr *set, *bits;
	int i, err;

	header_put(request, ETHTOOL_A_FEATURES_HEADER, device);
	set = mnl_attr_nest_start(request, ETHTOOL_A_FEATURES_WANTED);
	bits = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS);
	for (i = 0; i < count; i++) {
		const char *is = strchr(changes[i], '=');
		struct nlattr *bit = mnl_attr_nest_start(request, ETHTOOL_A_BITSET_BITS_BIT);
		char name[64];

		if (!is || is - changes[i] >= (long)sizeof(name) || (strcmp(is, "=on") && strcmp(is, "=off")))
			return fail("DEVICE_USAGE", "not NAME=on or NAME=off: %s", changes[i]);
		memcpy(name, changes[i], is - changes[i]);
		name[is - changes[i]] = 0;
		mnl_attr_put_strz(request, ETHTOOL_A_BITSET_BIT_NAME, name);
		if (!strcmp(is, "=on"))
			mnl_attr_put(request, ETHTOOL_A_BITSET_BIT_VALUE, 0, NULL);
		mnl_attr_nest_end(request, bit);
	}
	mnl_attr_nest_end(request, bits);
	mnl_attr_nest_end(request, set);
	err = session_ask(genl, request, NULL, NULL);
	return err ? refused(err, device, "set") : 0;
}
