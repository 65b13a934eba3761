/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Puts a program on a device's egress and takes it off. Refuses to choose the device: the caller's namespace is a test's. */
#ifndef KFN_TEST_ATTACH_H
#define KFN_TEST_ATTACH_H

enum hook { HOOK_TCX, HOOK_CLSACT };

/* "tcx" or "clsact". */
enum hook hook_of(const char *name);

/* Loads the one program of an object; its maps of 0 entries get one for each CPU. */
int program_load(const char *path);

void program_attach(int program, enum hook hook, int ifindex);
void program_detach(enum hook hook, int ifindex);

/* How often it ran, where something counts. */
unsigned long long program_runs(int program);

/* command: ETHTOOL_STSO and the like. */
void feature_set(const char *device, unsigned int command, int on);

#endif
