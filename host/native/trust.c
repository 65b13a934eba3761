/* SPDX-License-Identifier: Apache-2.0 */
/* Who may sign a bundle name: etc/kfn/trust/publishers.json, first match decides. Refuses the whole file for one bad key. */
#include <stdio.h>
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

#define WHERE LOAD_PUBLISHERS_INVALID
#define WHAT "the trusted publishers"

/* `kfn-ed25519 <keyid> <base64> [comment]`; keyid = sha256 of the 32 raw bytes. */
static int key_parse(const char *line, struct publisher *out)
{
	char kind[16], keyid[DIGEST_LEN + 2], encoded[64], actual[DIGEST_LEN + 1];
	unsigned char *bytes = out->keys[out->count].bytes;
	size_t len, i;
	int end = 0;

	if (!is_text(line, 512) || sscanf(line, "%15[^ ] %65[^ ] %63[^ ]%n", kind, keyid, encoded, &end) != 3 ||
	    (line[end] && line[end] != ' ') || strcmp(kind, "kfn-ed25519") || !is_digest(keyid) ||
	    line[strlen("kfn-ed25519 ")] == ' ' || line[strlen("kfn-ed25519 ") + DIGEST_LEN + 1] == ' ')
		return fail(WHERE, NULL, WHAT ": a key is not `kfn-ed25519 <keyid> <base64> [comment]`");
	if (sodium_base642bin(bytes, 32, encoded, strlen(encoded), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) ||
	    len != 32)
		return fail(WHERE, NULL, WHAT ": key %.12s… is not 32 bytes of base64", keyid);
	sha256_hex(bytes, 32, actual);
	if (strcmp(actual, keyid))
		return fail(WHERE, NULL, WHAT ": key %.12s… does not have that keyid", keyid);
	/* A key of small order verifies signatures that nobody made. */
	if (!crypto_core_ed25519_is_valid_point(bytes))
		return fail(WHERE, NULL, WHAT ": key %.12s… is not a sound Ed25519 key", keyid);
	for (i = 0; i < out->count; i++)
		if (!strcmp(out->keys[i].keyid, keyid))
			return fail(WHERE, NULL, WHAT ": key %.12s… is listed twice", keyid);
	memcpy(out->keys[out->count++].keyid, keyid, DIGEST_LEN + 1);
	return 0;
}

/* A literal name, or a prefix and one final `*`. */
static int pattern_match(const char *pattern, const char *name, bool *match)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*') {
		if (len > 64 || strspn(pattern, "abcdefghijklmnopqrstuvwxyz0123456789-") != len - 1 || pattern[0] == '-')
			return fail(WHERE, NULL, WHAT ": `%s` is not a name pattern", pattern);
		*match |= !strncmp(pattern, name, len - 1);
		return 0;
	}
	if (!is_name(pattern))
		return fail(WHERE, NULL, WHAT ": `%s` is not a name pattern", pattern);
	*match |= !strcmp(pattern, name);
	return 0;
}

static int entry_parse(json_t *entry, const char *name, struct publisher *out, bool *match)
{
	json_t *names, *keys, *item;
	json_int_t threshold;
	size_t i;

	*match = false;
	*out = (struct publisher){ 0 };
	if (unpack(WHERE, WHAT, entry, "{s:o, s:I, s:o}", "names", &names, "threshold", &threshold, "keys", &keys))
		return -1;
	if (!json_array_size(names) || !json_array_size(keys) || json_array_size(keys) > MAX_KEYS)
		return fail(WHERE, NULL, WHAT ": an entry needs names and 1 to %d keys", MAX_KEYS);
	json_array_foreach(names, i, item)
		if (pattern_match(json_string_value(item) ?: "", name, match))
			return -1;
	json_array_foreach(keys, i, item)
		if (key_parse(json_string_value(item) ?: "", out))
			return -1;
	if (threshold < 1 || (size_t)threshold > out->count)
		return fail(WHERE, NULL, WHAT ": a threshold is not between 1 and the number of keys");
	out->threshold = threshold;
	return 0;
}

int publisher_for(const char *name, struct publisher *out)
{
	json_t *root __json = NULL, *list, *entry;
	struct buf bytes __buf = { 0 };
	char path[PATH_MAX];
	const char *schema;
	bool found = false;
	size_t i;

	snprintf(path, sizeof(path), "%s/etc/kfn/trust/publishers.json", root_dir);
	if (file_read(path, MAX_PUBLISHERS, &bytes))
		return -1;
	root = json_open(&bytes, WHERE, WHAT);
	if (!root || unpack(WHERE, WHAT, root, "{s:s, s:o}", "schema", &schema, "publishers", &list))
		return -1;
	if (strcmp(schema, "kfn.publishers/1") || !json_is_array(list))
		return fail(WHERE, NULL, WHAT ": not schema kfn.publishers/1");
	json_array_foreach(list, i, entry) {
		struct publisher parsed;
		bool match;

		if (entry_parse(entry, name, &parsed, &match))
			return -1;
		if (match && !found) {
			*out = parsed;
			found = true;
		}
	}
	return found ? 0 : fail(LOAD_PUBLISHERS_NO_MATCH, "trust a publisher for this name first: kfn trust add",
				"nobody is trusted to sign `%s`", name);
}
