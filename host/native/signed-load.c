/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF_PROG_LOAD with a signature, as Linux takes it since 6.18. Says that the kernel checked it only where the kernel loaded
 * the program under that signature; where the kernel cannot or has no key, it says why, and the program is loaded without.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

/* The end of the attr is newer than libbpf 1.1's linux/bpf.h: signature at 152, signature_size at 160, keyring_id at 164. */
union signed_attr {
	union bpf_attr attr;
	struct {
		unsigned char before[152];
		uint64_t signature;
		uint32_t signature_size;
		int32_t keyring_id;
	};
};
_Static_assert(sizeof(union signed_attr) == 168, "as in include/uapi/linux/bpf.h of 6.18");

int signed_prog_load(const union bpf_attr *attr, const void *signature, uint32_t size, int32_t keyring)
{
	union signed_attr load = { 0 };

	memcpy(&load.attr, attr, sizeof(*attr) < sizeof(load.before) ? sizeof(*attr) : sizeof(load.before));
	load.signature = (uintptr_t)signature;
	load.signature_size = size;
	load.keyring_id = keyring;
	return syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
}

static void because(struct kernel_check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void because(struct kernel_check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(check->reason, sizeof(check->reason), fmt, args);
	va_end(args);
}

static int try(const union bpf_attr *attr, const struct kernel_signature *signature, const char *name, int32_t keyring,
	       struct kernel_check *check, int *err)
{
	int fd = signed_prog_load(attr, signature->pkcs7, signature->len, keyring);

	*err = fd < 0 ? errno : 0;
	if (fd >= 0) {
		check->keyring = name;
		because(check, "the kernel checked the signature with the key %s of %s", signature->keyid, name);
	}
	return fd;
}

/* ENOKEY goes on to the next keyring; the errno that ended the search, or 0. */
static int search(const union bpf_attr *attr, const struct kernel_signature *signature, struct kernel_check *check, int *fd)
{
	const struct host_keyring *host;
	size_t i;
	int err;

	for (i = 0; i < SYSTEM_KEYRINGS; i++) {
		*fd = try(attr, signature, system_keyrings[i].name, system_keyrings[i].id, check, &err);
		if (err != ENOKEY)
			return err;
	}
	host = host_keyring();
	if (host->keys) {
		*fd = try(attr, signature, HOST_KEYRING, host->serial, check, &err);
		if (err != ENOKEY)
			return err;
	}
	because(check, "the kernel has no key %s in its keyrings, and etc/kfn/trust/kernel-keys does not give it one%s%s",
		signature->keyid, *host->problem ? ": " : "", host->problem);
	return 0;
}

int signed_load(const struct bpf_program *program, const char *license, const struct kernel_signature *signature,
		struct kernel_check *check, int *fd)
{
	union bpf_attr attr = { 0 };
	int err;

	*fd = -1;
	attr.prog_type = bpf_program__type(program);
	attr.expected_attach_type = bpf_program__expected_attach_type(program);
	attr.insns = (uintptr_t)bpf_program__insns(program);
	attr.insn_cnt = bpf_program__insn_cnt(program);
	attr.license = (uintptr_t)license;
	strncpy(attr.prog_name, bpf_program__name(program), sizeof(attr.prog_name) - 1);
	err = search(&attr, signature, check, fd);
	switch (err) {
	case 0:
		return 0;
	case E2BIG:
		because(check, "BPF_PROG_LOAD takes no signature before Linux 6.18");
		return 0;
	case EOPNOTSUPP:
		because(check, "the kernel is built without CONFIG_SYSTEM_DATA_VERIFICATION");
		return 0;
	case EKEYREJECTED: case EBADMSG:
		fail(LOAD_KERNEL_SIGNATURE_REJECTED, "do not use this bundle; get it again, and tell its publisher if it stays so",
		     "the kernel rejects the signature by %s: %s", signature->keyid, strerror(err));
		fail_detail("errno", json_string(strerrorname_np(err)));
		return -1;
	default:
		/* Also what the verifier does not take: the load without the signature says what it is. */
		because(check, "BPF_PROG_LOAD with the signature: %s", strerror(err));
		return 0;
	}
}
