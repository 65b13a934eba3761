/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may sign a bundle name: the operator's etc/kfn/trust/publishers.json, and where it has no entry for the name, the map of
 * the registry that this host trusts (docs/formats/publishers.md). In each the first match decides. Refuses a whole file for one
 * bad key.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include "kfn-load.h"

#define WHERE LOAD_PUBLISHERS_INVALID
#define WHAT "the trusted publishers"
#define MAX_PUBLISHERS	1024
#define MAX_PATTERNS	256
#define MAX_MANIFESTS	4096
#define MAX_REASON	500
#define RECOVER		"kfn trust recover starts again from the pinned root"

#define KEY_KIND	"kfn-ed25519 "
#define KEY_BASE64	44			/* 32 bytes with padding */
#define KEY_LINE	(sizeof(KEY_KIND) - 1 + DIGEST_LEN + 1 + KEY_BASE64)

/* Empty, or a space and 1 to 128 printable ASCII characters without spaces at the ends. */
static bool is_comment(const char *text)
{
	size_t len = strlen(text), i;

	for (i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return !len || (len >= 2 && len <= 129 && text[0] == ' ' && text[1] != ' ' && text[len - 1] != ' ');
}

/* `kfn-ed25519 <keyid> <base64> [comment]`; keyid = sha256 of the 32 raw bytes. */
static int key_parse(const char *line, struct publisher *out)
{
	char keyid[DIGEST_LEN + 1], actual[DIGEST_LEN + 1];
	unsigned char *bytes = out->keys[out->count].bytes;
	size_t len, i;

	if (strlen(line) < KEY_LINE || strncmp(line, KEY_KIND, strlen(KEY_KIND)))
		return fail(WHERE, NULL, WHAT ": a key is not `kfn-ed25519 <keyid> <base64> [comment]`");
	memcpy(keyid, line + strlen(KEY_KIND), DIGEST_LEN);
	keyid[DIGEST_LEN] = 0;
	if (!is_digest(keyid) || line[strlen(KEY_KIND) + DIGEST_LEN] != ' ' || !is_comment(line + KEY_LINE) ||
	    sodium_base642bin(bytes, 32, line + KEY_LINE - KEY_BASE64, KEY_BASE64, NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) || len != 32)
		return fail(WHERE, NULL, WHAT ": a key is not `kfn-ed25519 <keyid> <base64> [comment]`");
	sha256_hex(bytes, 32, actual);
	if (strcmp(actual, keyid))
		return fail(WHERE, NULL, WHAT ": key %.12s.. does not have that keyid", keyid);
	/* A key of small order verifies signatures that nobody made. */
	if (!crypto_core_ed25519_is_valid_point(bytes))
		return fail(WHERE, NULL, WHAT ": key %.12s.. is not a sound Ed25519 key", keyid);
	for (i = 0; i < out->count; i++)
		if (!strcmp(out->keys[i].keyid, keyid))
			return fail(WHERE, NULL, WHAT ": key %.12s.. is listed twice", keyid);
	memcpy(out->keys[out->count++].keyid, keyid, sizeof(keyid));
	return 0;
}

/* A literal name, or a prefix and one final `*`. seen: a second one of the same spelling could never decide. */
static int pattern_match(const char *pattern, const char *name, json_t *seen, bool *match)
{
	size_t len = strlen(pattern);
	bool prefix = len && len <= 64 && pattern[len - 1] == '*' && pattern[0] != '-' &&
		      strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789-") == len - 1;

	if (!prefix && !is_name(pattern))
		return fail(WHERE, NULL, WHAT ": `%s` is not a name pattern", pattern);
	if (json_object_get(seen, pattern))
		return fail(WHERE, NULL, WHAT ": `%s` stands there twice", pattern);
	json_object_set_new(seen, pattern, json_true());
	*match |= prefix ? !strncmp(pattern, name, len - 1) : !strcmp(pattern, name);
	return 0;
}

/* A key that counted once: only the manifests listed go on, and count as if it still stood among the keys. */
static int revoked_parse(json_t *item, const char *manifest, struct publisher *out)
{
	json_t *manifests, *digest, *seen __json = json_object();
	const char *line, *reason, *text;
	bool kept = false;
	size_t i;

	if (unpack(WHERE, WHAT, item, "{s:s, s:s, s:o}", "key", &line, "reason", &reason, "manifests", &manifests))
		return -1;
	if (!*reason || strlen(reason) > MAX_REASON)
		return fail(WHERE, NULL, WHAT ": a reason is not 1 to %d printable ASCII characters", MAX_REASON);
	for (text = reason; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return fail(WHERE, NULL, WHAT ": a reason is not 1 to %d printable ASCII characters", MAX_REASON);
	if (!json_is_array(manifests) || json_array_size(manifests) > MAX_MANIFESTS)
		return fail(WHERE, NULL, WHAT ": a revoked key has no list of at most %d manifests", MAX_MANIFESTS);
	json_array_foreach(manifests, i, digest) {
		text = json_string_value(digest) ?: "";
		if (!is_digest(text) || json_object_get(seen, text))
			return fail(WHERE, NULL, WHAT ": a revoked key's manifest is no digest, or stands there twice");
		json_object_set_new(seen, text, json_true());
		kept |= !strcmp(text, manifest);
	}
	if (key_parse(line, out))
		return -1;
	out->keys[out->count - 1].revoked = !kept;
	return 0;
}

static int entry_parse(json_t *entry, const char *name, const char *manifest, json_t *seen, struct publisher *out,
		       bool *match)
{
	json_t *names, *keys, *revoked = NULL, *item;
	json_int_t threshold;
	size_t i;

	*match = false;
	*out = (struct publisher){ 0 };
	if (unpack(WHERE, WHAT, entry, "{s:o, s:I, s:o, s?o}", "names", &names, "threshold", &threshold, "keys", &keys,
		   "revoked", &revoked))
		return -1;
	if (!json_array_size(names) || json_array_size(names) > MAX_PATTERNS || !json_array_size(keys) ||
	    json_array_size(keys) > MAX_KEYS)
		return fail(WHERE, NULL, WHAT ": an entry needs 1 to %d names and 1 to %d keys", MAX_PATTERNS, MAX_KEYS);
	json_array_foreach(names, i, item)
		if (pattern_match(json_string_value(item) ?: "", name, seen, match))
			return -1;
	json_array_foreach(keys, i, item)
		if (key_parse(json_string_value(item) ?: "", out))
			return -1;
	if (threshold < 1 || (size_t)threshold > out->count)
		return fail(WHERE, NULL, WHAT ": a threshold is not between 1 and the number of keys");
	out->threshold = threshold;
	if (revoked && (!json_array_size(revoked) || json_array_size(revoked) > MAX_KEYS))
		return fail(WHERE, NULL, WHAT ": revoked keys are not a list of 1 to %d", MAX_KEYS);
	json_array_foreach(revoked, i, item)
		if (revoked_parse(item, manifest, out))
			return -1;
	return 0;
}

/* found: an entry of the map has the name. */
static int publisher_in(const struct buf *bytes, const char *name, const char *manifest, struct publisher *out, bool *found)
{
	json_t *root __json = json_open(bytes, WHERE, WHAT), *seen __json = json_object(), *list, *entry;
	const char *schema;
	size_t i;

	if (!root || unpack(WHERE, WHAT, root, "{s:s, s:o}", "schema", &schema, "publishers", &list))
		return -1;
	if (strcmp(schema, "kfn.publishers/1") || !json_is_array(list) || json_array_size(list) > MAX_PUBLISHERS)
		return fail(WHERE, NULL, WHAT ": not schema kfn.publishers/1");
	json_array_foreach(list, i, entry) {
		struct publisher parsed;
		bool match;

		if (entry_parse(entry, name, manifest, seen, &parsed, &match))
			return -1;
		if (match && !*found) {
			*out = parsed;
			*found = true;
		}
	}
	return 0;
}

static int own_map(struct buf *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/etc/kfn/trust/publishers.json", root_dir);
	return access(path, F_OK) && errno == ENOENT ? 0 : file_read(path, MAX_TRUST, out);
}

/* `sets/<n>-<sha256 of set.json>`, without what could lead elsewhere. */
static bool is_set(const char *target)
{
	const char *dash = strchr(target, '-');
	size_t digits = strspn(target + strlen("sets/"), "0123456789");

	return dash && digits && digits <= 15 && dash == target + strlen("sets/") + digits && is_digest(dash + 1);
}

int trust_set(char target[SET_LEN + 1])
{
	char path[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/tuf/current", root_dir);
	len = readlink(path, target, SET_LEN);
	target[len < 0 ? 0 : len] = 0;
	if (len < 0 && errno == ENOENT)
		return 0;
	if (strncmp(target, "sets/", strlen("sets/")) || !is_set(target))
		return fail(WHERE, RECOVER, WHAT ": %s does not name a set of verified metadata", path);
	return 0;
}

static int set_file(const char *set, const char *name, struct buf *out)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/var/lib/kfn/tuf/%s/%s", root_dir, set, name);
	return file_read(path, MAX_TRUST, out);
}

static bool has_digest(const struct buf *bytes, const char *expected)
{
	char digest[DIGEST_LEN + 1];

	sha256_hex(bytes->data, bytes->len, digest);
	return !strcmp(digest, expected);
}

/* The registry's map as it was verified: the set's name has the digest of set.json, and that the map's (trust-state.md). */
static int registry_map(struct buf *out)
{
	json_t *root __json = NULL, *files, *map;
	struct buf record __buf = { 0 };
	char set[SET_LEN + 1];
	const char *digest;

	if (trust_set(set))
		return -1;
	if (!*set)
		return 0;
	if (set_file(set, "set.json", &record))
		return -1;
	if (!has_digest(&record, strchr(set, '-') + 1))
		return fail(WHERE, RECOVER, WHAT ": the set of verified metadata is not the one that was committed");
	root = json_open(&record, WHERE, "the set of verified metadata");
	files = json_object_get(root, "files");
	map = json_object_get(files, "publishers.json");
	/* A first walk that was refused on its way has verified metadata, and no map yet. */
	if (json_is_object(files) && !map)
		return 0;
	digest = json_string_value(json_object_get(map, "sha256"));
	if (!digest)
		return fail(WHERE, RECOVER, WHAT ": the set of verified metadata does not say which map is the registry's");
	if (set_file(set, "publishers.json", out))
		return -1;
	return has_digest(out, digest) ? 0 : fail(WHERE, RECOVER, WHAT ": the registry's map is not the one that was verified");
}

int publisher_for(const char *name, const char *manifest_sha256, struct publisher *out)
{
	static int (*const maps[])(struct buf *) = { own_map, registry_map };
	bool found = false;
	size_t i;

	/* What the operator says of a name is not widened by what a registry says of it. */
	for (i = 0; !found && i < sizeof(maps) / sizeof(*maps); i++) {
		struct buf bytes __buf = { 0 };

		if (maps[i](&bytes) || (bytes.data && publisher_in(&bytes, name, manifest_sha256, out, &found)))
			return -1;
	}
	return found ? 0 : fail(LOAD_PUBLISHERS_NO_MATCH, "trust a publisher for this name first: kfn trust add",
				"nobody is trusted to sign `%s`", name);
}
