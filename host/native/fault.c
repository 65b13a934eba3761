/* SPDX-License-Identifier: Apache-2.0 */
/* Fault points for tests: KFN_LOAD_FAULT="<point>:kill|fail", once per run. Empty in the loader that is shipped. */
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
	static bool fired;

	if (fired || !wanted || strncmp(wanted, point, len) || wanted[len] != ':')
		return 0;
	fired = true;
	if (!strcmp(wanted + len + 1, "kill"))
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
