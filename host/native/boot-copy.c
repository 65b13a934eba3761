/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies into an initramfs what a boot needs: this binary, the good generation's plan, its bundles' manifests, signatures, objects
 * and vectors, and the keys. One command for every initramfs maker, so that they cannot drift apart. Refuses a bundle that would be
 * refused at boot, and everything but the root namespace's functions: there is no other namespace that early.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "kfn-load.h"

struct copy {
	const char *folder;
	long long files, bytes;
};

static int parents_make(char *path)
{
	char *at;

	for (at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		if (!mkdir(path, 0755))
			chmod(path, 0755);
		else if (errno != EEXIST)
			return fail_errno(LOAD_STATE_UNWRITABLE, errno, "%s", path);
		*at = '/';
	}
	return 0;
}

static int put(struct copy *copy, const char *path, const struct buf *bytes, mode_t mode)
{
	char full[PATH_MAX];
	int fd __close = -1;

	snprintf(full, sizeof(full), "%s%s", copy->folder, path);
	if (parents_make(full))
		return -1;
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 || bytes_put(fd, bytes->data, bytes->len) || fchmod(fd, mode))
		return fail_errno(LOAD_STATE_UNWRITABLE, errno, "%s", full);
	copy->files++;
	copy->bytes += bytes->len;
	return 0;
}

static int link_put(struct copy *copy, const char *name, const char *target)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s/var/lib/kfn/%s", copy->folder, name);
	if (parents_make(full) || (unlink(full) && errno != ENOENT) || symlink(target, full))
		return fail_errno(LOAD_STATE_UNWRITABLE, errno, "%s", full);
	return 0;
}

/* A file of this host's root that may be missing. */
static int host_file(struct copy *copy, const char *path)
{
	struct buf bytes __buf = { 0 };
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root_dir, path);
	if (access(full, F_OK) && errno == ENOENT)
		return 0;
	return file_read(full, MAX_FILE, &bytes) ?: put(copy, path, &bytes, 0644);
}

static int certificates_copy(struct copy *copy)
{
	int count, i, err = 0;
	struct dirent **names = NULL;
	char path[PATH_MAX];

	count = certificates_list(&names);
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "/" HOST_CERTIFICATES "/%s", names[i]->d_name);
		err = err ?: host_file(copy, path);
		free(names[i]);
	}
	free(names);
	return err;
}

/* The registry's map with what authenticates it: the link, and the set.json that it names. */
static int registry_map_copy(struct copy *copy)
{
	static const char *const files[] = { "set.json", "publishers.json" };
	char set[SET_LEN + 1], path[PATH_MAX];
	size_t i;

	if (trust_set(set))
		return -1;
	for (i = 0; *set && i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/var/lib/kfn/tuf/%s/%s", set, files[i]);
		if (host_file(copy, path))
			return -1;
	}
	return *set ? link_put(copy, "tuf/current", set) : 0;
}

static int stored(struct copy *copy, const struct function_spec *spec, const char *path, const struct buf *bytes)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "/var/lib/kfn/store/%s/%s", spec->sha256, path);
	return put(copy, full, bytes, 0644);
}

static int listed(struct copy *copy, const struct function_spec *spec, const struct manifest *manifest, int store,
		  const char *path)
{
	struct buf bytes __buf = { 0 };

	return manifest_file(manifest, store, path, &bytes) ?: stored(copy, spec, path, &bytes);
}

/* Every variant's object: the initramfs may be for another kernel than the one that runs now. */
static int function_copy(struct copy *copy, const struct function_spec *spec)
{
	struct buf manifest_bytes __buf = { 0 }, signatures __buf = { 0 }, for_kernel __buf = { 0 };
	int store __close = store_open(spec->sha256);
	json_t *root __json = NULL, *path;
	struct manifest manifest = { 0 };
	size_t i;

	if (store < 0 || manifest_open(spec, store, &manifest))
		return -1;
	root = manifest.root;
	if (store_read(store, "kfn.json", MAX_MANIFEST, &manifest_bytes) ||
	    store_read(store, "kfn.sig.json", MAX_SIGNATURES, &signatures) ||
	    kernel_signature_file(store, &for_kernel) ||
	    stored(copy, spec, "kfn.json", &manifest_bytes) || stored(copy, spec, "kfn.sig.json", &signatures) ||
	    (for_kernel.data && stored(copy, spec, "kfn.kernel-sig.json", &for_kernel)))
		return -1;
	for (i = 0; i < json_array_size(manifest.variants); i++) {
		struct variant variant;

		if (manifest_variant(&manifest, i, &variant) || listed(copy, spec, &manifest, store, variant.object))
			return -1;
	}
	json_array_foreach(manifest.vectors, i, path)
		if (listed(copy, spec, &manifest, store, json_string_value(path)))
			return -1;
	return 0;
}

static int generation_copy(struct copy *copy, long long generation)
{
	static struct plan plan;
	char path[PATH_MAX], full[PATH_MAX], target[64];
	struct buf bytes __buf = { 0 };
	int err;
	size_t i;

	snprintf(target, sizeof(target), "generations/%lld", generation);
	snprintf(path, sizeof(path), "/var/lib/kfn/%s/plan.json", target);
	snprintf(full, sizeof(full), "%s%s", root_dir, path);
	err = plan_read(full, NULL, 0, &plan) ?: file_read(full, MAX_PLAN, &bytes) ?: put(copy, path, &bytes, 0644);
	for (i = 0; !err && i < plan.count; i++)
		if (!strcmp(plan.functions[i].scope, "netns:root"))
			err = function_copy(copy, &plan.functions[i]);
	plan_free(&plan);
	return err ?: link_put(copy, "current", target) ?: link_put(copy, "good", target);
}

static int binary_copy(struct copy *copy)
{
	struct buf bytes __buf = { 0 };

	return file_read("/proc/self/exe", MAX_FILE, &bytes) ?: put(copy, "/usr/lib/kfn/kfn-load", &bytes, 0755);
}

/* What the image of a kernel carries, for `kfn boot status`: it is stale once this is not so any more. */
static int note(const char *release, long long generation)
{
	char path[PATH_MAX];

	if (!release)
		return 0;
	snprintf(path, sizeof(path), "/var/lib/kfn/initramfs/%s.json", release);
	return folder_make("/var/lib/kfn/initramfs") ?:
	       state_write(path, json_pack("{s:s, s:s, s:I}", "schema", "kfn.initramfs/1", "release", release,
					   "generation", (json_int_t)generation));
}

/* An initramfs is a copy in memory that cannot count boots: it carries what was good on the very kernel that it boots, or nothing. */
static long long carried(const char *release)
{
	struct boot_state state;
	json_t *health __json = NULL, *kernel;
	size_t i;

	if (boot_state_read(&state))
		return -1;
	if (state.good <= 0 || state.good != state.current || revoked_in(state.good))
		return 0;
	health = health_open(state.good);
	json_array_foreach(json_object_get(health, "kernels"), i, kernel)
		if (!release || !strcmp(json_string_value(kernel) ?: "", release))
			return state.good;
	return 0;
}

int cmd_boot_copy(const char *folder, const char *release)
{
	struct copy copy = { .folder = folder };
	long long generation;

	if (*folder != '/' || strlen(folder) > 1024)
		return fail(LOAD_USAGE, NULL, "boot-copy takes an absolute path of at most 1024 bytes");
	if (release && (!*release || *release == '.' || strchr(release, '/') || !is_text(release, 64)))
		return fail(LOAD_USAGE, NULL, "`%s` is not a kernel's release", release);
	generation = carried(release);
	if (generation < 0)
		return -1;
	if (generation && (binary_copy(&copy) || host_file(&copy, "/etc/kfn/off") ||
			   host_file(&copy, "/etc/kfn/trust/publishers.json") || host_file(&copy, REVOKED_FILE) || certificates_copy(&copy) ||
			   registry_map_copy(&copy) || generation_copy(&copy, generation)))
		return -1;
	if (note(release, generation))
		return -1;
	return answer(json_pack("{s:I, s:I, s:I}", "generation", (json_int_t)generation, "files", (json_int_t)copy.files, "bytes",
				(json_int_t)copy.bytes));
}
