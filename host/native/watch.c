/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what running programs answer, from outside: they have no maps of their own. A counter hangs on each program while
 * this process lives, and is never pinned. Changes nothing of what runs; what the kernel does not let it count is null.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"
#include "counter.h"

struct watched {
	const char *function, *scope;
	uint32_t prog_id;
	int prog_fd, map_fd, counter_fd, link_fd;	/* link_fd -1: its answers are not counted */
	struct bpf_prog_info before;
	uint32_t type;
	char reason[160];				/* why not */
};

static int not_counted(struct watched *watched, const char *what, int err)
{
	snprintf(watched->reason, sizeof(watched->reason), "%s: %s", what, strerror(err));
	return -1;
}

/* The BTF of the program's one function: what an fexit names as its target. */
static int target_btf(struct watched *watched, uint32_t *type)
{
	struct bpf_func_info function = { 0 };
	struct bpf_prog_info info = {
		.nr_func_info = 1, .func_info_rec_size = sizeof(function), .func_info = (uintptr_t)&function,
	};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(watched->prog_fd, &info, &len);

	if (err)
		return not_counted(watched, "the program cannot be inspected", -err);
	watched->type = info.type;
	if (!info.btf_id || !info.nr_func_info)
		return not_counted(watched, "the program carries no BTF of its function", ENOENT);
	*type = function.type_id;
	return 0;
}

static int counter_load(struct watched *watched, uint32_t type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT, .attach_btf_id = type,
		    .attach_prog_fd = watched->prog_fd);
	struct bpf_insn insns[COUNTER_INSNS];

	watched->map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kfn_verdicts", sizeof(uint32_t), sizeof(struct verdicts), 1,
					 NULL);
	if (watched->map_fd < 0)
		return not_counted(watched, "the kernel makes no map", -watched->map_fd);
	counter_program(watched->map_fd, watched->type == BPF_PROG_TYPE_FLOW_DISSECTOR ? FLOW_DISSECTOR_CONTINUE : TC_UNSPEC,
			insns);
	watched->counter_fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "kfn_counter", COUNTER_LICENSE, insns, COUNTER_INSNS,
					    &opts);
	if (watched->counter_fd < 0)
		return not_counted(watched, "the kernel does not load the counter", -watched->counter_fd);
	watched->link_fd = bpf_raw_tracepoint_open(NULL, watched->counter_fd);
	if (watched->link_fd < 0)
		return not_counted(watched, "the kernel does not attach the counter", -watched->link_fd);
	return 0;
}

static int watched_open(struct watched *out, const char *function, const char *scope)
{
	struct pin pin;
	uint32_t type, len = sizeof(out->before);
	int err = 0;

	*out = (struct watched){ function, scope, .prog_fd = -1, .map_fd = -1, .counter_fd = -1, .link_fd = -1 };
	if (pin_open(function, scope, &pin))
		return -1;
	out->prog_id = pin.link_prog_id;
	if (!pin.netns_inode)
		err = fail(LOAD_NOT_ACTIVE, NULL, "%s is not active in %s", function, scope);
	pin_close(&pin);
	if (err)
		return err;
	out->prog_fd = bpf_prog_get_fd_by_id(out->prog_id);
	if (out->prog_fd < 0)
		return fail_errno(LOAD_KERNEL_REFUSED, -out->prog_fd, "program %u cannot be opened", out->prog_id);
	if (!target_btf(out, &type))
		counter_load(out, type);
	err = bpf_obj_get_info_by_fd(out->prog_fd, &out->before, &len);
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "program %u cannot be inspected", out->prog_id) : 0;
}

static void watched_close(struct watched *watched)
{
	close_fd(&watched->link_fd);
	close_fd(&watched->counter_fd);
	close_fd(&watched->map_fd);
	close_fd(&watched->prog_fd);
}

static json_t *verdicts_json(const struct watched *watched)
{
	struct verdicts counted;
	uint32_t zero = 0;

	if (watched->link_fd < 0 || bpf_map_lookup_elem(watched->map_fd, &zero, &counted))
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "ok", (json_int_t)counted.ok, "drop", (json_int_t)counted.drop,
			 "continue", (json_int_t)counted.go_on, "other", (json_int_t)counted.other);
}

/* stats_fd -1: the kernel did not count runs for us. */
static json_t *watched_json(const struct watched *watched, int stats_fd)
{
	struct bpf_prog_info now = { 0 };
	uint32_t len = sizeof(now);
	bool counted = stats_fd >= 0 && !bpf_obj_get_info_by_fd(watched->prog_fd, &now, &len);

	return json_pack("{s:s, s:s, s:I, s:o, s:s?, s:o, s:o}", "function", watched->function, "scope", watched->scope,
			 "programId", (json_int_t)watched->prog_id, "verdicts", verdicts_json(watched),
			 "reason", *watched->reason ? watched->reason : NULL,
			 "runs", counted ? json_integer(now.run_cnt - watched->before.run_cnt) : json_null(), "nanoseconds",
			 counted ? json_integer(now.run_time_ns - watched->before.run_time_ns) : json_null());
}

/* From the line that says so until stdin ends: the caller keeps the time, and a caller that is killed ends it, too. */
static int watch(const struct watched *list, size_t count, int stats_fd)
{
	json_t *functions = json_array();
	uint64_t start = now_ns();
	size_t i;

	printf("{\"watching\":%zu}\n", count);
	if (fflush(stdout))
		return fail(LOAD_INTERNAL, NULL, "stdout cannot be written");
	while (getchar() != EOF)
		;
	for (i = 0; i < count; i++)
		json_array_append_new(functions, watched_json(&list[i], stats_fd));
	return answer(json_pack("{s:o, s:I}", "functions", functions, "milliseconds", (json_int_t)((now_ns() - start) / 1000000)));
}

/* A pattern stands for what is pinned under it now. */
static int watched_add(struct watched **list, size_t *count, const char *function, const char *scope)
{
	struct watched *grown = realloc(*list, (*count + 1) * sizeof(**list));

	if (!grown)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	*list = grown;
	return watched_open(&grown[(*count)++], function, scope);
}

static int watched_all(struct watched **list, size_t *count, json_t *names, const char *function, const char *scope)
{
	struct pin *pins = NULL;
	size_t total = 0, i;
	int err;

	if (!is_name(function) || !is_scope(scope))
		return fail(LOAD_USAGE, NULL, "`%s` in `%s` is not a function in a scope", function, scope);
	if (scope_is_one(scope))
		return watched_add(list, count, function, scope);
	err = pin_walk(&pins, &total);
	for (i = 0; i < total; i++) {
		if (!err && pins[i].netns_inode && !strcmp(pins[i].function, function) && scope_covers(scope, pins[i].scope)) {
			json_array_append_new(names, json_string(pins[i].scope));
			err = watched_add(list, count, function,
					  json_string_value(json_array_get(names, json_array_size(names) - 1)));
		}
		pin_close(&pins[i]);
	}
	free(pins);
	return err;
}

int cmd_watch(char **args, size_t count)
{
	json_t *names __json = json_array();
	struct watched *list = NULL;
	int stats_fd __close = -1;
	size_t opened = 0, i;
	int err = bpffs_check();

	if (!err)
		stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	for (i = 0; i < count && !err; i++)
		err = watched_all(&list, &opened, names, args[2 * i], args[2 * i + 1]);
	err = err ?: watch(list, opened, stats_fd);
	while (opened)
		watched_close(&list[--opened]);
	free(list);
	return err;
}
