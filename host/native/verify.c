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
	json_t *document __json = json_pack("{s:s, s:s, s:O}", "schema", "kfn.signatures/1", "payloadType", PAYLOAD_TYPE,
					    "signatures", list);
	char *text = json_dumps(document, JSON_INDENT(2));
	bool same = text && strlen(text) + 1 == bytes->len && !memcmp(text, bytes->data, bytes->len - 1) &&
		    bytes->data[bytes->len - 1] == '\n';

	free(text);
	return same ? 0 : fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: not in canonical form");
}

static int one_check(json_t *entry, const struct publisher *publisher, const unsigned char *message, size_t len)
{
	unsigned char sig[crypto_sign_BYTES];
	const char *keyid, *encoded;
	size_t sig_len, i;

	if (unpack(LOAD_SIGNATURE_MALFORMED, "the signatures", entry, "{s:s, s:s}", "keyid", &keyid, "sig", &encoded))
		return -1;
	if (!is_digest(keyid) || strlen(encoded) != 88 ||
	    sodium_base642bin(sig, sizeof(sig), encoded, 88, NULL, &sig_len, NULL, sodium_base64_VARIANT_ORIGINAL) ||
	    sig_len != sizeof(sig))
		return fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: a keyid or a signature is malformed");
	for (i = 0; i < publisher->count; i++)
		if (!strcmp(publisher->keys[i].keyid, keyid))
			break;
	if (i == publisher->count)
		return fail(LOAD_SIGNATURE_UNKNOWN_KEY, NULL, "key %.12s… may not sign this bundle", keyid);
	if (crypto_sign_verify_detached(sig, message, len, publisher->keys[i].bytes))
		return fail(LOAD_SIGNATURE_INVALID, NULL, "the signature by %.12s… does not fit the manifest", keyid);
	return 0;
}

static int all_check(json_t *list, const struct publisher *publisher, const unsigned char *message, size_t len)
{
	const char *before = "";
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		const char *keyid = json_string_value(json_object_get(entry, "keyid"));

		if (!keyid || strcmp(keyid, before) < 0)
			return fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: not sorted by keyid");
		if (!strcmp(keyid, before))
			return fail(LOAD_SIGNATURE_REPEATED, NULL, "key %.12s… signs more than once", keyid);
		before = keyid;
	}
	json_array_foreach(list, i, entry)
		if (one_check(entry, publisher, message, len))
			return -1;
	return 0;
}

int verify_signatures(const struct buf *manifest, const struct buf *signatures, const struct publisher *publisher)
{
	json_t *root __json = json_open(signatures, LOAD_SIGNATURE_MALFORMED, "the signatures"), *list;
	const char *schema, *type;
	unsigned char *message;
	size_t len;
	int err;

	if (!root || unpack(LOAD_SIGNATURE_MALFORMED, "the signatures", root, "{s:s, s:s, s:o}", "schema", &schema,
			    "payloadType", &type, "signatures", &list))
		return -1;
	if (!json_is_array(list) || json_array_size(list) > MAX_KEYS)
		return fail(LOAD_SIGNATURE_MALFORMED, NULL, "the signatures: not a list of at most %d", MAX_KEYS);
	if (!json_array_size(list))
		return fail(LOAD_SIGNATURE_MISSING, NULL, "the bundle is not signed");
	if (canonical_check(list, signatures))
		return -1;
	message = pae(manifest, &len);
	if (!message)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	err = all_check(list, publisher, message, len);
	free(message);
	if (err)
		return err;
	if (json_array_size(list) < (size_t)publisher->threshold)
		return fail(LOAD_SIGNATURE_THRESHOLD, NULL, "%zu of the %lld keys that must sign did",
			    json_array_size(list), publisher->threshold);
	return 0;
}
