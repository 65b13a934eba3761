/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kfn.kernel-sig.json: the signatures that the kernel itself can check (docs/formats/kernel-signatures.md). Refuses every spelling but
 * one, down to the last byte of DER, so that the kernel's parser sees nothing that somebody else arranged. No file is no failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

#define WHERE LOAD_KERNEL_SIGNATURE_MALFORMED
#define WHAT "the signatures for the kernel"
#define FILE_NAME "kfn.kernel-sig.json"

struct span { const unsigned char *at, *end; };

#define SHA256		0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01
#define PKCS7(n)	0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, n
#define VERSION_3	0x02, 0x01, 0x03

static const unsigned char signed_data[] = { PKCS7(2) };
static const unsigned char before_signers[] = { VERSION_3, 0x31, 0x0d, SHA256, 0x30, 0x0b, PKCS7(1) };
static const unsigned char version_3[] = { VERSION_3 };
static const unsigned char sha256_rsa[] = {
	SHA256, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
};

/* Opens the next value, which must have this tag and the shortest form of its length: one byte, or 0x81 or 0x82 and digits. */
static bool next(struct span *in, unsigned char tag, struct span *out)
{
	size_t left = in->end - in->at, head = 2, len;

	if (left < 2 || in->at[0] != tag)
		return false;
	len = in->at[1];
	if (len >= 0x80) {
		head += len - 0x80;
		if (head < 3 || head > 4 || left < head)
			return false;
		len = head == 3 ? in->at[2] : in->at[2] << 8 | in->at[3];
		if (len < (head == 3 ? 0x80u : 0x100u))
			return false;
	}
	if (len > left - head)
		return false;
	*out = (struct span){ in->at + head, in->at + head + len };
	in->at += head + len;
	return true;
}

static bool same(struct span *in, const unsigned char *bytes, size_t len)
{
	if ((size_t)(in->end - in->at) < len || memcmp(in->at, bytes, len))
		return false;
	in->at += len;
	return true;
}

/* The one value that there is, opened; `out` may be `in`. */
static bool only(const struct span *in, unsigned char tag, struct span *out)
{
	struct span rest = *in, inside;

	if (!next(&rest, tag, &inside) || rest.at != rest.end)
		return false;
	*out = inside;
	return true;
}

/* ContentInfo { signedData, [0] SignedData { 3, { sha256 }, { data }, { one SignerInfo } } }, RFC 5652. */
static bool pkcs7_read(struct span all, struct span *keyid)
{
	struct span at, sig;

	if (!only(&all, 0x30, &at) || !same(&at, signed_data, sizeof(signed_data)) || !only(&at, 0xa0, &at) ||
	    !only(&at, 0x30, &at) || !same(&at, before_signers, sizeof(before_signers)) || !only(&at, 0x31, &at) ||
	    !only(&at, 0x30, &at) || !same(&at, version_3, sizeof(version_3)) || !next(&at, 0x80, keyid) ||
	    !same(&at, sha256_rsa, sizeof(sha256_rsa)) || !only(&at, 0x04, &sig))
		return false;
	return keyid->end > keyid->at && keyid->end - keyid->at <= MAX_KEYID && sig.end - sig.at >= 256 &&
	       sig.end - sig.at <= 512;
}

/* Takes the entry of the wanted digest, and proves the shape of every other. */
static int entry_parse(json_t *entry, const char *before, const char *wanted, struct kernel_signature *out)
{
	struct kernel_signature parsed;
	const char *digest, *encoded, *end;
	struct span keyid;

	if (unpack(WHERE, WHAT, entry, "{s:s, s:s}", "insnsDigest", &digest, "pkcs7", &encoded))
		return -1;
	if (!is_digest(digest) || strcmp(digest, before) <= 0)
		return fail(WHERE, NULL, WHAT ": an entry is malformed, repeated or not sorted");
	if (sodium_base642bin(parsed.pkcs7, sizeof(parsed.pkcs7), encoded, strlen(encoded), NULL, &parsed.len, &end,
			      sodium_base64_VARIANT_ORIGINAL) || *end ||
	    !pkcs7_read((struct span){ parsed.pkcs7, parsed.pkcs7 + parsed.len }, &keyid))
		return fail(WHERE, NULL, WHAT ": no detached PKCS#7 signature of SHA-256 and RSA in its one spelling");
	sodium_bin2hex(parsed.keyid, sizeof(parsed.keyid), keyid.at, keyid.end - keyid.at);
	if (wanted && !strcmp(digest, wanted))
		*out = parsed;
	return 0;
}

static int canonical_check(json_t *root, const struct buf *bytes)
{
	json_t *programs = json_object_get(root, "programs"), *entry, *list;
	json_t *document __json = json_pack("{s:O, s:[]}", "schema", json_object_get(root, "schema"), "programs");
	char *text;
	bool equal;
	size_t i;

	list = json_object_get(document, "programs");
	json_array_foreach(programs, i, entry)
		json_array_append_new(list, json_pack("{s:O, s:O}", "insnsDigest", json_object_get(entry, "insnsDigest"),
						      "pkcs7", json_object_get(entry, "pkcs7")));
	text = json_dumps(document, JSON_INDENT(2));
	equal = text && strlen(text) + 1 == bytes->len && !memcmp(text, bytes->data, bytes->len - 1) &&
		bytes->data[bytes->len - 1] == '\n';
	free(text);
	return equal ? 0 : fail(WHERE, NULL, WHAT ": not in canonical form");
}

static int parse(const struct buf *bytes, const char *wanted, struct kernel_signature *out)
{
	json_t *root __json = json_open(bytes, WHERE, WHAT), *programs, *entry;
	const char *schema, *before = "";
	size_t i;

	if (!root || unpack(WHERE, WHAT, root, "{s:s, s:o}", "schema", &schema, "programs", &programs))
		return -1;
	if (strcmp(schema, "kfn.kernel-signatures/1") || !json_is_array(programs))
		return fail(WHERE, NULL, WHAT ": not schema kfn.kernel-signatures/1");
	json_array_foreach(programs, i, entry) {
		if (entry_parse(entry, before, wanted, out))
			return -1;
		before = json_string_value(json_object_get(entry, "insnsDigest"));
	}
	return canonical_check(root, bytes);
}

int kernel_signature_file(int store, struct buf *out)
{
	*out = (struct buf){ 0 };
	if (faccessat(store, FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
		return 0;
	return store_read(store, FILE_NAME, MAX_SIGNATURES, out);
}

int kernel_signature_read(int store, const char *insns_digest, struct kernel_signature *out)
{
	struct buf bytes __buf = { 0 };

	out->len = 0;
	if (kernel_signature_file(store, &bytes))
		return -1;
	return bytes.data ? parse(&bytes, insns_digest, out) : 0;
}
