/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a kfn secret key file's box with nothing but libsodium, for secret-key-file.test.ts: proves that docs/formats/keys.md
 * is enough to read one. Parses no key file: the test hands over the parts, so that a slip in our parser can't hide here.
 *
 * argv: passphrase, t, m in KiB, then in hex: salt (16 bytes), nonce (24), header (the additional data), box (48).
 * Prints the 32-byte seed in hex. Exit 1: the box does not open; 2: an argument is not what it should be.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t unhex(unsigned char *out, size_t max, const char *hex)
{
	size_t len;

	if (sodium_hex2bin(out, max, hex, strlen(hex), NULL, &len, NULL) != 0 || len * 2 != strlen(hex))
		exit(2);
	return len;
}

int main(int argc, char **argv)
{
	unsigned char salt[crypto_pwhash_SALTBYTES], nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	unsigned char header[1024], box[48], key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES], seed[32];
	char seed_hex[sizeof(seed) * 2 + 1];
	unsigned long long seed_len;
	size_t header_len;

	if (argc != 8 || sodium_init() < 0)
		return 2;
	if (unhex(salt, sizeof(salt), argv[4]) != sizeof(salt) || unhex(nonce, sizeof(nonce), argv[5]) != sizeof(nonce))
		return 2;
	header_len = unhex(header, sizeof(header), argv[6]);
	if (unhex(box, sizeof(box), argv[7]) != sizeof(box))
		return 2;
	if (crypto_pwhash(key, sizeof(key), argv[1], strlen(argv[1]), salt, strtoull(argv[2], NULL, 10),
			  strtoull(argv[3], NULL, 10) * 1024, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return 2;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(seed, &seed_len, NULL, box, sizeof(box), header, header_len, nonce,
						       key) != 0 || seed_len != sizeof(seed))
		return 1;
	puts(sodium_bin2hex(seed_hex, sizeof(seed_hex), seed, sizeof(seed)));
	return 0;
}
