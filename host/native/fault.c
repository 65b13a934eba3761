/* SPDX-License-Identifier: Apache-2.0 */
/* Fault points for tests: KFN_LOAD_FAULT="<point>:kill|fail[:N]", once per run, at the Nth passing. Empty in the loader that is shipped. */
#include "kfn-load.h"

#ifdef KFN_FAULTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which a run passes them; docs/formats/loader.md says what each leaves behind. */
static const char * const points[] = {
	"verified", "loaded", "vectors",
	"settled", "pinned-new", "linked", "renamed",
	"prog-pinned", "attached", "link-pinned",
	"detached", "unpinned",
};

int fault(const char *point)
{
	const char *wanted = getenv("KFN_LOAD_FAULT");
	size_t len = strlen(point);
	static int passed;
	const char *nth;

	if (!wanted || strncmp(wanted, point, len) || wanted[len] != ':')
		return 0;
	nth = strchr(wanted + len + 1, ':');
	if (++passed != (nth ? atoi(nth + 1) : 1))
		return 0;
	if (!strncmp(wanted + len + 1, "kill", 4))
		raise(SIGKILL);
	return fail(LOAD_FAULT, NULL, "fault point %s", point);
}

json_t *faults_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		json_array_append_new(list, json_string(points[i]));
	return json_pack("{s:o}", "faults", list);
}
#else
typedef int fault_points_are_not_built;
#endif
