/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the kernel run exactly a plan: everything is verified, loaded and proved before the first change, each change
 * has its undo, and a failure undoes the changes made, last first. Never replaces a program that kfn did not attach,
 * and never loads what is not proved: where the caller allows for it, a function that fails stays as it is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "step.h"

struct change {
	struct plan plan;
	struct step *steps;			/* the plan's functions in order, then the pins that it does not name */
	size_t count;
};

/*
 * Whether a failure of this function alone may leave it as it is. What is not proved is never loaded, and what runs stays,
 * unless it is revoked: then it is taken off. proved: only its place cannot take it.
 */
static int leave(struct step *step, bool proved)
{
	bool revoked = failed_with(LOAD_REVOKED);
	json_t *why;

	/* What is revoked and could not be taken off is not left. */
	if (step->kind == STEP_DETACH)
		return -1;
	if (!step->spec || !(step->spec->may_stay || (proved && step->spec->may_miss)) || step->changed)
		return -1;
	why = failure_take();
	if (!why)
		return -1;
	if (step->why)
		json_decref(why);
	else
		step->why = why;
	step->kind = revoked ? STEP_DETACH : STEP_LEAVE;
	checked_free(&step->checked);
	return 0;
}

/* A namespace of a pattern, or a device of a driver, that went away since they were listed: nothing is missing then. */
static int gone(struct step *step)
{
	if (!planned_otherwise(step->spec) || place_exists(step->spec->scope))
		return -1;
	json_decref(failure_clear());
	step->spec = NULL;
	step->kind = step->pin.link_fd < 0 && step->pin.prog_fd < 0 ? STEP_LEAVE : STEP_DETACH;
	return 0;
}

static void undo_all(struct change *change)
{
	json_t *failed = json_array();
	size_t i;
	int kind;

	for (kind = STEP_KINDS - 1; kind > STEP_KEEP; kind--)
		for (i = change->count; i-- > 0;) {
			struct step *step = &change->steps[i];

			/* Nothing brings what is revoked back. */
			if ((int)step->kind == kind && step->changed && !(kind == STEP_DETACH && step->why) && step_undo(step))
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
		if (step_settle(&change->steps[i]))
			return -1;
	if (fault("settled"))
		return -1;
	for (kind = STEP_REPLACE; kind < STEP_KINDS; kind++)
		for (i = 0; !err && i < change->count; i++)
			if ((int)change->steps[i].kind == kind && step_do(&change->steps[i]))
				err = leave(&change->steps[i], true);
	if (err)
		undo_all(change);
	return err;
}

/* Whether a program is the one that was just loaded and proved. Of maps the tag says nothing: then every byte is compared. */
static int same_program(int fd, const struct checked *checked, bool *same)
{
	struct image *running, *copy;
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	const char *reason;
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a pinned program cannot be inspected");
	*same = !memcmp(info.tag, checked->loaded.tag, KERNEL_TAG_SIZE);
	if (!*same || (!checked->variant.maps && !info.nr_map_ids))
		return 0;
	running = image_read(fd);
	copy = running ? image_read(checked->loaded.prog_fd) : NULL;
	err = copy ? 0 : -1;
	*same = !err && !strcmp(image_compare(running, copy, &reason), "proved");
	image_free(running);
	image_free(copy);
	return err;
}

/* What runs was checked when it was loaded: the look just taken, with another program, says nothing of it. */
static void keep(struct step *step)
{
	struct kernel_check *check = &step->checked.loaded.check;

	step->kind = STEP_KEEP;
	if (!*step->pin.keyring)
		return;
	check->keyring = step->pin.keyring;
	snprintf(check->reason, sizeof(check->reason), "the kernel checked the signature with a key of %s when it was loaded",
		 check->keyring);
}

/* A function whose link is alive in its namespace: keep or replace. What the kernel can check replaces the same unchecked. */
static int decide_linked(struct step *step)
{
	bool same;

	step->old_fd = pin_current(&step->pin);
	if (step->old_fd < 0)
		return fail(LOAD_PROGRAM_CHANGED, "see `kfn-load inspect`; taking the function out of the plan detaches it",
			    "%s in %s runs program %u, which is not the one pinned", step->pin.function, step->pin.scope,
			    step->pin.link_prog_id);
	if (same_program(step->old_fd, &step->checked, &same))
		return -1;
	step->kind = STEP_REPLACE;
	if (same && (*step->pin.keyring || !step->checked.loaded.check.keyring))
		keep(step);
	return 0;
}

/* Programs of others stay where they are, behind ours. Of ours there is one at a device: another's goes first. */
static int decide_device(struct change *change, struct step *step)
{
	size_t i;

	if (device_check(step->spec, &step->checked, &step->place))
		return -1;
	for (i = change->plan.count; i < change->count; i++)
		if (pin_at(&change->steps[i].pin, &step->place) && change->steps[i].pin.ingress == step->place.ingress)
			change->steps[i].kind = STEP_FREE;
	return 0;
}

/* The hook must be free, or be held by a pin that this change takes off (and then that goes first). */
static int decide_attach(struct change *change, struct step *step)
{
	uint64_t root = netns_root_inode();
	uint32_t id;
	size_t i;

	step->kind = STEP_ATTACH;
	if (step->hook != HOOK_NETNS)
		return decide_device(change, step);
	if (netns_attached(&step->place, &id))
		return -1;
	for (i = change->plan.count; i < change->count; i++) {
		struct step *other = &change->steps[i];
		bool same = pin_at(&other->pin, &step->place);
		bool shadows = (other->pin.netns_inode == root) != (step->place.inode == root);

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

/* A function that is left as it is holds a hook only while it runs. */
static int hook_check(const struct change *change, size_t i)
{
	const struct step *step = &change->steps[i];
	size_t k;

	for (k = 0; k < change->plan.count; k++) {
		const struct step *other = &change->steps[k];
		bool holds = other->why ? other->kind == STEP_LEAVE && step_runs(other) : k < i;

		if (k != i && holds && place_same(&other->place, &step->place))
			return fail(LOAD_HOOK_TAKEN, NULL, "%s in %s and %s in %s need the same hook", other->pin.function,
				    other->pin.scope, step->pin.function, step->pin.scope);
	}
	return 0;
}

static int decide(struct change *change)
{
	size_t i;

	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		if (step->why || !step->spec || step->kind == STEP_NONE)
			continue;
		if (hook_check(change, i) || (step_runs(step) ? decide_linked(step) : decide_attach(change, step)))
			if (leave(step, true))
				return -1;
	}
	return 0;
}

/* What is revoked is taken off where it is, and is left where it is not. */
static int locate_revoked(struct step *step)
{
	if (pin_open(step->spec->function, step->spec->scope, &step->pin))
		return -1;
	step->old_fd = pin_current(&step->pin);
	if (step->pin.link_fd < 0 && step->pin.prog_fd < 0)
		step->kind = STEP_LEAVE;
	return place_exists(step->spec->scope) ? place_open(step->spec->scope, &step->place) : 0;
}

/* Where it is to hang and what hangs there, also of what is left as it is. */
static int locate(struct step *step)
{
	if (!strcmp(step->spec->scope, "none")) {
		step->kind = step->why ? STEP_LEAVE : STEP_NONE;
		return 0;
	}
	if (step->kind == STEP_DETACH)
		return locate_revoked(step);
	if (!step->why && hook_choose(step->checked.variant.program.hook, &step->hook))
		return -1;
	if (pin_open(step->spec->function, step->spec->scope, &step->pin) || place_open(step->spec->scope, &step->place))
		return gone(step);
	step->place.ingress = step->why ? step->pin.ingress : hook_is_ingress(step->checked.variant.program.hook);
	return 0;
}

/* Loads and proves every function of the plan, and looks at its scope. */
static int prepare(struct change *change)
{
	struct proved before = { 0 };
	size_t i;

	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		step->spec = &change->plan.functions[i];
		if (function_check(&before, step->spec, &step->checked)) {
			if (leave(step, false))
				return -1;
			continue;
		}
		before.spec = step->spec;
		before.checked = &step->checked;
	}
	for (i = 0; i < change->plan.count; i++) {
		struct step *step = &change->steps[i];

		if (locate(step) && leave(step, true))
			return -1;
	}
	return 0;
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
		change->steps[i] = (struct step){ .place.fd = -1, .old_fd = -1, .pin = { .link_fd = -1, .prog_fd = -1, .new_fd = -1 } };
	for (i = 0; i < count; i++) {
		if (err || plan_find(&change->plan, pins[i].function, pins[i].scope)) {
			pin_close(&pins[i]);
			continue;
		}
		change->steps[change->count] = (struct step){ .kind = STEP_DETACH, .pin = pins[i], .place.fd = -1 };
		change->steps[change->count].old_fd = pin_current(&pins[i]);
		if (place_exists(pins[i].scope))
			err = place_open(pins[i].scope, &change->steps[change->count].place);
		change->steps[change->count].place.ingress = pins[i].ingress;
		change->count++;
	}
	free(pins);
	return err;
}

static json_t *change_json(const struct change *change)
{
	static const char * const words[] = { [STEP_NONE] = "none", [STEP_KEEP] = "keep", [STEP_REPLACE] = "replace", [STEP_ATTACH] = "attach" };
	json_t *functions = json_array(), *detached = json_array(), *left = json_array();
	size_t i;

	for (i = 0; i < change->count; i++) {
		const struct step *step = &change->steps[i];
		json_t *entry;

		if (!step->spec) {
			if (step->kind != STEP_LEAVE)
				json_array_append_new(detached, json_pack("{s:s, s:s}", "function", step->pin.function,
									  "scope", step->pin.scope));
			continue;
		}
		if (step->why) {
			entry = left_json(step->spec, step->why);
			json_object_set_new(entry, "running", json_boolean(step->kind == STEP_LEAVE && step_runs(step)));
			json_array_append_new(left, entry);
			continue;
		}
		entry = checked_json(step->spec, &step->checked);
		json_object_set_new(entry, "step", json_string(words[step->kind]));
		json_object_set_new(entry, "nanoseconds", json_integer(step->nanoseconds));
		json_array_append_new(functions, entry);
	}
	return json_pack("{s:o, s:o, s:o}", "functions", functions, "detached", detached, "left", left);
}

static void change_free(struct change *change)
{
	size_t i;

	for (i = 0; i < change->count && change->steps; i++) {
		checked_free(&change->steps[i].checked);
		json_decref(change->steps[i].why);
		pin_close(&change->steps[i].pin);
		close_fd(&change->steps[i].place.fd);
	}
	free(change->steps);
	plan_free(&change->plan);
}

/* Takes the plan's content; out: what was done, where it was. */
int plan_apply(const struct plan *plan, json_t **out)
{
	static struct change change;
	int err = 0;

	memset(&change, 0, sizeof(change));
	change.plan = *plan;
	/* Without a bpffs there are no pins, so nothing is active: an empty plan is fulfilled. */
	if (plan->count || bpffs_mounted())
		err = bpffs_check() ?: plan_expand(&change.plan) ?: steps_make(&change) ?: prepare(&change) ?: decide(&change) ?: execute(&change);
	if (!err)
		*out = change_json(&change);
	change_free(&change);
	return err;
}

int cmd_apply(const char *path, char **leave_args, size_t leave_count)
{
	static struct plan plan;
	json_t *done = NULL;

	if (plan_read(path, leave_args, leave_count, &plan)) {
		plan_free(&plan);
		return -1;
	}
	return plan_apply(&plan, &done) ?: answer(done);
}
