/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a function was revoked, by what this host remembers: var/lib/kfn/recall/revoked.json (docs/formats/recall.md). A file
 * that cannot be read revokes everything: what may be bad is not loaded, and the kernel's own code needs no loading.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kfn-load.h"

#define WHERE LOAD_REVOKED_INVALID

static json_t *revocations;			/* once read: a run of the loader decides by one state of the file */

static int revoked_parse(const struct buf *bytes)
{
	json_t *root __json = json_open(bytes, WHERE, "revoked.json"), *list;
	const char *schema;

	if (!root)
		return -1;
	if (unpack(WHERE, "revoked.json", root, "{s:s, s:o}", "schema", &schema, "revocations", &list))
		return -1;
	if (strcmp(schema, "kfn.revoked/1") || !json_is_array(list))
		return fail(WHERE, NULL, "revoked.json: not a list of kfn.revoked/1");
	revocations = json_incref(list);
	return 0;
}

/* 0 with no list where nothing was ever revoked. */
static int revoked_read(void)
{
	struct buf bytes __buf = { 0 };
	char path[PATH_MAX];

	if (revocations)
		return 0;
	snprintf(path, sizeof(path), "%s" REVOKED_FILE, root_dir);
	if (access(path, F_OK))
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail_errno(WHERE, errno, "%s", path);
	return file_read(path, MAX_REVOKED, &bytes) ?: revoked_parse(&bytes);
}

static bool has(json_t *list, const char *field, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!strcmp(json_string_value(field ? json_object_get(item, field) : item) ?: "", text))
			return true;
	return false;
}

int revoked_find(const char *name, const char *tag, const char *manifest_sha256, const char **id, const char **reason)
{
	json_t *entry, *tags, *builds, *advisory;
	size_t i;

	*id = NULL;
	if (revoked_read())
		return -1;
	json_array_foreach(revocations, i, entry) {
		const char *of, *state, *issued, *seen, *found_id, *found_reason;

		if (unpack(WHERE, "revoked.json", entry, "{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:s}", "id", &found_id, "name", &of,
			   "state", &state, "tags", &tags, "builds", &builds, "advisory", &advisory, "reason", &found_reason,
			   "issued", &issued, "seen", &seen))
			return -1;
		if (!json_is_array(tags) || !json_is_array(builds))
			return fail(WHERE, NULL, "revoked.json: tags and builds are not lists");
		if (strcmp(state, "withdrawn") && !strcmp(of, name) &&
		    (has(tags, NULL, tag) || has(builds, "manifestSha256", manifest_sha256))) {
			*id = found_id;
			*reason = found_reason;
			return 0;
		}
	}
	return 0;
}

int revoked_check(const struct function_spec *spec)
{
	const char *id, *reason;

	if (revoked_find(spec->bundle, spec->tag, spec->manifest_sha256, &id, &reason))
		return -1;
	if (!id)
		return 0;
	fail(LOAD_REVOKED, "take a version that is not; nothing loads a revoked one", "%s %s is revoked: %s", spec->bundle, spec->version, reason);
	fail_detail("revocation", json_string(id));
	return -1;
}

/* Whether a generation's plan names something revoked. Without fail(): one that cannot be read holds nothing that would be loaded. */
bool revoked_in(long long generation)
{
	struct buf bytes __buf = { 0 };
	json_t *root __json = NULL, *entry;
	const char *id, *reason;
	char path[PATH_MAX];
	bool found = false;
	size_t i;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/generations/%lld/plan.json", root_dir, generation);
	if (access(path, F_OK))
		return false;
	if (file_read(path, MAX_PLAN, &bytes)) {
		json_decref(failure_clear());
		return false;
	}
	root = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
	json_array_foreach(json_object_get(root, "functions"), i, entry) {
		json_t *bundle = json_object_get(entry, "bundle");

		if (revoked_find(json_string_value(json_object_get(bundle, "name")) ?: "", json_string_value(json_object_get(entry, "tag")) ?: "",
				 json_string_value(json_object_get(bundle, "manifestSha256")) ?: "", &id, &reason)) {
			json_decref(failure_clear());
			return true;
		}
		found = found || id;
	}
	return found;
}
