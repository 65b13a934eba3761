/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what runs: a second copy of each function is verified and loaded from the store with the plan's parameters, and
 * compared with the program that the link in the scope runs, whatever is pinned. Attaches nothing, and never guesses:
 * where the kernel does not show enough, the answer is "unknown".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

#define HARDEN "/proc/sys/net/core/bpf_jit_harden"

/* A loaded program as far as the kernel shows it. */
struct image {
	struct bpf_prog_info info;
	unsigned char *insns;			/* after the verifier; NULL: not shown */
};

static int image_read(int fd, struct image *out)
{
	struct bpf_prog_info sizes = { 0 };
	uint32_t len = sizeof(sizes);
	int err = bpf_obj_get_info_by_fd(fd, &sizes, &len);

	*out = (struct image){ 0 };
	if (!err && sizes.xlated_prog_len && sizes.xlated_prog_len <= MAX_FILE)
		out->insns = malloc(sizes.xlated_prog_len);
	if (out->insns) {
		out->info.xlated_prog_len = sizes.xlated_prog_len;
		out->info.xlated_prog_insns = (uintptr_t)out->insns;
	}
	len = sizeof(out->info);
	err = err ?: bpf_obj_get_info_by_fd(fd, &out->info, &len);
	/* The kernel clears the pointer where it must not show constants that it blinded (kernel/bpf/syscall.c). */
	if (err || !out->info.xlated_prog_insns) {
		free(out->insns);
		out->insns = NULL;
	}
	return err ? fail_errno(LOAD_KERNEL_REFUSED, -err, "a program cannot be inspected") : 0;
}

static json_t *image_json(const struct image *image)
{
	if (!image->info.id)
		return json_null();
	return json_pack("{s:I, s:o, s:I, s:I, s:I}", "id", (json_int_t)image->info.id,
			 "kernelTag", hex_json(image->info.tag, KERNEL_TAG_SIZE),
			 "xlatedBytes", (json_int_t)image->info.xlated_prog_len,
			 "jitedBytes", (json_int_t)image->info.jited_prog_len, "maps", (json_int_t)image->info.nr_map_ids);
}

/* With 2, every load gets constants of its own, so that two copies of one program differ after the verifier. */
static bool constants_blinded(void)
{
	char value[8] = "";
	FILE *file = fopen(HARDEN, "re");
	bool blinded = file && fgets(value, sizeof(value), file) && *value == '2';

	if (file)
		fclose(file);
	return blinded;
}

/* The tag covers the instructions with map addresses zeroed; what they became after the verifier is compared byte by byte. */
static const char *compare(const struct image *running, const struct image *copy, const char **reason)
{
	*reason = NULL;
	if (running->info.type != copy->info.type)
		*reason = "it is of another program type";
	else if (running->info.nr_map_ids)
		*reason = "it uses maps, and the function has none";
	else if (memcmp(running->info.tag, copy->info.tag, KERNEL_TAG_SIZE))
		*reason = "its kernel tag is another one";
	if (*reason)
		return "differs";
	if (!running->insns || !copy->insns) {
		*reason = "the tags are equal, but the kernel does not show the instructions";
		return "unknown";
	}
	if (running->info.xlated_prog_len == copy->info.xlated_prog_len &&
	    !memcmp(running->insns, copy->insns, copy->info.xlated_prog_len))
		return "proved";
	*reason = "its instructions are others";
	if (!constants_blinded())
		return "differs";
	*reason = "the tags are equal, but the kernel blinds constants (net.core.bpf_jit_harden is 2)";
	return "unknown";
}

/* The program that the link runs, whatever is pinned beside it. */
static int running_open(const struct function_spec *spec)
{
	struct netns netns;
	struct pin pin;
	int fd = -1;

	if (netns_open(spec->scope, &netns))
		return -1;
	close_fd(&netns.fd);
	if (pin_open(spec->function, spec->scope, &pin))
		return -1;
	if (!pin.netns_inode || pin.netns_inode != netns.inode)
		fail(LOAD_NOT_ACTIVE, NULL, "%s is not active in %s", spec->function, spec->scope);
	else if ((fd = bpf_prog_get_fd_by_id(pin.link_prog_id)) < 0)
		fail_errno(LOAD_KERNEL_REFUSED, -fd, "program %u cannot be opened", pin.link_prog_id);
	pin_close(&pin);
	return fd;
}

static int images_read(struct proved *before, const struct function_spec *spec, struct image *running,
		       struct image *copy)
{
	struct checked checked = { 0 };
	int fd __close = running_open(spec);
	int err = fd < 0 ? -1 : image_read(fd, running);

	err = err ?: function_check(before, spec, &checked) ?: image_read(checked.loaded.prog_fd, copy);
	if (err)
		checked_free(&checked);
	else
		proved_keep(before, spec, &checked);
	return err;
}

static int one_prove(struct proved *before, const struct function_spec *spec, json_t *functions)
{
	struct image running = { 0 }, copy = { 0 };
	const char *proof = "unknown", *reason = NULL;
	json_t *why __json = NULL;

	if (!images_read(before, spec, &running, &copy))
		proof = compare(&running, &copy, &reason);
	else if (!(why = failure_take()))
		return -1;
	json_array_append_new(functions, json_pack("{s:s, s:s, s:s, s:s?, s:o, s:o, s:O?}", "function", spec->function,
						   "scope", spec->scope, "proof", proof, "reason", reason,
						   "running", image_json(&running), "copy", image_json(&copy), "error", why));
	free(running.insns);
	free(copy.insns);
	return 0;
}

int cmd_prove(const char *path)
{
	json_t *functions __json = json_array();
	struct proved before = { 0 };
	static struct plan plan;
	int err = plan_read(path, NULL, 0, &plan) ?: bpffs_check();
	size_t i;

	for (i = 0; !err && i < plan.count; i++)
		err = one_prove(&before, &plan.functions[i], functions);
	checked_free(&before.own);
	plan_free(&plan);
	return err ?: answer(json_pack("{s:O}", "functions", functions));
}
