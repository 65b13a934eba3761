/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which generation is current, which is good, and how many boots with each did not reach good in a row: var/lib/kfn/boot.json
 * (docs/formats/boot.md). A damaged counter counts nothing: it must not keep a host from what is installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include "kfn-load.h"

#define COUNTER	"/var/lib/kfn/boot.json"

/* The number that a link to generations/<n> names. */
static long long generation_link(const char *name)
{
	static const char prefix[] = "generations/";
	char path[PATH_MAX], target[64];
	const char *digits = target + strlen(prefix);
	ssize_t len;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/%s", root_dir, name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	target[len] = 0;
	if (strncmp(target, prefix, strlen(prefix)) || *digits < '1' || *digits > '9' || strlen(digits) > 9 ||
	    strspn(digits, "0123456789") != strlen(digits))
		return -1;
	return atoll(digits);
}

static bool is_there(long long generation)
{
	json_t *health __json = health_open(generation);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/var/lib/kfn/generations/%lld/plan.json", root_dir, generation);
	return generation > 0 && !access(path, F_OK) && !revoked_in(generation) &&
	       strcmp(json_string_value(json_object_get(health, "state")) ?: "", "bad");
}

static int boot_id_read(char out[37])
{
	struct buf bytes __buf = { 0 };

	if (file_read("/proc/sys/kernel/random/boot_id", 64, &bytes))
		return -1;
	snprintf(out, 37, "%.36s", (const char *)bytes.data);
	return 0;
}

static int unfinished_parse(json_t *list, struct boot_state *out)
{
	json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > 2)
		return -1;
	json_array_foreach(list, i, entry) {
		json_int_t generation, boots;

		if (json_unpack_ex(entry, NULL, JSON_STRICT, "{s:I, s:I}", "generation", &generation, "boots", &boots) ||
		    generation < 1 || boots < 1)
			return -1;
		out->unfinished[out->count].generation = generation;
		out->unfinished[out->count++].boots = boots;
	}
	return 0;
}

/* Without fail(): an absent or damaged counter counts nothing. */
static int counter_parse(const struct buf *bytes, struct boot_state *out)
{
	json_t *root __json = json_loadb((const char *)bytes->data, bytes->len, JSON_REJECT_DUPLICATES, NULL), *list;
	const char *schema, *id;
	json_int_t current, generation, booted;

	if (!root || json_unpack_ex(root, NULL, JSON_STRICT, "{s:s, s:s, s:I, s:I, s:I, s:o}", "schema", &schema,
				    "bootId", &id, "current", &current, "generation", &generation, "booted", &booted,
				    "unfinished", &list))
		return -1;
	if (strcmp(schema, "kfn.boot-counter/1") || strlen(id) != 36 || unfinished_parse(list, out))
		return -1;
	memcpy(out->last_id, id, 37);
	out->last_current = current;
	out->last_generation = generation;
	out->booted = booted;
	return 0;
}

static void counter_read(struct boot_state *out)
{
	struct buf bytes __buf = { 0 };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s" COUNTER, root_dir);
	if (access(path, F_OK))
		return;
	if (file_read(path, 65536, &bytes))
		json_decref(failure_clear());
	else if (counter_parse(&bytes, out))
		out->count = 0;
}

/* A generation that came up at a boot is better known than one that was only watched for a moment on a running host. */
int boot_state_read(struct boot_state *out)
{
	*out = (struct boot_state){ .current = generation_link("current"), .good = generation_link("good") };
	if (boot_id_read(out->boot_id))
		return -1;
	counter_read(out);
	out->fallback = is_there(out->booted) ? out->booted : is_there(out->good) ? out->good : 0;
	return 0;
}

json_t *boot_unfinished_json(const struct boot_state *state)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < state->count; i++)
		json_array_append_new(list, json_pack("{s:I, s:I}", "generation", (json_int_t)state->unfinished[i].generation,
						      "boots", (json_int_t)state->unfinished[i].boots));
	return list;
}

int boot_state_write(const struct boot_state *state)
{
	return state_write(COUNTER, json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "schema", "kfn.boot-counter/1",
					      "bootId", state->boot_id, "current", (json_int_t)state->last_current,
					      "generation", (json_int_t)state->last_generation,
					      "booted", (json_int_t)state->booted, "unfinished", boot_unfinished_json(state)));
}

/* One unfinished boot for being current, one for being the fallback: where both are one, it survives a power cut. */
bool boot_allowed(const struct boot_state *state, long long generation)
{
	long long limit = (generation == state->current) + (generation == state->fallback), boots = 0;
	size_t i;

	for (i = 0; i < state->count; i++)
		if (state->unfinished[i].generation == generation)
			boots = state->unfinished[i].boots;
	return generation > 0 && boots < limit;
}

void boot_uncount(struct boot_state *state, long long generation)
{
	size_t i;

	for (i = 0; i < state->count; i++)
		if (state->unfinished[i].generation == generation)
			state->unfinished[i--] = state->unfinished[--state->count];
}

/* Generations that are neither current nor the fallback any more leave the counter. */
void boot_count(struct boot_state *state, long long generation)
{
	long long boots = 1;
	size_t i;

	for (i = 0; i < state->count; i++) {
		long long other = state->unfinished[i].generation;

		if (other == generation)
			boots = state->unfinished[i].boots + 1;
		if (other == generation || (other != state->current && other != state->fallback))
			state->unfinished[i--] = state->unfinished[--state->count];
	}
	if (generation > 0 && state->count < 2) {
		state->unfinished[state->count].generation = generation;
		state->unfinished[state->count++].boots = boots;
	}
}

/* Held until this process ends. Waits: a command that changes the host at this moment ends within seconds. */
int host_lock(void)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/lock", root_dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno == EROFS || errno == ENOENT ? 0 : fail_errno(LOAD_STATE_UNWRITABLE, errno, "%s", path);
	return flock(fd, LOCK_EX) ? fail_errno(LOAD_INTERNAL, errno, "%s cannot be locked", path) : 0;
}
