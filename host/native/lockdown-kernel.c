/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of lockdown: loads lockdown.bpf.c, which this file carries, hangs it on the hook and pins it below
 * <root>/sys/fs/bpf/kfn/_lockdown, where it outlives this process. Refuses to say that it is on where the kernel does not ask it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "lockdown-kernel.h"

#define PINS "sys/fs/bpf/kfn/" LOCKDOWN_FOLDER

/* LOCKDOWN_OBJECT: what the Makefile compiled. 8: libbpf reads ELF headers in place. */
asm(".section .rodata\n"
    ".balign 8\n"
    "lockdown_object: .incbin \"" LOCKDOWN_OBJECT "\"\n"
    "lockdown_object_end:\n"
    ".previous\n");
extern const char lockdown_object[], lockdown_object_end[];

/* In the order in which they are pinned: what has no link is not on, and is removed or made anew. */
static const char *const leaves[LOCKDOWN_PINS] = {
	[LOCKDOWN_SETTINGS] = "settings", [LOCKDOWN_COUNTS] = "counts", [LOCKDOWN_FILES] = "executables",
	[LOCKDOWN_LOG] = "refusals", [LOCKDOWN_LEARN] = "learn", [LOCKDOWN_LINK] = "link",
};

static void leaf_path(const char *leaf, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/" PINS "%s%s", root_dir, *leaf ? "/" : "", leaf);
}

/* Also where it cannot be told: what is done next says why. */
static bool is_there(const char *leaf)
{
	char path[PATH_MAX];

	leaf_path(leaf, path);
	return !access(path, F_OK) || (errno != ENOENT && errno != ENOTDIR);
}

static int kernel_fail(int err, const char *what)
{
	return fail_errno(LOAD_KERNEL_REFUSED, err, "lockdown: %s", what);
}

void lockdown_close(struct lockdown *lockdown)
{
	int i;

	for (i = 0; i < LOCKDOWN_PINS; i++)
		close_fd(&lockdown->fd[i]);
	bpf_object__close(lockdown->object);
	lockdown->object = NULL;
}

int lockdown_open(struct lockdown *out)
{
	char path[PATH_MAX];
	int i;

	*out = LOCKDOWN_NONE;
	if (!is_there(leaves[LOCKDOWN_LINK]))
		return 0;
	for (i = 0; i < LOCKDOWN_PINS; i++) {
		leaf_path(leaves[i], path);
		out->fd[i] = bpf_obj_get(path);
		if (out->fd[i] < 0) {
			int err = -out->fd[i];

			lockdown_close(out);
			return fail_errno(LOAD_PIN_INVALID, err, "%s", path);
		}
	}
	return 0;
}

/* The kernel lets go of an unlinked pin a moment later, and so of what it attached: until then the mode says off, which is 0. */
static void mode_clear(void)
{
	unsigned char nothing_set[256] = { 0 };
	char path[PATH_MAX];
	__u32 zero = 0;
	int fd __close = -1;

	leaf_path(leaves[LOCKDOWN_SETTINGS], path);
	fd = bpf_obj_get(path);
	if (fd >= 0)
		bpf_map_update_elem(fd, &zero, nothing_set, BPF_ANY);
}

/* The link first: what remains after a kill at any point refuses nothing. */
int lockdown_remove(void)
{
	char path[PATH_MAX];
	int i;

	if (!is_there(""))
		return 0;
	mode_clear();
	for (i = LOCKDOWN_PINS - 1; i >= 0; i--) {
		leaf_path(leaves[i], path);
		if (unlink(path) && errno != ENOENT)
			return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be removed", path);
	}
	leaf_path("", path);
	if (rmdir(path) && errno != ENOENT)
		return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be removed", path);
	*strrchr(path, '/') = 0;
	rmdir(path);			/* kfn's own, where nothing else is in it */
	return 0;
}

static int inactive(const char *why)
{
	return fail(LOAD_LSM_INACTIVE, "name bpf in lsm= on the kernel's command line, after what cat /sys/kernel/security/lsm shows, and reboot",
		    "%s", why);
}

enum have lockdown_possible(void)
{
	char list[512], *word, *rest;
	FILE *file = fopen("/sys/kernel/security/lsm", "re");
	enum have have = file && fgets(list, sizeof(list), file) ? HAVE_NO : HAVE_UNKNOWN;

	if (file)
		fclose(file);
	if (have == HAVE_UNKNOWN)
		return have;
	for (word = strtok_r(list, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest))
		if (!strcmp(word, "bpf"))
			have = HAVE_YES;
	return have;
}

/* How many arguments the hook has in this kernel; -1: there is no such hook. */
static int hook_arguments(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int id, arguments = -1;

	if (!btf)
		return -1;
	id = btf__find_by_name_kind(btf, "bpf_lsm_bpf", BTF_KIND_FUNC);
	type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	type = type ? btf__type_by_id(btf, type->type) : NULL;
	if (type)
		arguments = btf_vlen(type);
	btf__free(btf);
	return arguments;
}

static int object_open(struct lockdown *out)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "kfn_lockdown");
	int arguments = hook_arguments();
	__u32 hook_has_kernel = arguments > 3;
	struct bpf_map *constants;

	if (arguments < 3)
		return inactive("this kernel has no hook bpf for BPF LSM programs (CONFIG_BPF_LSM), or no BTF");
	out->object = bpf_object__open_mem(lockdown_object, lockdown_object_end - lockdown_object, &opts);
	constants = out->object ? bpf_object__find_map_by_name(out->object, ".rodata") : NULL;
	if (!constants || bpf_map__set_initial_value(constants, &hook_has_kernel, sizeof(hook_has_kernel)))
		return fail(LOAD_INTERNAL, NULL, "lockdown: libbpf does not open the built-in program: %s", strerror(errno));
	return 0;
}

static int own_copy(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int lockdown_load(struct lockdown *out)
{
	struct bpf_program *learn;
	int err, i;

	*out = LOCKDOWN_NONE;
	if (lockdown_possible() == HAVE_NO)
		return inactive("the kernel asks no BPF LSM programs: lsm= of this boot lacks bpf");
	if (object_open(out))
		return -1;
	err = bpf_object__load(out->object);
	if (err)
		return kernel_fail(-err, "the built-in program does not load");
	for (i = LOCKDOWN_SETTINGS; i <= LOCKDOWN_LOG; i++)
		out->fd[i] = own_copy(bpf_object__find_map_fd_by_name(out->object, leaves[i]));
	learn = bpf_object__find_program_by_name(out->object, "learn");
	out->fd[LOCKDOWN_LEARN] = own_copy(bpf_program__fd(learn));
	return 0;
}

static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* A program attached to a hook that the kernel does not call looks as if it were on: so something is loaded, and it must have been seen. */
static int seen_check(const struct lockdown *lockdown)
{
	struct lockdown_counts before = { 0 }, after = { 0 };
	int loaded __close = -1;
	__u32 zero = 0;

	bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_COUNTS], &zero, &before);
	loaded = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", nothing, sizeof(nothing) / sizeof(nothing[0]), NULL);
	bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_COUNTS], &zero, &after);
	if (loaded >= 0 && after.by_executable > before.by_executable)
		return 0;
	if (after.refused > before.refused)
		return fail(LOAD_INTERNAL, NULL, "lockdown: the kernel does not know this kfn-load by its file");
	return inactive("the kernel does not ask the attached program");
}

static int pin_all(const struct lockdown *lockdown, struct bpf_link *link)
{
	char path[PATH_MAX], *at;
	int i, err = 0;

	leaf_path("", path);
	at = path + strlen(path) - strlen("/" LOCKDOWN_FOLDER);
	*at = 0;
	if (mkdir(path, 0700) && errno != EEXIST)
		return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be made", path);
	*at = '/';
	if (mkdir(path, 0700))
		return fail_errno(LOAD_PIN_FAILED, errno, "%s cannot be made", path);
	for (i = 0; !err && i < LOCKDOWN_PINS; i++) {
		leaf_path(leaves[i], path);
		err = bpf_obj_pin(i == LOCKDOWN_LINK ? bpf_link__fd(link) : lockdown->fd[i], path);
	}
	return err ? fail_errno(LOAD_PIN_FAILED, -err, "%s cannot be pinned", path) : 0;
}

int lockdown_attach(struct lockdown *lockdown)
{
	struct bpf_program *program = bpf_object__find_program_by_name(lockdown->object, "kfn_lockdown");
	struct bpf_link *link = bpf_program__attach_lsm(program);
	int err;

	if (!link)
		return kernel_fail(errno, "the built-in program cannot be attached");
	err = lockdown_remove() ?: seen_check(lockdown) ?: pin_all(lockdown, link);
	if (err)
		lockdown_remove();
	else
		lockdown->fd[LOCKDOWN_LINK] = own_copy(bpf_link__fd(link));
	bpf_link__destroy(link);
	return err;
}

int lockdown_learn(const struct lockdown *lockdown, int file, struct lockdown_question *out)
{
	/* The kernel writes the context of this program type back to where it came from. */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = out, .ctx_size_in = sizeof(*out));
	int err;

	*out = (struct lockdown_question){ .fd = file };
	err = bpf_prog_test_run_opts(lockdown->fd[LOCKDOWN_LEARN], &opts);
	if (err)
		return kernel_fail(-err, "the kernel does not say how it knows a file");
	return out->found ? 0 : fail(LOAD_INTERNAL, NULL, "lockdown: an open file was not found in the kernel");
}
