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

/* The hook is free when this returns: BPF_LINK_DETACH waits, unlinking the pin of a link does not. */
static int take_off(struct step *step)
{
	struct pin *pin = &step->pin;
	int err = pin->link_fd < 0 ? 0 : bpf_link_detach(pin->link_fd);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s cannot be detached from %s", pin->function, pin->scope);
	step->changed = true;
	return fault("detached") ?: leaves_unlink(pin) ?: fault("unpinned") ?: pin_dir_drop(pin);
}

static int link_fail(const struct step *step, int err)
{
	uint32_t id = 0;

	if (err != EEXIST && err != E2BIG)
		return fail_errno(LOAD_KERNEL_REFUSED, err, "%s cannot be attached to %s", step->pin.function, step->pin.scope);
	if (!netns_attached(&step->place, &id) && !id)
		return fail(LOAD_SCOPE_CONFLICT, "detach the other namespace's dissector first",
			    "%s: the root namespace or another one has a dissector", step->pin.scope);
	return fail(LOAD_FOREIGN_PROGRAM, NULL, "%s: program %u took the hook meanwhile", step->pin.scope, id);
}

/* Links in namespaces that ended, and what a killed run left, give way. */
static int attach(struct step *step, int prog_fd)
{
	struct pin *pin = &step->pin;
	uint64_t start;
	int link = -1;

	close_fd(&pin->link_fd);
	if (pin_dir_make(pin) || leaves_unlink(pin) || pin_put(pin, prog_fd, "prog") || fault("prog-pinned"))
		goto undo;
	start = now_ns();
	link = bpf_link_create(prog_fd, step->place.fd, BPF_FLOW_DISSECTOR, NULL);
	step->nanoseconds = now_ns() - start;
	if (link < 0) {
		link_fail(step, -link);
		goto undo;
	}
	pin->link_fd = link;
	if (!fault("attached") && !pin_put(pin, link, "link") && !fault("link-pinned")) {
		step->changed = true;
		return 0;
	}
undo:
	if (!take_off(step))
		step->changed = false;
	return -1;
}

/* Turns the link from one program to another; between any two lines, the link's program is pinned. */
static int swap(struct step *step, int from, int to)
{
	LIBBPF_OPTS(bpf_link_update_opts, forth, .flags = BPF_F_REPLACE, .old_prog_fd = from);
	LIBBPF_OPTS(bpf_link_update_opts, back, .flags = BPF_F_REPLACE, .old_prog_fd = to);
	const struct pin *pin = &step->pin;
	uint64_t start;
	int err;

	if (pin_put(pin, to, "prog-new"))
		return -1;
	if (fault("pinned-new"))
		goto unpin;
	start = now_ns();
	err = bpf_link_update(pin->link_fd, to, &forth);
	step->nanoseconds = now_ns() - start;
	if (err == -EPERM) {
		fail(LOAD_PROGRAM_CHANGED, NULL, "%s in %s: the link's program changed meanwhile", pin->function, pin->scope);
		goto unpin;
	}
	if (err) {
		fail_errno(LOAD_KERNEL_REFUSED, -err, "%s in %s cannot be replaced", pin->function, pin->scope);
		goto unpin;
	}
	step->changed = true;
	if (!fault("linked") && !pin_rename(pin, "prog-new", "prog"))
		return fault("renamed");
	err = bpf_link_update(pin->link_fd, from, &back);
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
		return swap(step, step->old_fd, step->checked.loaded.prog_fd) ?: mark_new(step);
	case STEP_ATTACH:
		return attach(step, step->checked.loaded.prog_fd) ?: mark_new(step);
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
		return swap(step, step->checked.loaded.prog_fd, step->old_fd) ?: mark_old(step);
	case STEP_ATTACH:
		return take_off(step);
	default:
		if (!step->pin.netns_inode)	/* it was dead before */
			return 0;
		if (step->old_fd < 0 || !step_runs(step))
			return fail(LOAD_NETNS_GONE, NULL, "its program or its namespace cannot be reached by name");
		return attach(step, step->old_fd) ?: mark_old(step);
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
	return pin_at(&step->pin, &step->place);
}
