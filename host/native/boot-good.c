/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine came up: takes the generation of this boot out of the counter, and calls it good where all of it was loaded and
 * it is still the current one. Refuses where something that this boot attached does not run any more.
 */
#include <stdio.h>
#include <string.h>
#include "kfn-load.h"

#define RECORD "/run/kfn/boot/system.json"

static json_t *record_open(const struct boot_state *state)
{
	struct buf bytes __buf = { 0 };
	char path[PATH_MAX];
	json_t *record;

	snprintf(path, sizeof(path), "%s" RECORD, root_dir);
	if (file_read(path, MAX_PLAN, &bytes))
		return NULL;
	record = json_open(&bytes, LOAD_FILE_UNREADABLE, path);
	if (record && strcmp(json_string_value(json_object_get(record, "bootId")) ?: "", state->boot_id)) {
		fail(LOAD_FILE_UNREADABLE, NULL, "%s is of another boot", path);
		json_decref(record);
		return NULL;
	}
	return record;
}

/* all: every function of the generation that has a namespace was loaded. */
static int record_check(json_t *record, long long *generation, bool *all)
{
	json_t *entry;
	size_t i;

	*generation = json_integer_value(json_object_get(record, "generation"));
	*all = !json_array_size(json_object_get(record, "left"));
	json_array_foreach(json_object_get(record, "functions"), i, entry) {
		const char *scope = json_string_value(json_object_get(entry, "scope")) ?: "";

		/* One of many may have ended meanwhile. */
		if (json_object_get(entry, "planned") && !place_exists(scope))
			continue;
		if (function_runs(json_string_value(json_object_get(entry, "function")) ?: "", scope))
			return -1;
	}
	return 0;
}

int cmd_boot_good(void)
{
	struct boot_state state;
	json_t *record __json = NULL;
	long long generation;
	char target[64];
	bool all, good;

	if (host_lock() || boot_state_read(&state))
		return -1;
	record = record_open(&state);
	if (!record)
		return -1;
	/* After a change since, what runs is another generation, and that one's own health decides. */
	if (state.current == state.last_current && record_check(record, &generation, &all))
		return -1;
	if (state.current != state.last_current) {
		generation = state.last_generation;
		all = false;
	}
	good = all && generation > 0 && generation == state.current;
	snprintf(target, sizeof(target), "generations/%lld", generation);
	if (good && (health_mark(generation) || (state.good != generation && state_link("/var/lib/kfn/good", target))))
		return -1;
	boot_uncount(&state, generation);
	if (all && generation > 0)
		state.booted = generation;
	if (!json_string_length(json_object_get(record, "off")) && boot_state_write(&state))
		return -1;
	return answer(json_pack("{s:I, s:b}", "generation", (json_int_t)generation, "good", good));
}
