// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Firmware images of the test device, as `devlink dev flash` brings them: lines of
 * a word and what it says. Refuses a word that it does not know.
 *
 *	version VERSION
 *	engine first|second|none
 *	lie psh|id
 *	claim NAME VALUE	instead of the engine's own tag; up to 4 times
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "device.h"

void firmware_default(struct firmware_image *image)
{
	*image = (struct firmware_image){ .version = "1.0.0", .engine = &engine_first };
}

static int parse_claim(struct firmware_image *image, char *text)
{
	struct claim *claim = &image->claim[image->claims];
	char *name = strsep(&text, " ");

	if (!text || image->claims == CLAIMS)
		return -EINVAL;
	if (strscpy(claim->name, name, sizeof(claim->name)) < 0 || strscpy(claim->value, text, sizeof(claim->value)) < 0)
		return -EINVAL;
	image->claims++;
	return 0;
}

static int parse_engine(struct firmware_image *image, const char *name)
{
	if (!strcmp(name, engine_first.name))
		image->engine = &engine_first;
	else if (!strcmp(name, engine_second.name))
		image->engine = &engine_second;
	else if (strcmp(name, "none"))
		return -EINVAL;
	return 0;
}

static int parse_lie(struct firmware_image *image, const char *name)
{
	if (!strcmp(name, "psh"))
		image->lie = LIE_PSH;
	else if (!strcmp(name, "id"))
		image->lie = LIE_ID;
	else
		return -EINVAL;
	return 0;
}

static int parse_line(struct firmware_image *image, char *line)
{
	char *word = strsep(&line, " ");

	if (!line)
		return -EINVAL;
	if (!strcmp(word, "version"))
		return strscpy(image->version, line, sizeof(image->version)) < 0 ? -EINVAL : 0;
	if (!strcmp(word, "engine"))
		return parse_engine(image, line);
	if (!strcmp(word, "lie"))
		return parse_lie(image, line);
	if (!strcmp(word, "claim"))
		return parse_claim(image, line);
	return -EINVAL;
}

int firmware_parse(struct firmware_image *image, const char *text, size_t len, struct netlink_ext_ack *extack)
{
	char *copy = kstrndup(text, len, GFP_KERNEL), *rest = copy, *line;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	*image = (struct firmware_image){};
	while (!err && (line = strsep(&rest, "\n"))) {
		if (*line)
			err = parse_line(image, line);
		if (err)
			NL_SET_ERR_MSG_FMT_MOD(extack, "not a line of a firmware image: %s", line);
	}
	if (!err && !*image->version) {
		NL_SET_ERR_MSG_MOD(extack, "a firmware image has a version");
		err = -EINVAL;
	}
	kfree(copy);
	return err;
}
