/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyrings by which the kernel checks signatures: its own, which only what it trusts already can add to, and one that this process
 * makes of the operator's certificates. That one ends with the process: nothing is left in the kernel.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include "kfn-load.h"

#define MAX_CERTIFICATE	(64 * 1024)
#define MAX_DESCRIPTION	512

const struct system_keyring system_keyrings[SYSTEM_KEYRINGS] = {
	{ ".builtin_trusted_keys", 0 },
	{ ".secondary_trusted_keys", 1 },	/* and what is linked into it: .machine, where the kernel does that */
	{ ".platform", 2 },
};

static int is_certificate(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 4 && !strcmp(entry->d_name + len - 4, ".der");
}

/* The files of the operator's certificates, sorted; the caller frees them. 0 or less: there are none. */
int certificates_list(struct dirent ***names)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" HOST_CERTIFICATES, root_dir);
	return scandir(path, names, is_certificate, alphasort);
}

static void certificate_add(int32_t ring, const char *name, struct host_keyring *out)
{
	char path[PATH_MAX];
	struct buf bytes __buf = { 0 };
	json_t *unreadable __json = NULL;

	snprintf(path, sizeof(path), "%s/" HOST_CERTIFICATES "/%s", root_dir, name);
	if (file_read(path, MAX_CERTIFICATE, &bytes)) {
		unreadable = failure_clear();
		snprintf(out->problem, sizeof(out->problem), HOST_CERTIFICATES "/%.80s cannot be read", name);
	} else if (syscall(SYS_add_key, "asymmetric", NULL, bytes.data, bytes.len, ring) < 0) {
		snprintf(out->problem, sizeof(out->problem), "the kernel does not take " HOST_CERTIFICATES "/%.80s: %s", name, strerror(errno));
	} else {
		out->keys++;
	}
	plain(out->problem);
}

/* A bad certificate among them is a problem to tell of, and no reason not to use the others. */
const struct host_keyring *host_keyring(void)
{
	static struct host_keyring made;
	struct dirent **names = NULL;
	int count, i;

	if (made.asked)
		return &made;
	made.asked = true;
	count = certificates_list(&names);
	if (count > 0) {
		made.serial = syscall(SYS_add_key, "keyring", "kfn", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
		if (made.serial < 0)
			snprintf(made.problem, sizeof(made.problem), "no keyring can be made: %s", strerror(errno));
	}
	for (i = 0; i < count; i++) {
		if (made.serial > 0)
			certificate_add(made.serial, names[i]->d_name, &made);
		free(names[i]);
	}
	free(names);
	return &made;
}

/* Lines of /proc/keys: `serial flags usage timeout perm uid gid type description: summary`. 0: there is no such keyring. */
static int32_t system_serial(const char *name)
{
	char line[1024], type[16], found[64];
	unsigned int serial;
	FILE *keys = fopen("/proc/keys", "re");
	int32_t result = 0;

	while (keys && fgets(line, sizeof(line), keys))
		if (sscanf(line, "%x %*s %*s %*s %*s %*s %*s %15s %63[^:]", &serial, type, found) == 3 &&
		    !strcmp(type, "keyring") && !strcmp(found, name))
			result = serial;
	if (keys)
		fclose(keys);
	return result;
}

/* `type;uid;gid;perm;description`; of a certificate, the description ends with `: ` and its key id. */
static void description_add(json_t *list, int32_t serial)
{
	char text[MAX_DESCRIPTION], *at = text;
	int i;

	if (syscall(SYS_keyctl, KEYCTL_DESCRIBE, serial, text, sizeof(text)) < 0)
		return;
	text[sizeof(text) - 1] = 0;
	for (i = 0; at && i < 4; i++)
		at = strchr(at, ';') ? strchr(at, ';') + 1 : NULL;
	if (!at)
		return;
	plain(at);
	json_array_append_new(list, json_string(at));
}

/* What a keyring holds; null where it does not exist or may not be read. */
static json_t *keys_json(int32_t ring)
{
	static int32_t serials[4096];
	long bytes = ring > 0 ? syscall(SYS_keyctl, KEYCTL_READ, ring, serials, sizeof(serials)) : -1;
	json_t *list;
	size_t i;

	if (bytes < 0)
		return json_null();
	list = json_array();
	for (i = 0; i < (size_t)bytes / sizeof(*serials) && i < sizeof(serials) / sizeof(*serials); i++)
		description_add(list, serials[i]);
	return list;
}

int cmd_kernel_keys(void)
{
	static const char *const names[] = { ".builtin_trusted_keys", ".secondary_trusted_keys", ".machine", ".platform" };
	json_t *keyrings __json = json_object();
	const struct host_keyring *host = host_keyring();
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		json_object_set_new(keyrings, names[i], keys_json(system_serial(names[i])));
	json_object_set_new(keyrings, HOST_KEYRING, keys_json(host->serial));
	return answer(json_pack("{s:o, s:O, s:s?}", "kernelSignatures", probe_json(probe_signatures()), "keyrings", keyrings,
				"problem", *host->problem ? host->problem : NULL));
}
