/* SPDX-License-Identifier: Apache-2.0 */
/* A generation's health.json (docs/formats/host-state.md), as far as a boot reads and writes it. A mark that cannot be read is none. */
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include "kfn-load.h"

#define MAX_KERNELS	16			/* host/health.ts */

json_t *health_open(long long generation)
{
	struct buf bytes __buf = { 0 };
	char path[PATH_MAX];
	json_t *health;

	snprintf(path, sizeof(path), "%s/var/lib/kfn/generations/%lld/health.json", root_dir, generation);
	if (access(path, F_OK))
		return NULL;
	if (file_read(path, MAX_MANIFEST, &bytes)) {
		json_decref(failure_clear());
		return NULL;
	}
	health = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_integer_value(json_object_get(health, "generation")) == generation)
		return health;
	json_decref(health);
	return NULL;
}

/* The releases on which it was good, this one last. */
static json_t *kernels_json(long long generation)
{
	json_t *health __json = health_open(generation), *kernels = json_array(), *kernel;
	struct utsname host;
	size_t i;

	uname(&host);
	json_array_foreach(json_object_get(health, "kernels"), i, kernel)
		if (strcmp(json_string_value(kernel) ?: host.release, host.release))
			json_array_append(kernels, kernel);
	json_array_append_new(kernels, json_string(host.release));
	while (json_array_size(kernels) > MAX_KERNELS)
		json_array_remove(kernels, 0);
	return kernels;
}

int health_mark(long long generation)
{
	char path[PATH_MAX], when[32];
	struct timeval at;
	size_t len;

	gettimeofday(&at, NULL);
	len = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", gmtime(&at.tv_sec));
	snprintf(when + len, sizeof(when) - len, ".%03dZ", (int)(at.tv_usec / 1000));
	snprintf(path, sizeof(path), "/var/lib/kfn/generations/%lld/health.json", generation);
	return state_write(path, json_pack("{s:s, s:I, s:s, s:s, s:o, s:s, s:s, s:[]}", "schema", "kfn.health/1",
					   "generation", (json_int_t)generation, "state", "good", "at", when,
					   "kernels", kernels_json(generation), "by", "boot", "reason", "a boot with it came up",
					   "counters"));
}
