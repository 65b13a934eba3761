/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Symbols of the running kernel that a program may name: whether they are there, and whether an instruction names one that its
 * manifest asked for. Reads the kernel's BTF (`/sys/kernel/btf/vmlinux`), and takes no other kernel's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include "kfn-load.h"

#define FEATURE "ksym:"

/* Parsed once a run, and kept; NULL: the kernel has none. */
static const struct btf *kernel_btf(void)
{
	static const struct btf *btf;
	static bool asked;

	if (!asked)
		btf = btf__load_vmlinux_btf();
	asked = true;
	return btf;
}

/* BTF knows the object; where it is, kallsyms must, which has no data without CONFIG_KALLSYMS_ALL. */
static int load_naming(int32_t id)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_BTF_ID, .imm = id },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, NULL, "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);
}

static struct probe said(enum have have, int err, const char *reason)
{
	struct probe probe = { have, err, "" };

	snprintf(probe.reason, sizeof(probe.reason), err ? "%s: %s" : "%s", reason, strerror(err));
	return probe;
}

struct probe probe_kernel_function(const char *name)
{
	const struct btf *btf = kernel_btf();

	if (!btf)
		return said(HAVE_NO, 0, "the kernel shows no BTF");
	if (btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) < 0)
		return said(HAVE_NO, 0, "the kernel's BTF has no such function");
	return said(HAVE_YES, 0, "the kernel's BTF has the function");
}

struct probe probe_kernel_object(const char *name)
{
	const struct btf *btf = kernel_btf();
	int32_t id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_VAR) : -ENOENT;
	int fd __close = -1;

	if (id < 0)
		return said(HAVE_NO, 0, btf ? "the kernel's BTF has no such object" : "the kernel shows no BTF");
	fd = load_naming(id);
	if (fd == -ENOENT)
		return said(HAVE_NO, 0, "the kernel does not say where it is: it is built without CONFIG_KALLSYMS_ALL");
	return fd >= 0 ? said(HAVE_YES, 0, "a program that names it loads") : said(HAVE_UNKNOWN, -fd, "BPF_PROG_LOAD");
}

bool kernel_symbol_asked(const struct variant *variant, int32_t id)
{
	const struct btf *btf = kernel_btf();
	const struct btf_type *type = btf ? btf__type_by_id(btf, id) : NULL;
	const char *name = type ? btf__name_by_offset(btf, type->name_off) : NULL, *feature;
	json_t *item;
	size_t i;

	json_array_foreach(variant->features, i, item) {
		feature = json_string_value(item);
		if (name && !strncmp(feature, FEATURE, strlen(FEATURE)) && !strcmp(feature + strlen(FEATURE), name))
			return true;
	}
	return false;
}
