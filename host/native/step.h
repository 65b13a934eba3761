/* SPDX-License-Identifier: Apache-2.0 */
/* One step of a change: what is done with one function in the kernel, and how it is undone. */
#ifndef KFN_STEP_H
#define KFN_STEP_H

#include "kfn-load.h"

/* In the order in which they are done. A detach goes before the attaches only when it frees a hook for one of them. */
enum step_kind {
	STEP_LEAVE,				/* not touched: it could not be proved, and the caller allows for that */
	STEP_NONE,				/* proved, and nothing to attach: its hook is none */
	STEP_KEEP, STEP_REPLACE, STEP_FREE, STEP_ATTACH, STEP_DETACH,
	STEP_KINDS
};

struct step {
	enum step_kind kind;
	bool changed;				/* the kernel or the pins differ from before this step */
	const struct function_spec *spec;	/* NULL for detaches, but of what is revoked */
	struct checked checked;
	struct pin pin;
	struct place place;
	enum hook_kind hook;			/* for an attach; else the pin says it */
	int old_fd;				/* what the link ran before, for undo; borrowed from pin */
	uint64_t nanoseconds;
	json_t *why;				/* the error: STEP_LEAVE, or STEP_DETACH of what is revoked */
};

int step_settle(struct step *step);
int step_do(struct step *step);
int step_undo(struct step *step);
bool step_runs(const struct step *step);	/* a link of ours is alive in the very place */

#endif
