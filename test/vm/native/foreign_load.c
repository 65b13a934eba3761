// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Some program that loads BPF and is not kfn-load: two instructions, by raw bpf() calls. Says on stdout how it went: "loaded" or the
 * errno's name. Refuses to attach anything.
 *
 * foreign_load NAME                          without a signature
 * foreign_load NAME SIGNATURE KEYRING        with the bytes of a file, to be checked by a keyring's number
 * foreign_load NAME SIGNATURE CERTIFICATE    the same, by a keyring that it makes itself of a certificate in DER
 * foreign_load --user NAME                   without a signature, as uid 1000
 * foreign_load --insns                       the instructions, to be signed
 */
#include <err.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct bpf_insn insns[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* The end is newer than this machine's linux/bpf.h: as in that of 6.18. */
union load_attr {
	union bpf_attr attr;
	struct {
		unsigned char before[152];
		uint64_t signature;
		uint32_t signature_size;
		int32_t keyring_id;
	};
};

static size_t file_read(const char *path, unsigned char *out, size_t max)
{
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(out, 1, max, file) : 0;

	if (!len)
		err(1, "%s", path);
	fclose(file);
	return len;
}

static int32_t own_keyring(const char *certificate)
{
	static unsigned char der[4096];
	size_t len = file_read(certificate, der, sizeof(der));
	long keyring = syscall(SYS_add_key, "keyring", "foreign", NULL, 0, KEY_SPEC_PROCESS_KEYRING);

	if (keyring < 0 || syscall(SYS_add_key, "asymmetric", "", der, len, keyring) < 0)
		err(1, "a keyring of %s", certificate);
	return keyring;
}

int main(int argc, char **argv)
{
	static unsigned char signature[2048];
	union load_attr load = { .attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = sizeof(insns) / sizeof(insns[0]),
		.license = (uintptr_t)"GPL",
	} };
	size_t size = 128;

	if (argc == 2 && !strcmp(argv[1], "--insns"))
		return fwrite(insns, sizeof(insns), 1, stdout) != 1;
	if (argc == 3 && !strcmp(argv[1], "--user")) {
		if (setuid(1000))
			err(1, "setuid");
		argv++;
		argc--;
	}
	if (argc != 2 && argc != 4)
		errx(2, "foreign_load NAME [SIGNATURE KEYRING|CERTIFICATE]");
	strncpy(load.attr.prog_name, argv[1], sizeof(load.attr.prog_name) - 1);
	if (argc == 4) {
		load.signature = (uintptr_t)signature;
		load.signature_size = file_read(argv[2], signature, sizeof(signature));
		load.keyring_id = *argv[3] == '/' ? own_keyring(argv[3]) : atoi(argv[3]);
		size = sizeof(load);
	}
	puts(syscall(SYS_bpf, BPF_PROG_LOAD, &load, size) < 0 ? strerrorname_np(errno) : "loaded");
	return 0;
}
