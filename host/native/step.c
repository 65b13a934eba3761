/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of a change, done and undone: attach, replace, detach. Between any two calls the link's program is pinned.
 * Decides nothing: apply.c says which step it is.
 */
#include <errno.h>
#include <bpf/bpf.h>
#include "step.h"

static int leaves_unlink(const struct pin *pin)
{
	return pin_unlink(pin, "link") ?: pin_unlink(pin, "prog") ?: pin_unlink(pin, "prog-new") ?: pin_mark(pin, 0, NULL);
}

/* The hook is free when this returns: BPF_LINK_DETACH waits, unlinking the pin of a link does not. A filter that another took over stays. */
static int take_off(struct step *step)
{
	struct pin *pin = &step->pin;
	bool ours = pin->link_prog_id == pin->prog_id || pin->link_prog_id == pin->new_id;
	int err = hook_detach(pin->hook, &step->place, pin->link_fd, ours ? pin->link_prog_id : 0);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s cannot be detached from %s", pin->function, pin->scope);
	step->changed = true;
	return fault("detached") ?: leaves_unlink(pin) ?: fault("unpinned") ?: pin_dir_drop(pin);
}

static int link_fail(const struct step *step, int err)
{
	uint32_t id = 0;

	if (err == ENODEV)
		return fail(LOAD_DEVICE_GONE, NULL, "%s: the device went away meanwhile", step->pin.scope);
	if (err == EEXIST && step->pin.hook == HOOK_CLSACT)
		return fail(LOAD_FOREIGN_PROGRAM, "remove it with the tool that attached it; kfn never replaces it",
			    "%s: a filter that kfn did not attach has the place of kfn's", step->pin.scope);
	if (step->pin.hook != HOOK_NETNS)
		return fail_errno(LOAD_KERNEL_REFUSED, err, "%s cannot be attached to %s", step->pin.function, step->pin.scope);
	if (err != EEXIST && err != E2BIG)
		return fail_errno(LOAD_KERNEL_REFUSED, err, "%s cannot be attached to %s", step->pin.function, step->pin.scope);
	if (!netns_attached(&step->place, &id) && !id)
		return fail(LOAD_SCOPE_CONFLICT, "detach the other namespace's dissector first",
			    "%s: the root namespace or another one has a dissector", step->pin.scope);
	return fail(LOAD_FOREIGN_PROGRAM, NULL, "%s: program %u took the hook meanwhile", step->pin.scope, id);
}

/* Links in namespaces that ended, and what a killed run left, give way. */
static int attach(struct step *step, enum hook_kind hook, int prog_fd, uint32_t prog_id)
{
	struct pin *pin = &step->pin;
	uint64_t start;
	int err;

	close_fd(&pin->link_fd);
	pin->hook = hook;
	pin->link_prog_id = 0;
	if (pin_dir_make(pin) || leaves_unlink(pin) || pin_put(pin, prog_fd, "prog") || fault("prog-pinned"))
		goto undo;
	start = now_ns();
	err = hook_attach(hook, &step->place, prog_fd, &pin->link_fd);
	step->nanoseconds = now_ns() - start;
	if (err) {
		link_fail(step, -err);
		goto undo;
	}
	pin->link_prog_id = pin->prog_id = prog_id;
	if (!fault("attached") && (pin->link_fd < 0 || !pin_put(pin, pin->link_fd, "link")) && !fault("link-pinned")) {
		step->changed = true;
		return 0;
	}
undo:
	if (!take_off(step))
		step->changed = false;
	return -1;
}

/* Turns the link from one program to another; between any two lines, the link's program is pinned. */
static int swap(struct step *step, int from, uint32_t from_id, int to, uint32_t to_id)
{
	const struct pin *pin = &step->pin;
	uint64_t start;
	int err;

	if (pin_put(pin, to, "prog-new"))
		return -1;
	if (fault("pinned-new"))
		goto unpin;
	start = now_ns();
	err = hook_replace(pin->hook, &step->place, pin->link_fd, from, from_id, to);
	step->nanoseconds = now_ns() - start;
	if (err == -EPERM) {
		fail(LOAD_PROGRAM_CHANGED, NULL, "%s in %s: the program that runs changed meanwhile", pin->function, pin->scope);
		goto unpin;
	}
	if (err) {
		fail_errno(LOAD_KERNEL_REFUSED, -err, "%s in %s cannot be replaced", pin->function, pin->scope);
		goto unpin;
	}
	step->changed = true;
	if (!fault("linked") && !pin_rename(pin, "prog-new", "prog"))
		return fault("renamed");
	err = hook_replace(pin->hook, &step->place, pin->link_fd, to, to_id, from);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s in %s cannot be turned back", pin->function, pin->scope);
	step->changed = false;
unpin:
	pin_unlink(pin, "prog-new");
	return -1;
}

/* After the link has turned: whoever is killed between claims too little. */
static int mark_new(const struct step *step)
{
	return pin_mark(&step->pin, step->checked.loaded.id, step->checked.loaded.check.keyring);
}

static int mark_old(const struct step *step)
{
	return pin_mark(&step->pin, step->pin.link_prog_id, *step->pin.keyring ? step->pin.keyring : NULL);
}

int step_do(struct step *step)
{
	switch (step->kind) {
	case STEP_REPLACE:
		return swap(step, step->old_fd, step->pin.link_prog_id, step->checked.loaded.prog_fd, step->checked.loaded.id) ?:
		       mark_new(step);
	case STEP_ATTACH:
		return attach(step, step->hook, step->checked.loaded.prog_fd, step->checked.loaded.id) ?: mark_new(step);
	case STEP_FREE: case STEP_DETACH:
		return take_off(step);
	default:
		return 0;
	}
}

int step_undo(struct step *step)
{
	switch (step->kind) {
	case STEP_REPLACE:
		return swap(step, step->checked.loaded.prog_fd, step->checked.loaded.id, step->old_fd, step->pin.link_prog_id) ?:
		       mark_old(step);
	case STEP_ATTACH:
		return take_off(step);
	default:
		if (!step->pin.netns_inode)	/* it was dead before */
			return 0;
		if (step->old_fd < 0 || !step_runs(step))
			return fail(LOAD_NETNS_GONE, NULL, "its program or its namespace cannot be reached by name");
		return attach(step, step->pin.hook, step->old_fd, step->pin.link_prog_id) ?: mark_old(step);
	}
}

/* A killed run can leave `prog-new`; the link says which of the two programs is the current one. */
int step_settle(struct step *step)
{
	const struct pin *pin = &step->pin;

	if (step->kind != STEP_KEEP && step->kind != STEP_REPLACE)
		return 0;
	if (pin->new_fd < 0)
		return 0;
	return pin_current(pin) == pin->new_fd ? pin_rename(pin, "prog-new", "prog") : pin_unlink(pin, "prog-new");
}

bool step_runs(const struct step *step)
{
	return pin_at(&step->pin, &step->place) && step->pin.ingress == step->place.ingress;
}
