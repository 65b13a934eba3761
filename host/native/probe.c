/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel can do, found by asking it: yes, no, or unknown with the reason. Chooses a bundle's variant by
 * these answers, and never by trying to load variants until one sticks.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

/* A.B[.C] at the start of text, whatever follows; returns what follows, or NULL. */
static const char *version_read(const char *text, struct kernel_version *out)
{
	char *end;
	int i;

	*out = (struct kernel_version){ 0 };
	for (i = 0; i < 3; i++) {
		unsigned long part;

		if (!isdigit((unsigned char)*text))
			return NULL;
		part = strtoul(text, &end, 10);
		if (end - text > 5)
			return NULL;
		out->part[i] = part;
		text = end;
		if (*text != '.' || i == 2)
			return i ? text : NULL;
		text++;
	}
	return text;
}

struct kernel_version kernel_running(void)
{
	struct kernel_version version = { 0 };
	struct utsname names;

	if (!uname(&names))
		version_read(names.release, &version);
	return version;
}

int kernel_compare(struct kernel_version a, struct kernel_version b)
{
	int i;

	for (i = 0; i < 3; i++)
		if (a.part[i] != b.part[i])
			return a.part[i] < b.part[i] ? -1 : 1;
	return 0;
}

/* `>=A.B[.C]` and `<A.B[.C]`, one space between; all must hold. */
int kernel_range(const char *range, bool *fits)
{
	struct kernel_version running = kernel_running(), bound;

	*fits = true;
	for (;;) {
		bool least = !strncmp(range, ">=", 2);

		if (!least && *range != '<')
			return -1;
		range = version_read(range + (least ? 2 : 1), &bound);
		if (!range)
			return -1;
		if (least != (kernel_compare(running, bound) >= 0))
			*fits = false;
		if (!*range)
			return 0;
		if (*range++ != ' ')
			return -1;
	}
}

static struct probe probed(enum have have, int err, const char *reason)
{
	struct probe probe = { have, err, "" };

	if (err)
		snprintf(probe.reason, sizeof(probe.reason), "%s: %s", reason, strerror(err));
	else
		snprintf(probe.reason, sizeof(probe.reason), "%s", reason);
	return probe;
}

static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int load_nothing(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);

	return bpf_prog_load(type, NULL, "GPL", nothing, sizeof(nothing) / sizeof(nothing[0]), &opts);
}

/* libbpf_probe_bpf_prog_type() says "no" for every errno; without privilege the honest answer is "unknown". */
static struct probe probe_type(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	int fd __close = load_nothing(type, attach);

	if (fd >= 0)
		return probed(HAVE_YES, 0, "a program of this type loads");
	if (fd == -EINVAL)
		return probed(HAVE_NO, 0, "BPF_PROG_LOAD does not know this type");
	return probed(HAVE_UNKNOWN, -fd, "BPF_PROG_LOAD");
}

static struct probe probe_flow_dissector(void)
{
	return probe_type(BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR);
}

static struct probe probe_sched_cls(void)
{
	return probe_type(BPF_PROG_TYPE_SCHED_CLS, 0);
}

static struct probe probe_xdp(void)
{
	return probe_type(BPF_PROG_TYPE_XDP, BPF_XDP);
}

/* Linux 6.6: with a sound program and no device, a kernel that has tcx links looks for the device first. */
static struct probe probe_tcx_link(void)
{
	int prog __close = load_nothing(BPF_PROG_TYPE_SCHED_CLS, 0);
	int link __close = -1;

	if (prog < 0)
		return probed(HAVE_UNKNOWN, -prog, "a program to try it with does not load");
	link = bpf_link_create(prog, 0, KFN_BPF_TCX_EGRESS, NULL);
	if (link == -ENODEV)
		return probed(HAVE_YES, 0, "BPF_LINK_CREATE asks for the device");
	if (link == -EINVAL)
		return probed(HAVE_NO, 0, "BPF_LINK_CREATE does not know this hook");
	return probed(HAVE_UNKNOWN, -link, "BPF_LINK_CREATE");
}

/* Linux 5.8: with a sound program and no namespace, a kernel that has netns links looks for the namespace first. */
static struct probe probe_netns_link(void)
{
	int prog __close = load_nothing(BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR);
	int link __close = -1;

	if (prog < 0)
		return probed(HAVE_UNKNOWN, -prog, "a flow dissector to try it with does not load");
	link = bpf_link_create(prog, -1, BPF_FLOW_DISSECTOR, NULL);
	if (link == -EBADF)
		return probed(HAVE_YES, 0, "BPF_LINK_CREATE asks for the namespace");
	if (link == -EINVAL)
		return probed(HAVE_NO, 0, "BPF_LINK_CREATE does not know this hook");
	return probed(HAVE_UNKNOWN, -link, "BPF_LINK_CREATE");
}

/*
 * Linux 6.18 takes a signature in BPF_PROG_LOAD, if built with CONFIG_SYSTEM_DATA_VERIFICATION. A one-byte signature is
 * refused by every kernel that looks at it.
 */
struct probe probe_signatures(void)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)nothing,
		.insn_cnt = sizeof(nothing) / sizeof(nothing[0]),
		.license = (uintptr_t)"GPL",
	};
	int fd __close = signed_prog_load(&attr, "?", 1, 0);

	if (fd >= 0)
		return probed(HAVE_UNKNOWN, 0, "the kernel accepted a signature that is none");
	switch (errno) {
	case E2BIG:
		return probed(HAVE_NO, 0, "BPF_PROG_LOAD takes no signature before Linux 6.18");
	case EOPNOTSUPP:
		return probed(HAVE_NO, 0, "the kernel is built without CONFIG_SYSTEM_DATA_VERIFICATION");
	case EBADMSG: case EKEYREJECTED: case ENOKEY: case ENOPKG:
		return probed(HAVE_YES, 0, "the kernel refused a signature that is none");
	default:
		return probed(HAVE_UNKNOWN, errno, "BPF_PROG_LOAD");
	}
}

static struct probe probe_cast(void)
{
	return probe_kernel_function("bpf_cast_to_kern_ctx");
}

static struct probe probe_softnet(void)
{
	return probe_kernel_object("softnet_data");
}

static const struct {
	const char *feature;
	struct probe (*ask)(void);
} features[] = {
	{ "ksym:bpf_cast_to_kern_ctx", probe_cast },
	{ "ksym:softnet_data", probe_softnet },
	{ "link:netns", probe_netns_link },
	{ "link:tcx", probe_tcx_link },
	{ "prog_type:flow_dissector", probe_flow_dissector },
	{ "prog_type:sched_cls", probe_sched_cls },
	{ "prog_type:xdp", probe_xdp },
};
#define FEATURES (sizeof(features) / sizeof(features[0]))

struct probe probe_feature(const char *feature)
{
	size_t i;

	for (i = 0; i < FEATURES; i++)
		if (!strcmp(features[i].feature, feature))
			return features[i].ask();
	return probed(HAVE_UNKNOWN, 0, "this loader does not know the feature");
}

/* Whether this kernel fulfils a variant; if not, why goes into out->reason. */
static struct probe variant_probe(const struct variant *variant)
{
	struct probe probe = probed(HAVE_YES, 0, "");
	char text[sizeof(probe.reason)];
	json_t *feature;
	bool fits;
	size_t i;

	if (kernel_range(variant->kernel, &fits))
		return probed(HAVE_UNKNOWN, 0, "its kernel range is not one");
	if (!fits)
		return probed(HAVE_NO, 0, "the running kernel is outside its kernel range");
	json_array_foreach(variant->features, i, feature) {
		/* A device's, which is asked where the program is attached. */
		if (!strcmp(json_string_value(feature), DEVICE_BACKLOG))
			continue;
		probe = probe_feature(json_string_value(feature));
		if (probe.have == HAVE_YES)
			continue;
		snprintf(text, sizeof(text), "%.60s: %.90s", json_string_value(feature), probe.reason);
		plain(text);
		memcpy(probe.reason, text, sizeof(text));
		return probe;
	}
	return probe;
}

int variant_choose(const struct manifest *manifest, struct variant *out)
{
	json_t *reasons __json = json_object();
	struct probe probe = { 0 };
	size_t i;

	for (i = 0; i < json_array_size(manifest->variants); i++) {
		if (manifest_variant(manifest, i, out))
			return -1;
		probe = variant_probe(out);
		if (probe.have == HAVE_YES)
			return 0;
		if (probe.err == EPERM || probe.err == EACCES)
			return fail_errno(LOAD_NO_PRIVILEGE, probe.err, "the kernel cannot be probed");
		json_object_set_new(reasons, out->name, json_string(probe.reason));
	}
	fail(LOAD_UNSUPPORTED_KERNEL, "`kfn-load probe` shows what this kernel has", "no variant fits this kernel: %s",
	     *probe.reason ? probe.reason : "there are none");
	fail_detail("variants", json_incref(reasons));
	return -1;
}

json_t *probe_json(struct probe probe)
{
	static const char * const words[] = { [HAVE_NO] = "no", [HAVE_YES] = "yes", [HAVE_UNKNOWN] = "unknown" };

	return json_pack("{s:s, s:s}", "have", words[probe.have], "reason", probe.reason);
}

int cmd_probe(void)
{
	json_t *list = json_object();
	struct utsname names = { 0 };
	struct probe bpffs;
	size_t i;

	uname(&names);
	for (i = 0; i < FEATURES; i++)
		json_object_set_new(list, features[i].feature, probe_json(features[i].ask()));
	bpffs = bpffs_mounted() ? probed(HAVE_YES, 0, "mounted") : probed(HAVE_NO, 0, "no bpffs is mounted at sys/fs/bpf");
	return answer(json_pack("{s:s, s:o, s:o, s:o}", "kernel", names.release, "features", list,
				"bpffs", probe_json(bpffs), "kernelSignatures", probe_json(probe_signatures())));
}
