/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what runs: a second copy of each function is verified and loaded from the store with the plan's parameters, and
 * compared with the program that the link in the scope runs, whatever is pinned. Attaches nothing, and never guesses:
 * where the kernel does not show enough, the answer is "unknown".
 */
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

/* The program that the link runs, whatever is pinned beside it. */
static int running_open(const struct function_spec *spec)
{
	struct place place;
	struct pin pin;
	int fd = -1;

	if (place_open(spec->scope, &place))
		return -1;
	close_fd(&place.fd);
	if (pin_open(spec->function, spec->scope, &pin))
		return -1;
	if (!pin_at(&pin, &place))
		fail(LOAD_NOT_ACTIVE, NULL, "%s is not active in %s", spec->function, spec->scope);
	else if ((fd = bpf_prog_get_fd_by_id(pin.link_prog_id)) < 0)
		fail_errno(LOAD_KERNEL_REFUSED, -fd, "program %u cannot be opened", pin.link_prog_id);
	pin_close(&pin);
	return fd;
}

static int images_read(struct proved *before, const struct function_spec *spec, struct image **running, struct image **copy)
{
	struct checked checked = { 0 };
	int fd __close = running_open(spec);
	int err = fd < 0 || !(*running = image_read(fd)) ? -1 : function_check(before, spec, &checked);

	if (!err && !(*copy = image_read(checked.loaded.prog_fd)))
		err = -1;
	if (err)
		checked_free(&checked);
	else
		proved_keep(before, spec, &checked);
	return err;
}

static int one_prove(struct proved *before, const struct function_spec *spec, json_t *functions)
{
	struct image *running = NULL, *copy = NULL;
	const char *proof = "unknown", *reason = NULL;
	json_t *why __json = NULL;

	if (!strcmp(spec->scope, "none"))
		reason = "it is never attached, and runs only as a test";
	else if (!images_read(before, spec, &running, &copy))
		proof = image_compare(running, copy, &reason);
	else if (!(why = failure_take()))
		return -1;
	json_array_append_new(functions, json_pack("{s:s, s:s, s:s*, s:s, s:s?, s:o, s:o, s:O?}", "function", spec->function,
						   "scope", spec->scope, "planned", planned_otherwise(spec), "proof", proof, "reason", reason,
						   "running", image_json(running), "copy", image_json(copy), "error", why));
	image_free(running);
	image_free(copy);
	return 0;
}

int cmd_prove(const char *path)
{
	json_t *functions __json = json_array();
	struct proved before = { 0 };
	static struct plan plan;
	int err = plan_read(path, NULL, 0, &plan) ?: bpffs_check() ?: plan_expand(&plan);
	size_t i;

	for (i = 0; !err && i < plan.count; i++)
		err = one_prove(&before, &plan.functions[i], functions);
	checked_free(&before.own);
	plan_free(&plan);
	return err ?: answer(json_pack("{s:O}", "functions", functions));
}
