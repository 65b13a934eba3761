/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's hooks, each with the same four acts: attach, replace, detach, look. A namespace's flow dissector and a device's
 * egress and ingress since Linux 6.6 (tcx) hang on a link; before, a device's egress is a filter below the clsact qdisc, known by
 * its priority and handle. Enters a namespace only for the calls that name a device, and comes back. Pins nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

/* The first filter of the hook; "kfn" in ASCII, so that `tc filter show` tells whose it is. */
#define FILTER_PRIORITY	1
#define FILTER_HANDLE	0x6b666e

/* Newer than libbpf 1.1's linux/bpf.h: the end of what BPF_PROG_QUERY takes (Linux 6.6). */
struct tcx_query {
	uint32_t ifindex, attach_type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count, padding;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};
_Static_assert(sizeof(struct tcx_query) == 64, "as in include/uapi/linux/bpf.h of 6.6");

/* Runs one act in the place's namespace. */
#define IN(place, act)					\
	({						\
		int back_, err_ = place_enter(place, &back_);	\
							\
		if (!err_) {				\
			err_ = (act);			\
			place_leave(back_);		\
		}					\
		err_;					\
	})

static enum bpf_attach_type tcx_type(const struct place *place)
{
	return place->ingress ? KFN_BPF_TCX_INGRESS : KFN_BPF_TCX_EGRESS;
}

static int tcx_attach(const struct place *place, int prog_fd)
{
	/* Before all others; without a program that it should come before, that is the first place. */
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = KFN_BPF_F_BEFORE);

	return bpf_link_create(prog_fd, place->ifindex, tcx_type(place), &opts);
}

#define EGRESS(place) \
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (place)->ifindex, .attach_point = BPF_TC_EGRESS); \
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY)

static int filter_look(const struct place *place, uint32_t *prog_id)
{
	EGRESS(place);
	int err = bpf_tc_query(&hook, &opts);

	*prog_id = err ? 0 : opts.prog_id;
	/* EINVAL: there is no clsact qdisc. */
	return err == -ENOENT || err == -EINVAL || err == -ENODEV ? 0 : err;
}

static int filter_attach(const struct place *place, int prog_fd, bool replace)
{
	EGRESS(place);
	int err = replace ? 0 : bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	opts.prog_fd = prog_fd;
	opts.flags = replace ? BPF_TC_F_REPLACE : 0;
	return bpf_tc_attach(&hook, &opts);
}

/* Only a filter that runs the program: whoever put another one there took it over. */
static int filter_detach(const struct place *place, uint32_t prog_id)
{
	EGRESS(place);
	uint32_t id;
	int err = filter_look(place, &id);

	if (err || id != prog_id)
		return err;
	err = bpf_tc_detach(&hook, &opts);
	return err == -ENOENT || err == -EINVAL || err == -ENODEV ? 0 : err;
}

/* rtnetlink replaces a filter whatever it runs: between the look and the act another could come, as kfn's lock binds only kfn. */
static int filter_replace(const struct place *place, uint32_t from, int to)
{
	uint32_t id;
	int err = filter_look(place, &id);

	if (!err && id != from)
		return -EPERM;
	return err ?: filter_attach(place, to, true);
}

bool hook_is_ingress(const char *hook)
{
	return !strcmp(hook, "tc-ingress");
}

int hook_choose(const char *hook, enum hook_kind *out)
{
	static struct probe tcx;
	static bool asked;

	*out = HOOK_NETNS;
	if (!strcmp(hook, "netns"))
		return 0;
	*out = HOOK_NONE;
	if (!strcmp(hook, "none"))
		return 0;
	if (!asked)
		tcx = probe_feature("link:tcx");
	asked = true;
#ifdef KFN_FAULTS
	/* The tests of filters, on a kernel that has links. */
	if (getenv("KFN_LOAD_WITHOUT_TCX"))
		tcx.have = HAVE_NO;
#endif
	*out = tcx.have == HAVE_YES ? HOOK_TCX : HOOK_CLSACT;
	if (*out == HOOK_CLSACT && hook_is_ingress(hook))
		return fail(LOAD_UNSUPPORTED_KERNEL, NULL, "a device's ingress is reached through tcx links only, which this kernel lacks");
	return tcx.have != HAVE_UNKNOWN ? 0 :
	       fail(LOAD_KERNEL_REFUSED, NULL, "whether the kernel has tcx links cannot be told: %s", tcx.reason);
}

int hook_attach(enum hook_kind kind, const struct place *place, int prog_fd, int *link)
{
	int fd;

	*link = -1;
	if (kind == HOOK_CLSACT)
		return IN(place, filter_attach(place, prog_fd, false));
	if (kind == HOOK_TCX)
		fd = IN(place, tcx_attach(place, prog_fd));
	else
		fd = bpf_link_create(prog_fd, place->fd, BPF_FLOW_DISSECTOR, NULL);
	if (fd < 0)
		return fd;
	*link = fd;
	return 0;
}

int hook_replace(enum hook_kind kind, const struct place *place, int link, int from, uint32_t from_id, int to)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE, .old_prog_fd = from);

	if (kind == HOOK_CLSACT)
		return IN(place, filter_replace(place, from_id, to));
	return bpf_link_update(link, to, &opts);
}

int hook_detach(enum hook_kind kind, const struct place *place, int link, uint32_t prog_id)
{
	if (kind == HOOK_CLSACT)
		return place->inode && prog_id ? IN(place, filter_detach(place, prog_id)) : 0;
	return link < 0 ? 0 : bpf_link_detach(link);
}

int hook_filter(const struct place *place, uint32_t *prog_id)
{
	return IN(place, filter_look(place, prog_id));
}

int hook_xdp(const struct place *place, uint32_t *prog_id)
{
	return IN(place, bpf_xdp_query_id(place->ifindex, 0, prog_id));
}

int hook_tcx(const struct place *place, struct tcx_program out[MAX_TCX], size_t *count)
{
	uint32_t progs[MAX_TCX] = { 0 }, links[MAX_TCX] = { 0 };
	struct tcx_query query = {
		.ifindex = place->ifindex, .attach_type = tcx_type(place), .prog_ids = (uintptr_t)progs,
		.count = MAX_TCX, .link_ids = (uintptr_t)links,
	};
	int err = IN(place, syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) ? -errno : 0);
	size_t i;

	*count = 0;
	/* ENOENT: nothing was ever attached; EINVAL: a kernel without tcx. */
	if (err)
		return err == -ENOENT || err == -EINVAL || err == -ENODEV ? 0 : err;
	for (i = 0; i < query.count && i < MAX_TCX; i++)
		out[i] = (struct tcx_program){ progs[i], links[i] };
	*count = i;
	return 0;
}
