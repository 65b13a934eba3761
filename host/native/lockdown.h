/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What lockdown.bpf.c and kfn-load say to each other through maps. Another layout or meaning needs another LOCKDOWN_VERSION. */
#ifndef KFN_LOCKDOWN_H
#define KFN_LOCKDOWN_H

#define LOCKDOWN_VERSION	1
#define LOCKDOWN_EXECUTABLES	64
#define LOCKDOWN_REFUSALS	128		/* the last so many are kept */
#define LOCKDOWN_NAME		16		/* comm and prog_name, with their NUL */

enum lockdown_mode { LOCKDOWN_OFF, LOCKDOWN_AUDIT, LOCKDOWN_ENFORCE };

/* A file as the kernel itself knows it; stat() shows other numbers on btrfs and overlayfs. */
struct lockdown_file {
	__u64 inode;
	__u32 device, generation;
};

struct lockdown_settings {			/* all zero in every version: off */
	__u32 mode, version;
	__u64 since;				/* CLOCK_MONOTONIC, ns: when it was enabled */
};

struct lockdown_counts {
	__u64 by_signature, by_executable, by_kernel, refused;
};

struct lockdown_refusal {
	__u64 number;				/* from 1; 0: none was written here yet */
	__u64 at;				/* CLOCK_MONOTONIC, ns */
	__u32 pid, uid, type, enforced;
	char comm[LOCKDOWN_NAME], name[LOCKDOWN_NAME], executable[32];
};

/* Asked of the program `learn`, as its context. */
struct lockdown_question {
	__u32 fd, uid, mode, found;		/* fd is the question; owner and mode of the file it is of */
	struct lockdown_file file;
};

#endif
