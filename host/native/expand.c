/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scopes of a plan mean now: every entry becomes the places that it covers, each a function_spec of its own. The plan
 * says what shall be, so that this is looked up again at each loading. What is more exact goes first: a name before a pattern
 * or a driver, a driver before a bus. Leaves out what is gone, and what no scope can spell.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kfn-load.h"

struct instance {
	size_t entry;				/* of the plan */
	const char *scope;
	uint64_t inode;				/* 0: it is gone */
	uint32_t ifindex;
};

struct expansion {
	const struct plan *plan;
	unsigned char rank[MAX_FUNCTIONS];	/* of each entry; 0: one place, in the operator's own words */
	json_t *names;				/* owns the scopes of instances */
	size_t count;
	struct instance found[MAX_FUNCTIONS];
};

static unsigned char rank_of(const char *text)
{
	struct scope scope;

	scope_parse(text, &scope);
	return scope.kind == SCOPE_DEV_BUS ? 2 : scope.kind == SCOPE_NETNS_PATTERN || scope.kind == SCOPE_DEV_DRIVER;
}

/* By this entry under another name, or by one that is more exact. Two equals are a conflict, for whoever attaches them. */
static bool taken(const struct expansion *all, const struct instance *one)
{
	const struct plan *plan = all->plan;
	size_t i;

	for (i = 0; i < all->count; i++) {
		const struct instance *other = &all->found[i];

		if (!one->inode || other->inode != one->inode || other->ifindex != one->ifindex)
			continue;
		if (other->entry == one->entry)
			return true;
		if (!strcmp(plan->functions[other->entry].function, plan->functions[one->entry].function) &&
		    all->rank[other->entry] < all->rank[one->entry])
			return true;
	}
	return false;
}

static int found_add(struct expansion *all, struct instance one)
{
	if (all->count == MAX_FUNCTIONS)
		return fail(LOAD_PLAN_INVALID, "name fewer namespaces or devices", "the plan: its scopes match more than %d places",
			    MAX_FUNCTIONS);
	all->found[all->count++] = one;
	return 0;
}

/* Where of two names for one place one has the pins, that one is its name: nothing must be taken off for a new name. */
static bool is_pinned(const char *function, const struct instance *one)
{
	const struct place place = { .fd = -1, .inode = one->inode, .ifindex = one->ifindex };
	struct pin pin;
	bool pinned;

	if (pin_open(function, one->scope, &pin)) {
		json_decref(failure_clear());
		return false;
	}
	pinned = pin_at(&pin, &place);
	pin_close(&pin);
	return pinned;
}

static int instances_add(struct expansion *all, const struct instance *list, size_t count)
{
	const char *function = count ? all->plan->functions[list->entry].function : NULL;
	size_t i, pinned;

	for (pinned = 2; pinned-- > 0;)
		for (i = 0; i < count; i++)
			if (!taken(all, &list[i]) && is_pinned(function, &list[i]) == pinned && found_add(all, list[i]))
				return -1;
	return 0;
}

/* NULL: no scope can say this name, so that nothing could be pinned for it. */
static const char *name_keep(json_t *names, const char *scope)
{
	if (!scope_is_one(scope) || json_array_append_new(names, json_string(scope)))
		return NULL;
	return json_string_value(json_array_get(names, json_array_size(names) - 1));
}

static int visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

/* The root namespace has one name, and a second one in the folder does not make it one of many. */
static size_t namespaces_match(json_t *names, const struct scope *pattern, size_t entry, struct instance **out)
{
	char folder[MAX_SCOPE + 1], path[2 * PATH_MAX];
	const char *begin = strrchr(pattern->netns, '/') + 1;
	uint64_t root = netns_root_inode();
	struct dirent **files;
	size_t count = 0;
	int total, i;

	snprintf(folder, sizeof(folder), "%.*s", (int)(begin - pattern->netns), pattern->netns);
	total = scandir(folder, &files, visible, alphasort);
	*out = total > 0 ? calloc(total, sizeof(**out)) : NULL;
	for (i = 0; i < total; i++) {
		struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
		const char *scope;

		snprintf(path, sizeof(path), "netns:%s%s", folder, files[i]->d_name);
		scope = strncmp(files[i]->d_name, begin, strlen(begin)) ? NULL : name_keep(names, path);
		if (*out && scope && place_look(scope, &place) && place.inode != root)
			(*out)[count++] = (struct instance){ entry, scope, place.inode, 0 };
		free(files[i]);
	}
	if (total >= 0)
		free(files);
	return count;
}

static bool is_wanted(const struct scope *scope, const struct device *device)
{
	return !strcmp(scope->kind == SCOPE_DEV_DRIVER ? device->driver : device->bus, scope->name);
}

/* Without the namespace, the entry stands for itself: whoever attaches it says that it is gone. */
static int devices_match(json_t *names, const struct function_spec *spec, const struct scope *scope, size_t entry,
			 struct instance **out, size_t *count)
{
	struct place netns __attribute__((cleanup(place_close))) = { .fd = -1 };
	bool root = !strcmp(scope->netns, ROOT_NETNS);
	struct device *devices = NULL;
	char text[2 * MAX_SCOPE];
	size_t total = 0, i;

	if (!netns_look(scope->netns, &netns)) {
		*out = calloc(1, sizeof(**out));
		if (*out)
			(*out)[(*count)++] = (struct instance){ entry, spec->scope, 0, 0 };
	} else if (!devices_list(&netns, &devices, &total)) {
		*out = calloc(total + 1, sizeof(**out));
	} else {
		free(devices);
		return -1;
	}
	for (i = 0; *out && i < total; i++) {
		const char *one;

		snprintf(text, sizeof(text), "dev:%s%s%s", devices[i].name, root ? "" : "@", root ? "" : scope->netns);
		one = is_wanted(scope, &devices[i]) ? name_keep(names, text) : NULL;
		if (one)
			(*out)[(*count)++] = (struct instance){ entry, one, netns.inode, devices[i].ifindex };
	}
	free(devices);
	return *out ? 0 : fail(LOAD_INTERNAL, NULL, "out of memory");
}

static int entry_match(json_t *names, const struct function_spec *spec, size_t entry, struct instance **out, size_t *count)
{
	struct scope scope;

	*out = NULL;
	*count = 0;
	scope_parse(spec->scope, &scope);
	if (scope.kind == SCOPE_DEV_DRIVER || scope.kind == SCOPE_DEV_BUS)
		return devices_match(names, spec, &scope, entry, out, count);
	*count = namespaces_match(names, &scope, entry, out);
	return 0;
}

static int exact_add(struct expansion *all, size_t entry)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	const char *scope = all->plan->functions[entry].scope;

	/* Where it is gone it stands for itself: whoever attaches it says so. */
	place_look(scope, &place);
	return found_add(all, (struct instance){ entry, scope, place.inode, place.ifindex });
}

static int expand(struct expansion *all)
{
	struct instance *list;
	size_t i, count;
	int rank, err;

	for (i = 0; i < all->plan->count; i++)
		all->rank[i] = rank_of(all->plan->functions[i].scope);
	for (rank = 0; rank <= 2; rank++)
		for (i = 0; i < all->plan->count; i++) {
			if (all->rank[i] != rank)
				continue;
			if (!rank) {
				if (exact_add(all, i))
					return -1;
				continue;
			}
			err = entry_match(all->names, &all->plan->functions[i], i, &list, &count) ?: instances_add(all, list, count);
			free(list);
			if (err)
				return -1;
		}
	return 0;
}

static int by_entry(const void *a, const void *b)
{
	const struct instance *one = a, *other = b;

	return one->entry != other->entry ? (one->entry < other->entry ? -1 : 1) : strcmp(one->scope, other->scope);
}

int plan_expand(struct plan *plan)
{
	static struct function_spec functions[MAX_FUNCTIONS];
	static struct expansion all;
	size_t i;

	all.plan = plan;
	all.count = 0;
	all.names = plan->names = plan->names ?: json_array();
	if (expand(&all))
		return -1;
	qsort(all.found, all.count, sizeof(*all.found), by_entry);
	for (i = 0; i < all.count; i++) {
		functions[i] = plan->functions[all.found[i].entry];
		functions[i].scope = all.found[i].scope;
	}
	memcpy(plan->functions, functions, all.count * sizeof(*functions));
	plan->count = all.count;
	return 0;
}

static json_t *instance_json(const struct instance *one)
{
	return json_pack("{s:s, s:I, s:o}", "scope", one->scope, "netnsInode", (json_int_t)one->inode, "ifindex",
			 one->ifindex ? json_integer(one->ifindex) : json_null());
}

/* What one scope means by itself: what else a plan has is not looked at. */
static json_t *scope_json(const char *text)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	json_t *names __json = json_array(), *instances = json_array(), *problem = json_null();
	const struct function_spec spec = { .scope = text };
	struct instance *list = NULL;
	size_t count = 0, i;
	int err = 0;

	if (!rank_of(text))
		err = place_open(text, &place) ?: json_array_append_new(instances, instance_json(&(struct instance){
			.scope = text, .inode = place.inode, .ifindex = place.ifindex }));
	else
		err = entry_match(names, &spec, 0, &list, &count);
	for (i = 0; !err && i < count; i++)
		err = list[i].inode ? json_array_append_new(instances, instance_json(&list[i])) : place_open(text, &place);
	if (err)
		problem = failure_clear();
	free(list);
	return json_pack("{s:s, s:o, s:o}", "scope", text, "instances", instances, "problem", problem);
}

int cmd_scopes(char **scopes, size_t count)
{
	json_t *list __json = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		if (!is_scope(scopes[i]) || json_array_append_new(list, scope_json(scopes[i])))
			return fail(LOAD_USAGE, NULL, "`%s` is not a scope", scopes[i]);
	}
	return answer(json_pack("{s:O}", "scopes", list));
}
