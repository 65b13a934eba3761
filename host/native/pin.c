/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: <root>/sys/fs/bpf/kfn/<function>/<scope>/{link,prog,prog-new,verified}. `prog` is pinned before its link and `prog-new`
 * before the link turns to it, so after a kill at any point the link's program is one of the two, or there is no link.
 * `verified` is a symbolic link to "<program id> <keyring>": it counts for that program only. Touches nothing outside that folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

#define PINS "sys/fs/bpf/kfn"
#define MARK "verified"

/* bpffs refuses dots in names (kernel/bpf/inode.c, bpf_lookup), so all but [A-Za-z0-9:_-] becomes %XX. */
bool scope_encode(const char *scope, char out[MAX_SCOPE + 1])
{
	static const char kept[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-";
	size_t at = 0;

	for (; *scope; scope++) {
		bool plainly = strchr(kept, *scope);

		if (at + (plainly ? 1 : 3) > MAX_SCOPE)
			return false;
		if (plainly)
			out[at++] = *scope;
		else
			at += sprintf(out + at, "%%%02X", (unsigned char)*scope);
	}
	out[at] = 0;
	return true;
}

/* The scope of one place that encodes to exactly this name. */
static bool scope_decode(const char *name, char out[MAX_SCOPE + 1])
{
	const char *whole = name;
	char again[MAX_SCOPE + 1];
	unsigned int byte;
	size_t at;

	for (at = 0; *name && at < MAX_SCOPE; at++) {
		const char *digits = name + 1;

		out[at] = *name++;
		if (out[at] != '%')
			continue;
		if (!digits[0] || !digits[1] || sscanf(digits, "%2x", &byte) != 1)
			return false;
		out[at] = (char)byte;
		name += 2;
	}
	out[at] = 0;
	return !*name && scope_is_one(out) && scope_encode(out, again) && !strcmp(again, whole);
}

static void pin_path(const struct pin *pin, const char *leaf, char out[PATH_MAX])
{
	char encoded[MAX_SCOPE + 1];

	scope_encode(pin->scope, encoded);
	snprintf(out, PATH_MAX, "%s/" PINS "/%s/%s%s%s", root_dir, pin->function, encoded, *leaf ? "/" : "", leaf);
}

bool bpffs_mounted(void)
{
	char path[PATH_MAX];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s/sys/fs/bpf", root_dir);
	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

int bpffs_check(void)
{
	if (bpffs_mounted())
		return 0;
	return fail(LOAD_BPFFS_NOT_MOUNTED,
		    "mount one there (mount -t bpf bpf DIR; mkdir -p DIR first where it is missing); ip netns exec gives its command a /sys without it: name the scope from outside",
		    "no bpffs is mounted at %s/sys/fs/bpf", root_dir);
}

static int leaf_open(const struct pin *pin, const char *leaf, int *fd)
{
	char path[PATH_MAX];

	pin_path(pin, leaf, path);
	*fd = bpf_obj_get(path);
	if (*fd >= 0 || *fd == -ENOENT)
		return 0;
	return fail_errno(LOAD_PIN_INVALID, -*fd, "%s", path);
}

static int prog_id(int fd, uint32_t *id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int err = fd < 0 ? 0 : bpf_obj_get_info_by_fd(fd, &info, &len);

	*id = info.id;
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "a pinned program cannot be inspected") : 0;
}

/* A link says only the index of its device: the namespace of the scope says whether it hangs there. */
static int tcx_look(struct pin *pin, uint32_t ifindex)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	struct tcx_program programs[MAX_TCX];
	size_t count = 0, i;
	int err;

	if (!ifindex || !place_look(pin->scope, &place) || place.ifindex != ifindex)
		return 0;
	place.ingress = pin->ingress;
	err = hook_tcx(&place, programs, &count);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: the hook cannot be queried", pin->scope);
	for (i = 0; i < count; i++)
		if (programs[i].link_id == pin->link_id) {
			pin->netns_inode = place.inode;
			pin->ifindex = ifindex;
		}
	return 0;
}

/* Without a link there may be a filter, which only the device knows. */
static int filter_look(struct pin *pin)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	int err;

	if ((pin->prog_fd < 0 && pin->new_fd < 0) || !place_look(pin->scope, &place) || !place.ifindex)
		return 0;
	err = hook_filter(&place, &pin->link_prog_id);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: the hook cannot be queried", pin->scope);
	if (!pin->link_prog_id)
		return 0;
	pin->hook = HOOK_CLSACT;
	pin->netns_inode = place.inode;
	pin->ifindex = place.ifindex;
	return 0;
}

static int link_look(struct pin *pin)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);
	int err;

	if (pin->link_fd < 0)
		return filter_look(pin);
	err = bpf_obj_get_info_by_fd(pin->link_fd, &info, &len);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a pinned link cannot be inspected");
	pin->link_id = info.id;
	pin->link_prog_id = info.prog_id;
	/* tcx has the device's index and the hook where netns has its own two. */
	pin->ingress = info.netns.attach_type == KFN_BPF_TCX_INGRESS;
	if (info.type == KFN_BPF_LINK_TYPE_TCX && (pin->ingress || info.netns.attach_type == KFN_BPF_TCX_EGRESS)) {
		pin->hook = HOOK_TCX;
		return tcx_look(pin, info.netns.netns_ino);
	}
	if (info.type != BPF_LINK_TYPE_NETNS || info.netns.attach_type != BPF_FLOW_DISSECTOR)
		return fail(LOAD_PIN_INVALID, NULL, "the pinned link of %s in %s is not one of a hook that kfn attaches to",
			    pin->function, pin->scope);
	pin->hook = HOOK_NETNS;
	pin->netns_inode = info.netns.netns_ino;
	return 0;
}

/* What an earlier run wrote of another program says nothing of this one. */
static void mark_look(struct pin *pin)
{
	char path[PATH_MAX], text[64];
	unsigned int id;
	ssize_t len;

	pin_path(pin, MARK, path);
	len = readlink(path, text, sizeof(text) - 1);
	text[len < 0 ? 0 : len] = 0;
	if (sscanf(text, "%u %31[a-z_.-]", &id, pin->keyring) != 2 || id != pin->link_prog_id)
		*pin->keyring = 0;
}

int pin_mark(const struct pin *pin, uint32_t id, const char *keyring)
{
	char path[PATH_MAX], text[64];

	pin_path(pin, MARK, path);
	snprintf(text, sizeof(text), "%u %s", id, keyring);
	if (pin_unlink(pin, MARK))
		return -1;
	return keyring && symlink(text, path) ? fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be made", path) : 0;
}

int pin_open(const char *function, const char *scope, struct pin *out)
{
	*out = (struct pin){ .link_fd = -1, .prog_fd = -1, .new_fd = -1 };
	snprintf(out->function, sizeof(out->function), "%s", function);
	snprintf(out->scope, sizeof(out->scope), "%s", scope);
	if (leaf_open(out, "link", &out->link_fd) || leaf_open(out, "prog", &out->prog_fd) ||
	    leaf_open(out, "prog-new", &out->new_fd) || link_look(out) || prog_id(out->prog_fd, &out->prog_id) ||
	    prog_id(out->new_fd, &out->new_id)) {
		pin_close(out);
		return -1;
	}
	mark_look(out);
	return 0;
}

void pin_close(struct pin *pin)
{
	close_fd(&pin->link_fd);
	close_fd(&pin->prog_fd);
	close_fd(&pin->new_fd);
}

bool pin_at(const struct pin *pin, const struct place *place)
{
	return place->inode && pin->netns_inode == place->inode && pin->ifindex == place->ifindex;
}

int pin_current(const struct pin *pin)
{
	if (!pin->link_prog_id)
		return -1;
	if (pin->prog_fd >= 0 && pin->prog_id == pin->link_prog_id)
		return pin->prog_fd;
	return pin->new_fd >= 0 && pin->new_id == pin->link_prog_id ? pin->new_fd : -1;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The sorted names in a folder; 0 of them when it does not exist. */
static int names_in(const char *path, struct dirent ***names)
{
	int count = scandir(path, names, visible, alphasort);

	if (count >= 0)
		return count;
	*names = NULL;
	return errno == ENOENT ? 0 : fail_errno(LOAD_PIN_INVALID, errno, "%s", path);
}

static int walk_function(const char *function, struct pin **pins, size_t *count)
{
	char path[PATH_MAX], scope[MAX_SCOPE + 1];
	struct dirent **names;
	int total, i, err = 0;

	snprintf(path, sizeof(path), "%s/" PINS "/%s", root_dir, function);
	total = names_in(path, &names);
	for (i = 0; i < total; i++) {
		struct pin *grown = err ? NULL : realloc(*pins, (*count + 1) * sizeof(**pins));

		if (grown)
			*pins = grown;
		if (!err && (!is_name(function) || !scope_decode(names[i]->d_name, scope)))
			err = fail(LOAD_PIN_INVALID, "remove what does not belong there", "%s/%s is not a function's pin folder",
				   path, names[i]->d_name);
		else if (!err && grown)
			err = pin_open(function, scope, &grown[(*count)++]);
		free(names[i]);
	}
	free(names);
	return total < 0 ? -1 : err;
}

int pin_walk(struct pin **pins, size_t *count)
{
	struct dirent **names;
	char path[PATH_MAX];
	int total, i, err = 0;

	*pins = NULL;
	*count = 0;
	snprintf(path, sizeof(path), "%s/" PINS, root_dir);
	total = names_in(path, &names);
	for (i = 0; i < total; i++) {
		if (strcmp(names[i]->d_name, LOCKDOWN_FOLDER))
			err = err ?: walk_function(names[i]->d_name, pins, count);
		free(names[i]);
	}
	free(names);
	return total < 0 ? -1 : err;
}

/* The folders above it as well; each may be there already. */
int pin_dir_make(const struct pin *pin)
{
	char path[PATH_MAX], *at;

	pin_path(pin, "", path);
	for (at = path + strlen(root_dir) + strlen("/sys/fs/bpf/"); at; ) {
		at = strchr(at, '/');
		if (at)
			*at = 0;
		if (mkdir(path, 0700) && errno != EEXIST)
			return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be made", path);
		if (at)
			*at++ = '/';
	}
	return 0;
}

int pin_put(const struct pin *pin, int fd, const char *leaf)
{
	char path[PATH_MAX];
	int err;

	pin_path(pin, leaf, path);
	err = bpf_obj_pin(fd, path);
	return err ? fail_errno(LOAD_PIN_FAILED, -err, "%s cannot be pinned", path) : 0;
}

int pin_rename(const struct pin *pin, const char *from, const char *to)
{
	char old[PATH_MAX], new[PATH_MAX];

	pin_path(pin, from, old);
	pin_path(pin, to, new);
	return rename(old, new) ? fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be renamed", old) : 0;
}

int pin_unlink(const struct pin *pin, const char *leaf)
{
	char path[PATH_MAX];

	pin_path(pin, leaf, path);
	if (!unlink(path) || errno == ENOENT)
		return 0;
	return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be removed", path);
}

/* The scope's folder; then the function's and kfn's own, each when nothing else is in it. */
int pin_dir_drop(const struct pin *pin)
{
	char path[PATH_MAX];
	int parents;

	pin_path(pin, "", path);
	if (rmdir(path) && errno != ENOENT)
		return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be removed", path);
	for (parents = 0; parents < 2; parents++) {
		*strrchr(path, '/') = 0;
		if (rmdir(path) && errno != ENOENT && errno != ENOTEMPTY)
			return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be removed", path);
	}
	return 0;
}

int function_runs(const char *function, const char *scope)
{
	struct pin pin = { .link_fd = -1, .prog_fd = -1, .new_fd = -1 };
	struct place place = { .fd = -1 };
	int err;

	if (!strcmp(scope, "none"))	/* it is where it should be */
		return 0;
	err = place_open(scope, &place) ?: pin_open(function, scope, &pin);
	if (!err && (!pin_at(&pin, &place) || pin_current(&pin) < 0))
		err = fail(LOAD_NOT_ACTIVE, "kfn status shows what runs", "%s in %s does not run", function, scope);
	pin_close(&pin);
	close_fd(&place.fd);
	return err;
}
