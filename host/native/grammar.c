/* SPDX-License-Identifier: Apache-2.0 */
/* The small languages of the formats: digests, tags, names, paths, hex. Refuses every second spelling. */
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

bool is_digest(const char *text)
{
	return strlen(text) == DIGEST_LEN && strspn(text, "0123456789abcdef") == DIGEST_LEN;
}

bool is_tag(const char *text)
{
	return !strncmp(text, "kfn1:", 5) && is_digest(text + 5);
}

/* ^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$ */
bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
	       text[0] != '-' && text[len - 1] != '-';
}

/* A path inside a bundle: relative, no empty, `.` or `..` part, no leading dot or dash, at most 100 bytes. */
bool is_path(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-";
	size_t len = strlen(text);
	const char *part = text;

	if (!len || len > 100 || strspn(text, allowed) != len || strchr("./-", text[0]))
		return false;
	while (part) {
		size_t part_len = strcspn(part, "/");

		if (!part_len || (part_len <= 2 && strspn(part, ".") >= part_len))
			return false;
		part = part[part_len] ? part + part_len + 1 : NULL;
	}
	return true;
}

/* Text for people: no control characters, at most max bytes. */
bool is_text(const char *text, size_t max)
{
	const char *at;

	if (strlen(text) > max)
		return false;
	for (at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return false;
	return true;
}

void sha256_hex(const void *data, size_t len, char out[DIGEST_LEN + 1])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, data, len);
	sodium_bin2hex(out, DIGEST_LEN + 1, digest, sizeof(digest));
}

json_t *hex_json(const void *data, size_t len)
{
	static char text[2 * MAX_BYTES + 1];

	return json_string(sodium_bin2hex(text, sizeof(text), data, len));
}

/* Lowercase hex of at most max bytes. Returns -1 without fail(). */
int hex_read(const char *text, size_t max, unsigned char *out, size_t *len)
{
	size_t chars = strlen(text);

	if (chars % 2 || chars / 2 > max || strspn(text, "0123456789abcdef") != chars)
		return -1;
	return sodium_hex2bin(out, max, text, chars, NULL, len, NULL);
}
