// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Asked by the kernel before each bpf() call: lets BPF_PROG_LOAD through for programs with a signature that the kernel goes on to
 * check, for executables that root named, and for the kernel itself; counts the others, and refuses them where it enforces.
 * Refuses nothing but loading: docs/formats/lockdown.md says what that does not protect from.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "lockdown.h"

#define EPERM			1
#define COMMAND_MASK		0xffff		/* above: flags of the call (BPF_COMMON_ATTRS) */
#define OTHERS_MAY_WRITE	0022
/* include/linux/verification.h: builtin 0, secondary 1, platform 2. Any other id names a keyring that the caller filled himself. */
#define LAST_SYSTEM_KEYRING	2

#define __kernel_type		__attribute__((preserve_access_index))

/* Just the fields that are read; libbpf looks their offsets up in the running kernel. */
typedef struct { unsigned int val; } kuid_t;
struct super_block { __u32 s_dev; } __kernel_type;
struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	struct super_block *i_sb;
	unsigned long i_ino;
	__u32 i_generation;
} __kernel_type;
struct qstr { const unsigned char *name; } __kernel_type;
struct dentry { struct qstr d_name; } __kernel_type;
struct path { struct dentry *dentry; } __kernel_type;
struct file { struct inode *f_inode; struct path f_path; } __kernel_type;
struct fdtable { struct file **fd; } __kernel_type;
struct files_struct { struct fdtable *fdt; } __kernel_type;
struct mm_struct { struct file *exe_file; } __kernel_type;
struct task_struct { struct mm_struct *mm; struct files_struct *files; } __kernel_type;
union bpf_attr___load {
	struct {
		__u32 prog_type;
		char prog_name[LOCKDOWN_NAME];
		__u64 signature;		/* since Linux 6.18, as keyring_id */
		__s32 keyring_id;
	};
} __kernel_type;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lockdown_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lockdown_counts);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LOCKDOWN_EXECUTABLES);
	__type(key, struct lockdown_file);
	__type(value, __u32);
} executables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOCKDOWN_REFUSALS);
	__type(key, __u32);
	__type(value, struct lockdown_refusal);
} refusals SEC(".maps");

/* Since Linux 6.15 the hook is told whether the load comes from within the kernel. The loader reads it from the kernel's BTF. */
const volatile __u32 hook_has_kernel;

static void file_identify(struct file *file, struct lockdown_file *out)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	out->inode = BPF_CORE_READ(inode, i_ino);
	out->device = BPF_CORE_READ(inode, i_sb, s_dev);
	out->generation = BPF_CORE_READ(inode, i_generation);
}

/* What could not be read is 0, which is no file's: the load is refused. */
static bool by_executable(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct lockdown_file key = { 0 };

	file_identify(file, &key);
	return !(__u32)bpf_get_current_uid_gid() && !BPF_CORE_READ(inode, i_uid.val) &&
	       !(BPF_CORE_READ(inode, i_mode) & OTHERS_MAY_WRITE) && bpf_map_lookup_elem(&executables, &key);
}

/* The kernel copied attr before it asks here, and checks the signature on that same copy afterwards. */
static bool by_signature(union bpf_attr___load *attr)
{
	if (!bpf_core_field_exists(attr->signature))
		return false;
	return BPF_CORE_READ(attr, signature) && (__u32)BPF_CORE_READ(attr, keyring_id) <= LAST_SYSTEM_KEYRING;
}

static void record(union bpf_attr___load *attr, struct file *file, __u64 number, bool enforced)
{
	__u32 slot = (number - 1) % LOCKDOWN_REFUSALS;
	struct lockdown_refusal *at = bpf_map_lookup_elem(&refusals, &slot);
	const unsigned char *name = BPF_CORE_READ(file, f_path.dentry, d_name.name);

	if (!at)
		return;
	at->at = bpf_ktime_get_ns();
	at->pid = bpf_get_current_pid_tgid() >> 32;
	at->uid = bpf_get_current_uid_gid();
	at->type = BPF_CORE_READ(attr, prog_type);
	at->enforced = enforced;
	bpf_get_current_comm(at->comm, sizeof(at->comm));
	bpf_core_read_str(at->name, sizeof(at->name), &attr->prog_name);
	bpf_probe_read_kernel_str(at->executable, sizeof(at->executable), name);
	at->number = number;
}

SEC("lsm/bpf")
int kfn_lockdown(__u64 *ctx)
{
	union bpf_attr___load *attr = (void *)ctx[1];
	struct lockdown_settings *set;
	struct lockdown_counts *count;
	struct task_struct *task;
	struct mm_struct *mm;
	struct file *file;
	__u32 zero = 0;
	bool enforced;

	if (((__u32)ctx[0] & COMMAND_MASK) != BPF_PROG_LOAD)
		return 0;
	set = bpf_map_lookup_elem(&settings, &zero);
	count = bpf_map_lookup_elem(&counts, &zero);
	if (!set || !count || set->mode == LOCKDOWN_OFF)
		return 0;
	task = (void *)bpf_get_current_task();
	mm = BPF_CORE_READ(task, mm);
	file = BPF_CORE_READ(mm, exe_file);
	if (!mm || (hook_has_kernel && (ctx[3] & 0xff))) {
		__sync_fetch_and_add(&count->by_kernel, 1);
		return 0;
	}
	if (by_executable(file)) {
		__sync_fetch_and_add(&count->by_executable, 1);
		return 0;
	}
	if (by_signature(attr)) {
		__sync_fetch_and_add(&count->by_signature, 1);
		return 0;
	}
	enforced = set->mode == LOCKDOWN_ENFORCE;
	record(attr, file, __sync_fetch_and_add(&count->refused, 1) + 1, enforced);
	return enforced ? -EPERM : 0;
}

/* Says how the kernel knows an open file of the process that runs this. */
SEC("syscall")
int learn(struct lockdown_question *question)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file **table = BPF_CORE_READ(task, files, fdt, fd), *file = NULL;
	struct lockdown_file identity = { 0 };
	struct inode *inode;

	bpf_probe_read_kernel(&file, sizeof(file), table + question->fd);
	inode = BPF_CORE_READ(file, f_inode);
	file_identify(file, &identity);
	question->file.inode = identity.inode;
	question->file.device = identity.device;
	question->file.generation = identity.generation;
	question->uid = BPF_CORE_READ(inode, i_uid.val);
	question->mode = BPF_CORE_READ(inode, i_mode);
	question->found = inode != NULL;
	return 0;
}

char dual_license[] SEC("license") = "Dual BSD/GPL";
