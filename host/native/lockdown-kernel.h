/* SPDX-License-Identifier: Apache-2.0 */
/* What lockdown.c asks of lockdown-kernel.c. */
#ifndef KFN_LOCKDOWN_KERNEL_H
#define KFN_LOCKDOWN_KERNEL_H

#include <linux/types.h>
#include "kfn-load.h"
#include "lockdown.h"

enum lockdown_pin {
	LOCKDOWN_SETTINGS, LOCKDOWN_COUNTS, LOCKDOWN_FILES, LOCKDOWN_LOG, LOCKDOWN_LEARN, LOCKDOWN_LINK, LOCKDOWN_PINS
};
struct lockdown {
	int fd[LOCKDOWN_PINS];			/* that of the link is -1 where it is off */
	struct bpf_object *object;		/* of lockdown_load() */
};
#define LOCKDOWN_NONE ((struct lockdown){ .fd = { -1, -1, -1, -1, -1, -1 } })

enum have lockdown_possible(void);		/* unknown: there is no securityfs to read it from */
int lockdown_open(struct lockdown *out);	/* what is pinned */
int lockdown_load(struct lockdown *out);	/* anew, attached to nothing yet */
int lockdown_attach(struct lockdown *lockdown);	/* in the place of what is pinned; its settings and executables must be there */
int lockdown_remove(void);
int lockdown_learn(const struct lockdown *lockdown, int file, struct lockdown_question *out);
void lockdown_close(struct lockdown *lockdown);

#endif
