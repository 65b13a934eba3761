/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a program belongs to, as far as the kernel tells: who loaded it and when, the link that attaches it, where it is
 * pinned, and which processes hold it. Reads only, and looks at so much and no more; what is not found stays unknown.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

#define MAX_LOOKS	65536			/* descriptors and pins that are looked at */
#define MAX_NAMED	16			/* pins and processes that are named */
#define MAX_DEPTH	8

struct search {
	uint32_t prog_id, link_id;		/* link_id 0: no link attaches it */
	size_t looks;
	json_t *pins, *holders;
};

static bool spent(struct search *search)
{
	return ++search->looks > MAX_LOOKS;
}

/* A number of a fdinfo file, as in "prog_id:	12"; 0: it has none. */
static uint32_t fdinfo_number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	uint32_t value = 0;
	char line[128];

	while (file && !value && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoul(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return value;
}

/* A link's fdinfo names its program, too. */
static bool holds(struct search *search, const char *fdinfo)
{
	return fdinfo_number(fdinfo, "prog_id:") == search->prog_id;
}

static void name_add(json_t *list, json_t *entry)
{
	if (json_array_size(list) < MAX_NAMED)
		json_array_append_new(list, entry);
	else
		json_decref(entry);
}

static void pins_search(struct search *search, const char *folder, int depth)
{
	DIR *dir = depth < MAX_DEPTH ? opendir(folder) : NULL;
	char path[PATH_MAX], fdinfo[64];
	struct dirent *entry;
	struct stat st;

	while (dir && !spent(search) && (entry = readdir(dir))) {
		if (*entry->d_name == '.' ||
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) >= (int)sizeof(path) || lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode)) {
			pins_search(search, path, depth + 1);
		} else if (S_ISREG(st.st_mode)) {
			int fd __close = bpf_obj_get(path);

			snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
			if (fd >= 0 && holds(search, fdinfo)) {
				plain(path);
				name_add(search->pins, json_string(path + strlen(root_dir)));
			}
		}
	}
	if (dir)
		closedir(dir);
}

static void holder_add(struct search *search, const char *pid)
{
	char path[64], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = 0;
	if (file)
		fclose(file);
	plain(name);
	name_add(search->holders, json_pack("{s:i, s:s}", "pid", atoi(pid), "name", name));
}

/* Links name what they are; a fdinfo file, which costs more to read, is only asked of descriptors of BPF objects. */
static bool process_holds(struct search *search, const char *pid)
{
	char path[300], target[32];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && !found && !spent(search) && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[len < 0 ? 0 : len] = 0;
		if (strncmp(target, "anon_inode:bpf-prog", 19) && strncmp(target, "anon_inode:bpf_link", 19) &&
		    strncmp(target, "anon_inode:bpf-link", 19))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.200s", pid, entry->d_name);
		found = holds(search, path);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void holders_search(struct search *search)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && !spent(search) && (entry = readdir(dir)))
		if (isdigit(*entry->d_name) && atoi(entry->d_name) != getpid() && process_holds(search, entry->d_name))
			holder_add(search, entry->d_name);
	if (dir)
		closedir(dir);
}

static void link_search(struct search *search)
{
	uint32_t id = 0;

	while (!search->link_id && !spent(search) && !bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd __close = bpf_link_get_fd_by_id(id);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && info.prog_id == search->prog_id)
			search->link_id = info.id;
	}
}

json_t *owner_json(uint32_t prog_id, uint32_t uid, json_int_t loaded_at)
{
	struct search search = { .prog_id = prog_id, .pins = json_array(), .holders = json_array() };
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s/sys/fs/bpf", root_dir);
	link_search(&search);
	pins_search(&search, folder, 0);
	holders_search(&search);
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:b}", "createdByUid", (json_int_t)uid, "loadedAt", loaded_at, "linkId",
			 search.link_id ? json_integer(search.link_id) : json_null(), "pins", search.pins, "holders",
			 search.holders, "complete", search.looks <= MAX_LOOKS);
}
