/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files whole, each opened once and bounded. Refuses symlinks inside the store, devices, FIFOs and growing files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "kfn-load.h"

const char *root_dir = "";

void buf_free(struct buf *buf)
{
	free(buf->data);
	buf->data = NULL;
}

static int read_all(int fd, size_t max, const char *what, struct buf *out)
{
	size_t room = 0;
	ssize_t got;

	*out = (struct buf){ 0 };
	for (;;) {
		if (out->len + 1 >= room) {
			unsigned char *grown;

			room = room ? room * 2 : 65536;
			grown = realloc(out->data, room);
			if (!grown)
				return fail(LOAD_INTERNAL, NULL, "%s: out of memory", what);
			out->data = grown;
		}
		got = read(fd, out->data + out->len, room - out->len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_errno(LOAD_FILE_UNREADABLE, errno, "%s", what);
		out->len += got;
		if (out->len > max)
			return fail(LOAD_FILE_TOO_LARGE, NULL, "%s: larger than %zu bytes", what, max);
		out->data[out->len] = 0;
		if (!got)
			return 0;
	}
}

static int read_file(int fd, size_t max, const char *what, struct buf *out)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno(LOAD_FILE_UNREADABLE, errno, "%s", what);
	if (!S_ISREG(st.st_mode))
		return fail(LOAD_FILE_UNREADABLE, NULL, "%s: not a plain file", what);
	return read_all(fd, max, what, out);
}

/* O_NONBLOCK: opening a FIFO that somebody put there must not hang a boot. */
int file_read(const char *path, size_t max, struct buf *out)
{
	int fd __close = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	*out = (struct buf){ 0 };
	if (fd < 0)
		return fail_errno(LOAD_FILE_UNREADABLE, errno, "%s", path);
	return read_file(fd, max, path, out);
}

int stdin_read(size_t max, struct buf *out)
{
	return read_all(STDIN_FILENO, max, "stdin", out);
}

int store_open(const char *sha256)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/store/%s", root_dir, sha256);
	fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(LOAD_FILE_UNREADABLE, errno, "bundle %.12s.. is not in the store", sha256);
	return fd;
}

int store_read(int store, const char *path, size_t max, struct buf *out)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd __close = syscall(SYS_openat2, store, path, &how, sizeof(how));

	*out = (struct buf){ 0 };
	if (fd < 0)
		return fail_errno(LOAD_FILE_UNREADABLE, errno, "the stored %s", path);
	return read_file(fd, max, path, out);
}
