/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look at namespaces that come and go needs beside an apply: the wait for one that is being made, and the pins of those
 * that ended. Loads nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step.h"

#define WAIT_NS	2000000000ull

/* A namespace's file on which nothing is mounted yet, or one that a pattern would match then. */
static bool is_unfinished(const char *text)
{
	char path[2 * PATH_MAX];
	struct dirent *entry;
	struct scope scope;
	bool found = false;
	DIR *folder;
	char *begin;

	if (!scope_parse(text, &scope) || !strcmp(scope.netns, ROOT_NETNS))
		return false;
	if (scope.kind != SCOPE_NETNS_PATTERN)
		return !access(scope.netns, F_OK) && !place_exists(text);
	begin = strrchr(scope.netns, '/') + 1;
	snprintf(path, sizeof(path), "%.*s", (int)(begin - scope.netns), scope.netns);
	folder = opendir(path);
	while (folder && !found && (entry = readdir(folder))) {
		struct place place = { .fd = -1 };

		if (*entry->d_name == '.' || strncmp(entry->d_name, begin, strlen(begin)))
			continue;
		snprintf(path, sizeof(path), "%.*s%s", (int)(begin - scope.netns), scope.netns, entry->d_name);
		found = !netns_look(path, &place);
		close_fd(&place.fd);
	}
	if (folder)
		closedir(folder);
	return found;
}

/* `ip netns add` makes the file first and mounts the namespace on it a moment later. */
void namespaces_wait(const struct plan *plan)
{
	struct pollfd mounts = { .fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), .events = POLLPRI };
	uint64_t end = now_ns() + WAIT_NS;
	bool waiting = true;

	while (waiting && now_ns() < end) {
		size_t i;

		waiting = false;
		for (i = 0; i < plan->count; i++)
			waiting |= is_unfinished(plan->functions[i].scope);
		if (waiting)
			poll(&mounts, 1, (int)((end - now_ns()) / 1000000) + 1);
	}
	close_fd(&mounts.fd);
}

/* plan: expanded. What it does not name and whose place is gone has nothing left to do. */
int pins_tidy(const struct plan *plan)
{
	struct pin *pins = NULL;
	size_t count = 0, i;
	int err = bpffs_mounted() ? pin_walk(&pins, &count) : 0;

	for (i = 0; i < count; i++) {
		struct step step = { .kind = STEP_DETACH, .pin = pins[i], .place.fd = -1 };

		if (!err && !plan_find(plan, pins[i].function, pins[i].scope) && !place_exists(pins[i].scope))
			err = step_do(&step);
		pin_close(&step.pin);
	}
	free(pins);
	return err;
}
