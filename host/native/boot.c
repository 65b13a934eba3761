/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs at boot, without Node: kill switches, then the counter chooses a generation, then it is proved and attached as
 * `apply` does. Refuses to stop a boot: what cannot be proved gives way to the good generation, then to the rest of its own
 * generation, then to the kernel's own code; docs/formats/boot.md says what is recorded of it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <time.h>
#include "kfn-load.h"

struct boot {
	enum boot_stage stage;
	struct boot_state state;
	const char *off, *why;			/* NULL: not off; decided below */
	long long chosen, generation;
	bool counted;				/* the counter was written before anything was loaded */
	json_t *done, *absent, *refused;	/* what was applied; functions without a namespace; generations that failed */
	json_t *lockdown;			/* NULL: not of this stage */
	uint64_t start;				/* microseconds since the machine started */
};

/* In microseconds, as the record has it. */
static uint64_t now(void)
{
	return now_ns() / 1000;
}

/* `kfn=off` as a whole word, or the operator's file. */
static const char *switched_off(void)
{
	struct buf line __buf = { 0 };
	char path[PATH_MAX], *word, *rest;

	snprintf(path, sizeof(path), "%s/etc/kfn/off", root_dir);
	if (!access(path, F_OK))
		return "file";
	if (file_read("/proc/cmdline", 65536, &line)) {
		json_decref(failure_clear());
		return NULL;
	}
	for (word = strtok_r((char *)line.data, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
		if (!strcmp(word, "kfn=off"))
			return "parameter";
	return NULL;
}

/* Generation 0 is the empty plan. */
static int plan_of(long long generation, struct plan *plan)
{
	char path[PATH_MAX];

	memset(plan, 0, sizeof(*plan));
	if (!generation)
		return 0;
	if (generation < 0)
		return fail(LOAD_FILE_UNREADABLE, "kfn did not write this", "a link names no generation");
	snprintf(path, sizeof(path), "%s/var/lib/kfn/generations/%lld/plan.json", root_dir, generation);
	if (plan_read(path, NULL, 0, plan))
		return -1;
	if (json_integer_value(json_object_get(plan->root, "generation")) != generation)
		return fail(LOAD_PLAN_INVALID, NULL, "the plan of generation %lld says that it is another's", generation);
	return 0;
}

static bool is_netns(const char *text)
{
	struct scope scope;

	return scope_parse(text, &scope) && scope.kind == SCOPE_NETNS;
}

/*
 * Namespaces other than the root one appear later, and a function cannot run without its own. An initramfs carries no bundles of
 * patterns and devices (boot-copy.c).
 */
static json_t *absent_take(enum boot_stage stage, struct plan *plan)
{
	json_t *absent = json_array();
	size_t i, kept = 0;

	for (i = 0; i < plan->count; i++) {
		const struct function_spec *spec = &plan->functions[i];

		if (place_exists(spec->scope) && (stage != BOOT_INITRAMFS || is_netns(spec->scope)))
			plan->functions[kept++] = *spec;
		else
			json_array_append_new(absent, json_pack("{s:s, s:s}", "function", spec->function, "scope", spec->scope));
	}
	plan->count = kept;
	return absent;
}

/* parts: what cannot be proved is left out; otherwise it fails the generation. */
static int attempt(struct boot *boot, long long generation, bool parts)
{
	static struct plan plan;
	json_t *absent = NULL;
	size_t i;

	if (!plan_of(generation, &plan)) {
		absent = absent_take(boot->stage, &plan);
		for (i = 0; i < plan.count; i++) {
			plan.functions[i].may_stay = parts;
			plan.functions[i].may_miss = !scope_is_one(plan.functions[i].scope);
		}
		if (!plan_apply(&plan, &boot->done)) {
			boot->absent = absent;
			boot->generation = generation;
			return 0;
		}
	} else {
		plan_free(&plan);
	}
	json_decref(absent);
	json_array_append_new(boot->refused, json_pack("{s:I, s:b, s:o}", "generation", (json_int_t)generation, "parts", parts,
						       "error", failure_clear()));
	return -1;
}

static void choose(struct boot *boot)
{
	const struct boot_state *state = &boot->state;
	bool same_boot = !strcmp(state->boot_id, state->last_id);

	boot->why = "current";
	if (same_boot && state->last_current == state->current && state->last_generation != state->current) {
		boot->chosen = state->last_generation;
		boot->why = "this-boot";
	} else if (!same_boot && state->current > 0 && !boot_allowed(state, state->current)) {
		boot->chosen = boot_allowed(state, state->fallback) ? state->fallback : 0;
		boot->why = "unfinished";
	} else {
		boot->chosen = state->current;
	}
}

/* Written before anything is loaded: a generation that stops the machine must not get its chance again and again. */
static void count(struct boot *boot)
{
	struct boot_state *state = &boot->state;

	if (strcmp(state->boot_id, state->last_id))
		boot_count(state, boot->chosen);
	state->last_current = state->current;
	state->last_generation = boot->chosen;
	if (folder_make("/var/lib/kfn") || boot_state_write(state))
		json_decref(failure_clear());
	else
		boot->counted = true;
}

/* A generation that was refused stopped nothing: it is not counted, and is tried again. */
static void count_fallback(struct boot *boot)
{
	struct boot_state *state = &boot->state;

	boot->why = "refused";
	if (!boot->counted)
		return;
	boot_uncount(state, boot->chosen);
	boot_count(state, boot->generation);
	state->last_generation = boot->generation;
	if (boot_state_write(state))
		json_decref(failure_clear());
}

static void apply_system(struct boot *boot)
{
	long long good = boot->state.fallback;

	if (good == boot->chosen || !boot_allowed(&boot->state, good))
		good = 0;
	count(boot);
	if ((good && (!attempt(boot, boot->chosen, false) || !attempt(boot, good, false))) ||
	    !attempt(boot, boot->chosen, true) || (good && !attempt(boot, good, true)) || !attempt(boot, 0, false)) {
		if (boot->generation != boot->chosen)
			count_fallback(boot);
	}
}

static bool is_missing(const struct function_spec *spec)
{
	if (!place_exists(spec->scope))
		return false;
	if (!function_runs(spec->function, spec->scope))
		return false;
	json_decref(failure_clear());
	return true;
}

/* Later in the same boot: attaches what is missing, and reads no bundle where nothing is. Never goes to another generation. */
static void apply_again(struct boot *boot)
{
	static struct plan plan;
	bool missing = false;
	size_t i;

	boot->generation = boot->chosen;
	if (!plan_of(boot->chosen, &plan)) {
		namespaces_wait(&plan);
		boot->absent = absent_take(boot->stage, &plan);
		missing = plan_expand(&plan);
		for (i = 0; i < plan.count && !missing; i++)
			missing = is_missing(&plan.functions[i]);
		/* What ended under a pattern needs no program, only its pins gone. */
		if (!missing && !(missing = pins_tidy(&plan)))
			boot->why = "nothing-missing";
	} else {
		missing = true;
	}
	plan_free(&plan);
	if (missing) {
		json_decref(failure_clear());
		json_decref(boot->absent);
		boot->absent = NULL;
		attempt(boot, boot->chosen, true);
	}
}

static void bpffs_mount(void)
{
	char path[PATH_MAX];

	if (bpffs_mounted())
		return;
	/* Where this fails, the generation does, and says that there is no bpffs. */
	if (folder_make("/sys/fs/bpf"))
		json_decref(failure_clear());
	snprintf(path, sizeof(path), "%s/sys/fs/bpf", root_dir);
	mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=700");
}

static int boot_run(struct boot *boot)
{
	if (boot->stage != BOOT_INITRAMFS && host_lock())
		return -1;
	if (boot_state_read(&boot->state))
		return -1;
	boot->off = switched_off();
	if (boot->off) {
		boot->why = "off";
		/* The initramfs may be from before the file. */
		if (boot->stage == BOOT_SYSTEM) {
			attempt(boot, 0, false);
			boot->lockdown = lockdown_boot(true);
		}
		return 0;
	}
	choose(boot);
	if (boot->chosen)
		bpffs_mount();
	if (boot->stage == BOOT_SYSTEM) {
		apply_system(boot);
		boot->lockdown = lockdown_boot(false);
	} else if (boot->stage == BOOT_AGAIN) {
		apply_again(boot);
	} else if (attempt(boot, boot->chosen, true)) {
		boot->why = "refused";
	}
	return 0;
}

static json_t *record_json(struct boot *boot, const char *stage)
{
	struct utsname host;
	time_t at = time(NULL);
	char when[32];
	uint64_t end = now();

	uname(&host);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&at));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I}",
			 "schema", "kfn.boot/1", "stage", stage, "bootId", boot->state.boot_id, "kernel", host.release,
			 "at", when, "off", boot->off, "current", (json_int_t)boot->state.current,
			 "good", (json_int_t)boot->state.good, "booted", (json_int_t)boot->state.booted, "generation", (json_int_t)boot->generation, "why", boot->why,
			 "counted", boot->counted, "unfinished", boot_unfinished_json(&boot->state),
			 "functions", json_incref(json_object_get(boot->done, "functions")) ?: json_array(),
			 "absent", boot->absent ?: json_array(),
			 "left", json_incref(json_object_get(boot->done, "left")) ?: json_array(),
			 "detached", json_incref(json_object_get(boot->done, "detached")) ?: json_array(),
			 "refused", boot->refused, "lockdown", boot->lockdown ?: json_null(), "startMicroseconds", (json_int_t)boot->start,
			 "endMicroseconds", (json_int_t)end);
}

int cmd_boot(enum boot_stage stage)
{
	static const char *const names[] = { "initramfs", "system", "again" };
	struct boot boot = { .stage = stage, .why = "refused", .refused = json_array(), .start = now() };
	json_t *record __json = NULL;
	char path[64];
	bool whole, open;

	if (boot_run(&boot)) {
		json_decref(boot.refused);
		return -1;
	}
	record = record_json(&boot, names[stage]);
	json_decref(boot.done);
	open = json_is_object(json_object_get(json_object_get(record, "lockdown"), "error"));
	whole = !open && !json_array_size(json_object_get(record, "refused")) && !json_array_size(json_object_get(record, "left"));
	snprintf(path, sizeof(path), "/run/kfn/boot/%s.json", names[stage]);
	if (folder_make("/run/kfn/boot") || state_write(path, json_incref(record)))
		return -1;
	if (whole)
		return answer(json_incref(record));
	fail(LOAD_BOOT_INCOMPLETE, "kfn boot status shows what is missing, and why", "generation %lld: %zu functions left out, "
	     "%zu generations refused%s", boot.generation, json_array_size(json_object_get(record, "left")),
	     json_array_size(json_object_get(record, "refused")), open ? ", lockdown failed" : "");
	fail_detail("boot", json_incref(record));
	return -1;
}
