/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the loader needs of a verified kfn.json. Refuses unknown fields, and whatever the plan did not ask for. */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

#define WHERE LOAD_MANIFEST_INVALID
#define WHAT "the manifest"

/* The entry of `files` for a path; the list is sorted by bytes (files_check), so a binary search finds it. */
static json_t *file_entry(json_t *files, const char *path)
{
	size_t low = 0, high = json_array_size(files);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		json_t *entry = json_array_get(files, middle);
		int order = strcmp(path, json_string_value(json_object_get(entry, "path")));

		if (!order)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static int files_check(json_t *files)
{
	const char *path, *sha256, *before = "";
	json_int_t size;
	json_t *entry;
	size_t i;

	if (!json_is_array(files))
		return fail(WHERE, NULL, WHAT ": files is not a list");
	json_array_foreach(files, i, entry) {
		if (unpack(WHERE, WHAT "'s files", entry, "{s:s, s:I, s:s}", "path", &path, "size", &size, "sha256", &sha256))
			return -1;
		if (!is_path(path) || strcmp(path, before) <= 0 || size < 0 || size > MAX_FILE || !is_digest(sha256))
			return fail(WHERE, NULL, WHAT ": file `%s` is malformed, repeated or not sorted", path);
		before = path;
	}
	return 0;
}

static size_t sources_count(json_t *files)
{
	size_t count = 0, i;
	json_t *entry;

	json_array_foreach(files, i, entry)
		count += !strncmp(json_string_value(json_object_get(entry, "path")), "src/", 4);
	return count;
}

/* tag = "kfn1:" + sha256 of the lines `<sha256>  <path>\n` of every file under src/ (docs/formats/tag.md). */
static int tag_check(const struct manifest *manifest, json_t *tagged)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	char hex[DIGEST_LEN + 1];
	const char *before = "";
	json_t *item;
	size_t i;

	crypto_hash_sha256_init(&state);
	json_array_foreach(tagged, i, item) {
		const char *path = json_string_value(item);
		json_t *entry = path ? file_entry(manifest->files, path) : NULL;

		if (!entry || strncmp(path, "src/", 4) || strcmp(path, before) <= 0)
			return fail(WHERE, NULL, WHAT ": tag.files is not the sorted list of the files under src/");
		before = path;
		crypto_hash_sha256_update(&state, (const void *)json_string_value(json_object_get(entry, "sha256")), 64);
		crypto_hash_sha256_update(&state, (const void *)"  ", 2);
		crypto_hash_sha256_update(&state, (const void *)path, strlen(path));
		crypto_hash_sha256_update(&state, (const void *)"\n", 1);
	}
	if (json_array_size(tagged) != sources_count(manifest->files))
		return fail(WHERE, NULL, WHAT ": tag.files leaves out a file under src/");
	crypto_hash_sha256_final(&state, digest);
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	if (!is_tag(manifest->tag) || strcmp(manifest->tag + 5, hex))
		return fail(LOAD_TAG_MISMATCH, NULL, "the tag is not the hash of the source files: it should be kfn1:%s", hex);
	return 0;
}

static int spec_check(const struct manifest *manifest, const struct function_spec *spec, const char *name,
		      const char *version)
{
	if (strcmp(name, spec->bundle) || strcmp(version, spec->version) || strcmp(manifest->function, spec->function) ||
	    manifest->abi != spec->abi || strcmp(manifest->tag, spec->tag))
		return fail(LOAD_MANIFEST_MISMATCH, NULL, "the plan asks for %s %s as %s/%lld, the manifest is %s %s as %s/%lld",
			    spec->bundle, spec->version, spec->function, spec->abi, name, version, manifest->function,
			    manifest->abi);
	return 0;
}

int manifest_parse(const struct buf *bytes, const struct function_spec *spec, struct manifest *out)
{
	json_t *function, *tag, *tagged, *state, *fixes, *build;
	const char *schema, *name, *version, *summary, *license;

	out->experimental = NULL;
	out->root = json_open(bytes, WHERE, WHAT);
	if (!out->root ||
	    unpack(WHERE, WHAT, out->root, "{s:s, s:s, s:s, s:s, s?s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		   "schema", &schema, "name", &name, "version", &version, "summary", &summary,
		   "experimental", &out->experimental, "license", &license,
		   "function", &function, "tag", &tag, "variants", &out->variants, "config", &out->config, "state", &state,
		   "vectors", &out->vectors, "fixes", &fixes, "build", &build, "files", &out->files) ||
	    unpack(WHERE, WHAT, function, "{s:s, s:I}", "name", &out->function, "abi", &out->abi) ||
	    unpack(WHERE, WHAT, tag, "{s:s, s:o}", "value", &out->tag, "files", &tagged))
		return -1;
	if (strcmp(schema, "kfn.bundle/1"))
		return fail(WHERE, NULL, WHAT ": schema `%s` is not kfn.bundle/1", schema);
	if (!json_is_array(out->variants) || !json_is_array(out->vectors) || !json_is_array(tagged) ||
	    !json_is_object(out->config) || !json_is_array(state) || !json_is_array(fixes) || !json_is_object(build))
		return fail(WHERE, NULL, WHAT ": a list or an object is something else");
	if (spec_check(out, spec, name, version) || files_check(out->files) || tag_check(out, tagged))
		return -1;
	if (json_array_size(state))
		return fail(LOAD_UNSUPPORTED_MAP, NULL, "%s keeps state in maps, which this loader cannot carry over", name);
	return 0;
}

static int program_parse(json_t *programs, struct program_spec *out)
{
	json_t *digest;

	if (json_array_size(programs) != 1)
		return fail(LOAD_UNSUPPORTED_PROGRAM, NULL, "a variant has %zu programs; this loader handles exactly one",
			    json_array_size(programs));
	if (unpack(WHERE, WHAT "'s programs", json_array_get(programs, 0), "{s:s, s:s, s:s, s:s, s:I, s:o}",
		   "name", &out->name, "section", &out->section, "type", &out->type, "hook", &out->hook,
		   "insns", &out->insns, "insnsDigest", &digest))
		return -1;
	out->insns_digest = json_string_value(digest);
	if (!json_is_null(digest) && (!out->insns_digest || !is_digest(out->insns_digest)))
		return fail(WHERE, NULL, WHAT ": insnsDigest is neither a digest nor null");
	return 0;
}

int manifest_variant(const struct manifest *manifest, size_t index, struct variant *out)
{
	json_t *requires, *programs, *item;
	size_t i;

	out->maps = NULL;
	if (unpack(WHERE, WHAT "'s variants", json_array_get(manifest->variants, index), "{s:s, s:s, s:o, s:o, s?o}",
		   "name", &out->name, "object", &out->object, "requires", &requires, "programs", &programs, "maps",
		   &out->maps) ||
	    unpack(WHERE, WHAT "'s requires", requires, "{s:s, s:o}", "kernel", &out->kernel, "features", &out->features))
		return -1;
	if (!is_name(out->name) || !json_is_array(out->features) ||
	    (out->maps && (!json_is_array(out->maps) || !json_array_size(out->maps) || json_array_size(out->maps) > MAX_MAPS)))
		return fail(WHERE, NULL, WHAT ": a variant is malformed");
	json_array_foreach(out->features, i, item)
		if (!json_is_string(item))
			return fail(WHERE, NULL, WHAT ": a feature is not a string");
	return program_parse(programs, &out->program);
}

/* Reads a file of the bundle once and proves the bytes that it returns. */
int manifest_file(const struct manifest *manifest, int store, const char *path, struct buf *out)
{
	json_t *entry = path ? file_entry(manifest->files, path) : NULL;
	char actual[DIGEST_LEN + 1];

	*out = (struct buf){ 0 };
	if (!entry)
		return fail(WHERE, NULL, WHAT ": `%s` is not among its files", path ?: "?");
	if (store_read(store, path, MAX_FILE, out))
		return -1;
	sha256_hex(out->data, out->len, actual);
	if ((json_int_t)out->len != json_integer_value(json_object_get(entry, "size")) ||
	    strcmp(actual, json_string_value(json_object_get(entry, "sha256"))))
		return fail(LOAD_FILE_DIGEST, "the store is damaged or tampered with; install the bundle again",
			    "the stored %s is not the file that was signed", path);
	return 0;
}
