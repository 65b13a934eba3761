/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 over DSSE's pre-authentication encoding (DSSE v1.0.2, protocol.md) of the exact manifest bytes.
 * Absent, unknown, malformed, wrong and repeated signatures all fail; there is no way to skip this.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

#define PAYLOAD_TYPE "application/vnd.kfn.manifest.v1+json"

static unsigned char *pae(const struct buf *body, size_t *len)
{
	char head[128];
	int head_len = snprintf(head, sizeof(head), "DSSEv1 %zu %s %zu ", strlen(PAYLOAD_TYPE), PAYLOAD_TYPE, body->len);
	unsigned char *out = malloc(head_len + body->len);

	if (!out)
		return NULL;
	memcpy(out, head, head_len);
	memcpy(out + head_len, body->data, body->len);
	*len = head_len + body->len;
	return out;
}

/* One spelling only: what we would write for the same signatures, byte for byte. */
static int canonical_check(json_t *list, const struct buf *bytes)
{
	json_t *document __json = json_pack("{s:s, s:s, s:[]}", "schema", "kfn.signatures/1", "payloadType", PAYLOAD_TYPE,
					    "signatures");
	json_t *entry;
	char *text;
	size_t i;
	bool same;

	json_array_foreach(list, i, entry)
		json_array_append_new(json_object_get(document, "signatures"),
				      json_pack("{s:O, s:O}", "keyid", json_object_get(entry, "keyid"),
						"sig", json_object_get(entry, "sig")));
	text = json_dumps(document, JSON_INDENT(2));
	same = text && strlen(text) + 1 == bytes->len && !memcmp(text, bytes->data, bytes->len - 1) &&
	       bytes->data[bytes->len - 1] == '\n';
	free(text);
	return same ? 0 : fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: not in canonical form");
}

struct signature {
	const char *keyid;
	unsigned char bytes[crypto_sign_BYTES];
};

/* The whole file before any signature is looked at: sorted by keyid, each once, in canonical spelling. */
static int parse(json_t *list, const struct buf *bytes, struct signature *out)
{
	const char *encoded, *before = "";
	json_t *entry;
	size_t i, len;

	if (!json_is_array(list) || json_array_size(list) > MAX_KEYS)
		return fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: not a list of at most %d", MAX_KEYS);
	json_array_foreach(list, i, entry) {
		if (unpack(LOAD_SIGNATURE_MALFORMED, "the signatures", entry, "{s:s, s:s}", "keyid", &out[i].keyid,
			   "sig", &encoded))
			return -1;
		if (!is_digest(out[i].keyid) || strcmp(out[i].keyid, before) < 0 || strlen(encoded) != 88 ||
		    sodium_base642bin(out[i].bytes, crypto_sign_BYTES, encoded, 88, NULL, &len, NULL,
				      sodium_base64_VARIANT_ORIGINAL) || len != crypto_sign_BYTES)
			return fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: an entry is malformed or not sorted");
		if (!strcmp(out[i].keyid, before))
			return fail(LOAD_SIGNATURE_REPEATED, NULL, "key %.12s.. signs more than once", before);
		before = out[i].keyid;
	}
	return canonical_check(list, bytes);
}

/* libsodium refuses S >= L, keys and R of small order, and second encodings of a point. */
static int one_check(const struct signature *signature, const struct publisher *publisher, const unsigned char *message,
		     size_t len)
{
	size_t i;

	for (i = 0; i < publisher->count; i++)
		if (!strcmp(publisher->keys[i].keyid, signature->keyid))
			break;
	if (i == publisher->count)
		return fail(LOAD_SIGNATURE_UNKNOWN_KEY, NULL, "key %.12s.. may not sign this bundle", signature->keyid);
	if (crypto_sign_verify_detached(signature->bytes, message, len, publisher->keys[i].bytes))
		return fail(LOAD_SIGNATURE_INVALID, NULL, "the signature by %.12s.. does not fit the manifest",
			    signature->keyid);
	if (publisher->keys[i].revoked)
		return fail(LOAD_SIGNATURE_REVOKED_KEY, NULL, "key %.12s.. is revoked, and its publisher does not vouch for this",
			    signature->keyid);
	return 0;
}

int verify_signatures(const struct buf *manifest, const struct buf *signatures, const struct publisher *publisher)
{
	json_t *root __json = json_open(signatures, LOAD_SIGNATURE_MALFORMED, "the signatures"), *list;
	static struct signature parsed[MAX_KEYS];
	const char *schema, *type;
	unsigned char *message;
	size_t len, count, i;
	int err = 0;

	if (!root || unpack(LOAD_SIGNATURE_MALFORMED, "the signatures", root, "{s:s, s:s, s:o}", "schema", &schema,
			    "payloadType", &type, "signatures", &list) || parse(list, signatures, parsed))
		return -1;
	count = json_array_size(list);
	if (!count)
		return fail(LOAD_SIGNATURE_MISSING, NULL, "the bundle is not signed");
	message = pae(manifest, &len);
	if (!message)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	for (i = 0; !err && i < count; i++)
		err = one_check(&parsed[i], publisher, message, len);
	free(message);
	if (!err && count < (size_t)publisher->threshold)
		return fail(LOAD_SIGNATURE_THRESHOLD, NULL, "%zu of the %lld keys that must sign did", count,
			    publisher->threshold);
	return err;
}
