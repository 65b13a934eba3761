/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the few files that a boot changes: temporary name, fsync, rename, fsync of the folder (host/durable.ts does the
 * same). Refuses to leave a half-written file under a final name. Paths are relative to the root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "kfn-load.h"

static int unwritable(const char *path)
{
	return fail_errno(LOAD_STATE_UNWRITABLE, errno, "%s%s", root_dir, path);
}

/* Mode 0755 whatever the umask: nothing in these folders is secret, and `kfn boot status` needs no root. */
int folder_make(const char *path)
{
	char full[PATH_MAX], *at;

	snprintf(full, sizeof(full), "%s%s", root_dir, path);
	for (at = full + strlen(root_dir) + 1; at; ) {
		at = strchr(at, '/');
		if (at)
			*at = 0;
		if (!mkdir(full, 0755))
			chmod(full, 0755);
		else if (errno != EEXIST && errno != EROFS)
			return unwritable(path);
		if (at)
			*at++ = '/';
	}
	return 0;
}

/* The folder of path, and the temporary name in it: `.NAME.tmp`, as the sweep of host/recover.ts expects. */
static int folder_open(const char *path, char temporary[NAME_MAX + 1])
{
	char full[PATH_MAX], *name;

	snprintf(full, sizeof(full), "%s%s", root_dir, path);
	name = strrchr(full, '/');
	*name++ = 0;
	snprintf(temporary, NAME_MAX + 1, ".%.200s.tmp", name);
	return open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int name_of(int folder, const char *temporary, const char *path)
{
	return renameat(folder, temporary, folder, strrchr(path, '/') + 1) || fsync(folder) ? unwritable(path) : 0;
}

int bytes_put(int fd, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	while (len) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			at += done;
			len -= done;
		}
	}
	return 0;
}

static int text_write(int folder, const char *temporary, const char *text)
{
	int fd __close = openat(folder, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 || bytes_put(fd, text, strlen(text)) || fchmod(fd, 0644) || fsync(fd) ? -1 : 0;
}

int state_write(const char *path, json_t *document)
{
	char temporary[NAME_MAX + 1], *dump = json_dumps(document, JSON_INDENT(2)), *text = NULL;
	int folder __close = folder_open(path, temporary);
	int err = 0;

	json_decref(document);
	if (dump && asprintf(&text, "%s\n", dump) < 0)
		text = NULL;
	free(dump);
	if (!text)
		return fail(LOAD_INTERNAL, NULL, "%s: out of memory", path);
	if (folder < 0 || text_write(folder, temporary, text))
		err = unwritable(path);
	free(text);
	return err ?: name_of(folder, temporary, path);
}

int state_link(const char *path, const char *target)
{
	char temporary[NAME_MAX + 1];
	int folder __close = folder_open(path, temporary);

	if (folder < 0)
		return unwritable(path);
	unlinkat(folder, temporary, 0);
	return symlinkat(target, folder, temporary) ? unwritable(path) : name_of(folder, temporary, path);
}
