/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the kernel run exactly a plan: everything is verified, loaded and proved before the first change, each change
 * has its undo, and a failure undoes the changes made, last first. Never replaces a program that kfn did not attach.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

/* In the order in which they are done. A detach goes before the attaches only when it frees a hook for one of them. */
enum step_kind { STEP_KEEP, STEP_REPLACE, STEP_FREE, STEP_ATTACH, STEP_DETACH, STEP_KINDS };

struct step {
	enum step_kind kind;
	bool changed;				/* the kernel or the pins differ from before this step */
	const struct function_spec *spec;	/* NULL for detaches */
	struct checked checked;
	struct pin pin;
	struct netns netns;
	int old_fd;				/* what the link ran before, for undo; borrowed from pin */
	uint64_t nanoseconds;
};

struct change {
	struct plan plan;
	struct step *steps;			/* the plan's functions in order, then the pins that it does not name */
	size_t count;
};

static uint64_t now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static int leaves_unlink(const struct pin *pin)
{
	return pin_unlink(pin, "link") ?: pin_unlink(pin, "prog") ?: pin_unlink(pin, "prog-new");
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
	if (!netns_attached(&step->netns, &id) && !id)
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
	start = now();
	link = bpf_link_create(prog_fd, step->netns.fd, BPF_FLOW_DISSECTOR, NULL);
	step->nanoseconds = now() - start;
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
	start = now();
	err = bpf_link_update(pin->link_fd, to, &forth);
	step->nanoseconds = now() - start;
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

static int step_do(struct step *step)
{
	switch (step->kind) {
	case STEP_REPLACE:
		return swap(step, step->old_fd, step->checked.loaded.prog_fd);
	case STEP_ATTACH:
		return attach(step, step->checked.loaded.prog_fd);
	case STEP_FREE: case STEP_DETACH:
		return take_off(step);
	default:
		return 0;
	}
}

static int step_undo(struct step *step)
{
	switch (step->kind) {
	case STEP_REPLACE:
		return swap(step, step->checked.loaded.prog_fd, step->old_fd);
	case STEP_ATTACH:
		return take_off(step);
	default:
		if (!step->pin.netns_inode)	/* it was dead before */
			return 0;
		if (step->old_fd < 0 || step->netns.inode != step->pin.netns_inode)
			return fail(LOAD_NETNS_GONE, NULL, "its program or its namespace cannot be reached by name");
		return attach(step, step->old_fd);
	}
}

/* A killed run can leave `prog-new`; the link says which of the two programs is the current one. */
static int settle(struct step *step)
{
	const struct pin *pin = &step->pin;

	if (step->kind != STEP_KEEP && step->kind != STEP_REPLACE)
		return 0;
	if (pin->new_fd < 0)
		return 0;
	return pin_current(pin) == pin->new_fd ? pin_rename(pin, "prog-new", "prog") : pin_unlink(pin, "prog-new");
}

static void undo_all(struct change *change)
{
	json_t *failed = json_array();
	size_t i;
	int kind;

	for (kind = STEP_KINDS - 1; kind > STEP_KEEP; kind--)
		for (i = change->count; i-- > 0;) {
			struct step *step = &change->steps[i];

			if ((int)step->kind == kind && step->changed && step_undo(step))
				json_array_append_new(failed, json_pack("{s:s, s:s, s:s}", "function", step->pin.function,
									"scope", step->pin.scope, "message", last_failure()));
		}
	fail_undone(failed);
}

static int execute(struct change *change)
{
	int kind, err = 0;
	size_t i;

	for (i = 0; i < change->count; i++)
		if (settle(&change->steps[i]))
			return -1;
	if (fault("settled"))
		return -1;
	for (kind = STEP_REPLACE; kind < STEP_KINDS; kind++)
		for (i = 0; !err && i < change->count; i++)
			if ((int)change->steps[i].kind == kind)
				err = step_do(&change->steps[i]);
	if (err)
		undo_all(change);
	return err;
}

/* Whether a program's kernel tag is that of the program that was just loaded and proved. */
static int same_program(int fd, const struct loaded *loaded, bool *same)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	*same = !err && !memcmp(info.tag, loaded->tag, KERNEL_TAG_SIZE);
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "a pinned program cannot be inspected") : 0;
}

/* A function whose link is alive in its namespace: keep or replace. */
static int decide_linked(struct step *step)
{
	bool same;

	step->old_fd = pin_current(&step->pin);
	if (step->old_fd < 0)
		return fail(LOAD_PROGRAM_CHANGED, "see `kfn-load inspect`; taking the function out of the plan detaches it",
			    "%s in %s runs program %u, which is not the one pinned", step->pin.function, step->pin.scope,
			    step->pin.link_prog_id);
	if (same_program(step->old_fd, &step->checked.loaded, &same))
		return -1;
	step->kind = same ? STEP_KEEP : STEP_REPLACE;
	return 0;
}

/* The hook must be free, or be held by a pin that this change takes off (and then that goes first). */
static int decide_attach(struct change *change, struct step *step)
{
	uint64_t root = netns_root_inode();
	uint32_t id;
	size_t i;

	step->kind = STEP_ATTACH;
	if (netns_attached(&step->netns, &id))
		return -1;
	for (i = change->plan.count; i < change->count; i++) {
		struct step *other = &change->steps[i];
		bool same = other->pin.netns_inode == step->netns.inode;
		bool shadows = (other->pin.netns_inode == root) != (step->netns.inode == root);

		if (other->pin.netns_inode && (same || shadows))
			other->kind = STEP_FREE;
		if (same && id == other->pin.link_prog_id)
			id = 0;
	}
	if (!id)
		return 0;
	fail(LOAD_FOREIGN_PROGRAM, "remove it with the tool that attached it; kfn never replaces it",
	     "%s: program %u, which kfn did not attach, holds the flow dissector hook", step->pin.scope, id);
	fail_detail("programId", json_integer(id));
	fail_detail("scope", json_string(step->pin.scope));
	return -1;
}

static int decide(struct change *change)
{
	size_t i, k;

	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		for (k = 0; k < i; k++)
			if (change->steps[k].netns.inode == step->netns.inode)
				return fail(LOAD_HOOK_TAKEN, NULL, "%s in %s and %s in %s need the same hook",
					    change->steps[k].pin.function, change->steps[k].pin.scope, step->pin.function,
					    step->pin.scope);
		if (step->pin.netns_inode == step->netns.inode ? decide_linked(step) : decide_attach(change, step))
			return -1;
	}
	return 0;
}

/* Loads and proves every function of the plan, and looks at its scope. */
static int prepare(struct change *change)
{
	size_t i;

	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		step->spec = &change->plan.functions[i];
		if (function_check(step->spec, &step->checked))
			return -1;
	}
	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		if (netns_open(step->spec->scope, &step->netns) ||
		    pin_open(step->spec->function, step->spec->scope, &step->pin))
			return -1;
	}
	return 0;
}

static bool planned(const struct plan *plan, const struct pin *pin)
{
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (!strcmp(plan->functions[i].function, pin->function) && !strcmp(plan->functions[i].scope, pin->scope))
			return true;
	return false;
}

/* One step per function of the plan and per pin that it does not name. */
static int steps_make(struct change *change)
{
	struct pin *pins = NULL;
	size_t count = 0, i;
	int err = pin_walk(&pins, &count);

	change->steps = calloc(change->plan.count + count + 1, sizeof(*change->steps));
	change->count = change->plan.count;
	if (!err && !change->steps)
		err = fail(LOAD_INTERNAL, NULL, "out of memory");
	for (i = 0; i < change->plan.count && !err; i++)
		change->steps[i] = (struct step){ .netns.fd = -1, .old_fd = -1, .pin = { .link_fd = -1, .prog_fd = -1, .new_fd = -1 } };
	for (i = 0; i < count; i++) {
		if (err || planned(&change->plan, &pins[i])) {
			pin_close(&pins[i]);
			continue;
		}
		change->steps[change->count] = (struct step){ .kind = STEP_DETACH, .pin = pins[i], .netns.fd = -1 };
		change->steps[change->count].old_fd = pin_current(&pins[i]);
		if (netns_exists(pins[i].scope))
			err = netns_open(pins[i].scope, &change->steps[change->count].netns);
		change->count++;
	}
	free(pins);
	return err;
}

static json_t *change_json(const struct change *change)
{
	static const char * const words[] = { [STEP_KEEP] = "keep", [STEP_REPLACE] = "replace", [STEP_ATTACH] = "attach" };
	json_t *functions = json_array(), *detached = json_array();
	size_t i;

	for (i = 0; i < change->count; i++) {
		const struct step *step = &change->steps[i];
		json_t *entry;

		if (!step->spec) {
			json_array_append_new(detached, json_pack("{s:s, s:s}", "function", step->pin.function,
								  "scope", step->pin.scope));
			continue;
		}
		entry = checked_json(step->spec, &step->checked);
		json_object_set_new(entry, "step", json_string(words[step->kind]));
		json_object_set_new(entry, "nanoseconds", json_integer(step->nanoseconds));
		json_array_append_new(functions, entry);
	}
	return json_pack("{s:o, s:o}", "functions", functions, "detached", detached);
}

static void change_free(struct change *change)
{
	size_t i;

	for (i = 0; i < change->count && change->steps; i++) {
		checked_free(&change->steps[i].checked);
		pin_close(&change->steps[i].pin);
		close_fd(&change->steps[i].netns.fd);
	}
	free(change->steps);
	plan_free(&change->plan);
}

int cmd_apply(const char *path)
{
	static struct change change;
	int err = plan_read(path, &change.plan);

	/* Without a bpffs there are no pins, so nothing is active: an empty plan is fulfilled. */
	if (!err && (change.plan.count || bpffs_mounted()))
		err = bpffs_check() ?: steps_make(&change) ?: prepare(&change) ?: decide(&change) ?: execute(&change);
	err = err ?: answer(change_json(&change));
	change_free(&change);
	return err;
}
