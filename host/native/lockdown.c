/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kfn-load lockdown`: makes the kernel let in, or only notice, what etc/kfn/lockdown.json says (docs/formats/lockdown.md), and tells
 * what it let in and what not. Refuses another root than the machine's: there is one kernel, and this is about all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "lockdown-kernel.h"

#define POLICY		"etc/kfn/lockdown.json"
#define MAX_POLICY	65536
#define MAX_ALLOWED	(LOCKDOWN_EXECUTABLES - 2)
#define PACKAGED	"/usr/lib/kfn/kfn-load"

static const char *const modes[] = { [LOCKDOWN_OFF] = "off", [LOCKDOWN_AUDIT] = "audit", [LOCKDOWN_ENFORCE] = "enforce" };

struct policy {
	json_t *root, *allow;			/* root owns allow; NULL: there is no file */
	enum lockdown_mode mode;
};

static int policy_invalid(const char *what)
{
	return fail(LOAD_LOCKDOWN_INVALID, "kfn lockdown disable, and then enable it again", "%s: %s", POLICY, what);
}

static int allow_check(json_t *allow)
{
	json_t *entry;
	size_t i;

	if (json_array_size(allow) > MAX_ALLOWED)
		return policy_invalid("too many executables");
	json_array_foreach(allow, i, entry)
		if (!json_is_string(entry) || *json_string_value(entry) != '/' || !is_text(json_string_value(entry), PATH_MAX - 1))
			return policy_invalid("an executable is not named by an absolute path");
	return 0;
}

static int policy_read(struct policy *out)
{
	struct buf bytes __buf = { 0 };
	const char *schema, *mode;
	char path[PATH_MAX];

	*out = (struct policy){ 0 };
	snprintf(path, sizeof(path), "%s/" POLICY, root_dir);
	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	if (file_read(path, MAX_POLICY, &bytes) || !(out->root = json_open(&bytes, LOAD_LOCKDOWN_INVALID, POLICY)) ||
	    unpack(LOAD_LOCKDOWN_INVALID, POLICY, out->root, "{s:s, s:s, s:o}", "schema", &schema, "mode", &mode, "allow", &out->allow))
		return -1;
	if (strcmp(schema, "kfn.lockdown/1") || !json_is_array(out->allow))
		return policy_invalid("not of schema kfn.lockdown/1");
	for (; out->mode <= LOCKDOWN_ENFORCE; out->mode++)
		if (!strcmp(mode, modes[out->mode]))
			return allow_check(out->allow);
	return policy_invalid("mode is not off, audit or enforce");
}

/* The executables that may load: kfn-load as it runs and as it is installed, then those of the file. */
struct executables {
	size_t count;
	bool self;				/* the first, which is this program, is let in */
	struct lockdown_file files[LOCKDOWN_EXECUTABLES];
	json_t *list;
};

/* Why a file may not be let in; NULL: it may. admit: it is. */
static const char *executable_look(const struct lockdown *lockdown, const char *path, bool admit, struct executables *out, bool *admitted)
{
	int fd __close = open(path, O_PATH | O_CLOEXEC);
	struct lockdown_question asked;
	uint32_t yes = 1, value;

	if (fd < 0)
		return strerror(errno);
	if (lockdown_learn(lockdown, fd, &asked)) {
		json_decref(failure_clear());
		return "the kernel does not say how it knows this file";
	}
	if (!S_ISREG(asked.mode) || asked.uid || (asked.mode & 022))
		return "not a file that only root may write";
	if (admit && out->count < LOCKDOWN_EXECUTABLES && !bpf_map_update_elem(lockdown->fd[LOCKDOWN_FILES], &asked.file, &yes, BPF_ANY))
		out->files[out->count++] = asked.file;
	*admitted = !bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_FILES], &asked.file, &value);
	return *admitted ? NULL : "another file stands there than the one that was let in";
}

static void executable_add(const struct lockdown *lockdown, const char *path, bool admit, struct executables *out)
{
	const char *reason, *shown = path;
	char self[PATH_MAX] = "kfn-load";
	bool admitted = false;

	reason = executable_look(lockdown, path, admit, out, &admitted);
	if (!json_array_size(out->list)) {
		ssize_t len = readlink(path, self, sizeof(self) - 1);

		self[len < 0 ? strlen(self) : (size_t)len] = 0;
		plain(self);
		shown = self;
		out->self = admitted;
	}
	json_array_append_new(out->list, json_pack("{s:s, s:b, s:s?}", "path", shown, "admitted", admitted, "reason", reason));
}

static void executables_all(const struct lockdown *lockdown, const struct policy *policy, bool admit, struct executables *out)
{
	json_t *entry;
	size_t i;

	*out = (struct executables){ .list = json_array() };
	executable_add(lockdown, "/proc/self/exe", admit, out);
	if (!access(PACKAGED, F_OK))
		executable_add(lockdown, PACKAGED, admit, out);
	json_array_foreach(policy->allow, i, entry)
		executable_add(lockdown, json_string_value(entry), admit, out);
}

static bool is_among(const struct executables *wanted, const struct lockdown_file *file)
{
	size_t i;

	for (i = 0; i < wanted->count; i++)
		if (!memcmp(&wanted->files[i], file, sizeof(*file)))
			return true;
	return false;
}

/* An inode that was let in once may be another file's by now. */
static void executables_prune(const struct lockdown *lockdown, const struct executables *wanted)
{
	struct lockdown_file stale[LOCKDOWN_EXECUTABLES], file;
	const void *before = NULL;
	size_t count = 0;

	while (count < LOCKDOWN_EXECUTABLES && !bpf_map_get_next_key(lockdown->fd[LOCKDOWN_FILES], before, &file)) {
		before = &file;
		if (!is_among(wanted, &file))
			stale[count++] = file;
	}
	while (count)
		bpf_map_delete_elem(lockdown->fd[LOCKDOWN_FILES], &stale[--count]);
}

static int executables_admit(const struct lockdown *lockdown, const struct policy *policy)
{
	struct executables wanted;
	int err = 0;

	executables_all(lockdown, policy, true, &wanted);
	if (wanted.self)
		executables_prune(lockdown, &wanted);
	else
		err = fail(LOAD_LOCKDOWN_FILE, "install kfn's package, or give the file to root alone (chown root, chmod go-w)",
			   "this kfn-load cannot be let in by its file: %s",
			   json_string_value(json_object_get(json_array_get(wanted.list, 0), "reason")));
	json_decref(wanted.list);
	return err;
}

static int settings_put(const struct lockdown *lockdown, const struct policy *policy, uint64_t since)
{
	struct lockdown_settings settings = { .mode = policy->mode, .version = LOCKDOWN_VERSION, .since = since };
	uint32_t zero = 0;
	int err = bpf_map_update_elem(lockdown->fd[LOCKDOWN_SETTINGS], &zero, &settings, BPF_ANY);

	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "lockdown: the mode cannot be set") : 0;
}

static int settings_get(const struct lockdown *lockdown, struct lockdown_settings *out)
{
	uint32_t zero = 0;
	int err = bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_SETTINGS], &zero, out);

	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "lockdown: the mode cannot be read") : 0;
}

static int turn_on(const struct policy *policy, uint64_t since)
{
	struct lockdown lockdown = LOCKDOWN_NONE;
	int err = bpffs_check() ?: lockdown_load(&lockdown) ?: executables_admit(&lockdown, policy) ?:
		  settings_put(&lockdown, policy, since) ?: lockdown_attach(&lockdown);

	lockdown_close(&lockdown);
	return err;
}

/* An upgraded kfn-load has another inode: it is let in through the maps, which is no load, before it loads a newer program. */
static int turn(const struct policy *policy)
{
	struct lockdown lockdown = LOCKDOWN_NONE;
	struct lockdown_settings settings = { .since = now_ns() };
	bool on;
	int err;

	if (policy->mode == LOCKDOWN_OFF)
		return lockdown_remove();
	if (lockdown_open(&lockdown))
		return -1;
	on = lockdown.fd[LOCKDOWN_LINK] >= 0;
	err = on ? settings_get(&lockdown, &settings) ?: executables_admit(&lockdown, policy) : 0;
	if (!err && on && settings.version == LOCKDOWN_VERSION)
		err = settings_put(&lockdown, policy, settings.since);
	else if (!err)
		err = turn_on(policy, settings.since);
	lockdown_close(&lockdown);
	return err;
}

/* In Unix seconds, of CLOCK_MONOTONIC. */
static json_int_t when(uint64_t ns)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	return (at.tv_sec * 1000000000ll + at.tv_nsec - (json_int_t)(now_ns() - ns)) / 1000000000;
}

static json_t *refusal_json(struct lockdown_refusal *refusal)
{
	const char *type = libbpf_bpf_prog_type_str(refusal->type);
	char number[16];

	snprintf(number, sizeof(number), "%u", refusal->type);
	plain(refusal->comm);
	plain(refusal->name);
	plain(refusal->executable);
	return json_pack("{s:I, s:I, s:i, s:i, s:s, s:s, s:s, s:s, s:b}", "number", (json_int_t)refusal->number, "at", when(refusal->at),
			 "pid", refusal->pid, "uid", refusal->uid, "command", refusal->comm, "executable", refusal->executable,
			 "type", type ?: number, "name", refusal->name, "denied", refusal->enforced);
}

/* Oldest first. One that is being overwritten while it is read has another number than its place, and is left out. */
static json_t *refusals_json(const struct lockdown *lockdown, uint64_t refused)
{
	uint64_t number = refused > LOCKDOWN_REFUSALS ? refused - LOCKDOWN_REFUSALS : 0;
	json_t *list = json_array();

	for (; number < refused; number++) {
		uint32_t slot = number % LOCKDOWN_REFUSALS;
		struct lockdown_refusal refusal;

		if (!bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_LOG], &slot, &refusal) && refusal.number == number + 1)
			json_array_append_new(list, refusal_json(&refusal));
	}
	return list;
}

static json_t *counts_json(const struct lockdown_counts *counts)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "bySignature", (json_int_t)counts->by_signature, "byExecutable",
			 (json_int_t)counts->by_executable, "byKernel", (json_int_t)counts->by_kernel, "refused",
			 (json_int_t)counts->refused);
}

static json_t *state_json(const struct lockdown *lockdown, const struct policy *policy)
{
	static const char *const possible[] = { [HAVE_NO] = "no", [HAVE_YES] = "yes", [HAVE_UNKNOWN] = "unknown" };
	bool on = lockdown->fd[LOCKDOWN_LINK] >= 0;
	struct lockdown_settings settings = { 0 };
	struct lockdown_counts counts = { 0 };
	struct executables files = { 0 };
	uint32_t zero = 0;

	if (on) {
		if (settings_get(lockdown, &settings))
			return NULL;
		bpf_map_lookup_elem(lockdown->fd[LOCKDOWN_COUNTS], &zero, &counts);
		executables_all(lockdown, policy, false, &files);
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "possible", possible[lockdown_possible()],
			 "mode", modes[settings.mode <= LOCKDOWN_ENFORCE ? settings.mode : LOCKDOWN_OFF], "configured", modes[policy->mode],
			 "since", on ? json_integer(when(settings.since)) : json_null(), "counts", counts_json(&counts),
			 "executables", files.list ?: json_array(), "refusals", refusals_json(lockdown, counts.refused));
}

static int state_answer(const struct policy *policy)
{
	struct lockdown lockdown = LOCKDOWN_NONE;
	json_t *state = NULL;

	if (!lockdown_open(&lockdown))
		state = state_json(&lockdown, policy);
	lockdown_close(&lockdown);
	return state ? answer(state) : -1;
}

int cmd_lockdown(const char *verb)
{
	struct policy policy = { 0 };
	int err = 0;

	if (!strcmp(verb, "apply")) {
		if (*root_dir)
			return fail(LOAD_USAGE, "leave --root and KFN_ROOT out",
				    "lockdown is about the machine's one kernel, not about a folder");
		err = policy_read(&policy) ?: turn(&policy);
	} else if (!strcmp(verb, "off")) {
		err = lockdown_remove();
	} else {
		err = policy_read(&policy);
	}
	err = err ?: state_answer(&policy);
	json_decref(policy.root);
	return err;
}

/* At boot: nothing of it stops the boot; what went wrong is in the record. */
json_t *lockdown_boot(bool off)
{
	struct policy policy = { 0 };
	json_t *error = NULL;

	if (*root_dir)
		return json_null();
	if (off ? lockdown_remove() : policy_read(&policy) ?: turn(&policy))
		error = failure_clear();
	json_decref(policy.root);
	return json_pack("{s:s, s:o}", "mode", modes[error || off ? LOCKDOWN_OFF : policy.mode], "error", error ?: json_null());
}
