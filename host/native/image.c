/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loaded program as far as the kernel shows it, and whether two are the same: type, kernel tag, maps in the order in which
 * they are used, and every byte after the verifier. Never guesses: where the kernel does not show enough, it is "unknown".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

#define HARDEN "/proc/sys/net/core/bpf_jit_harden"

struct image {
	struct bpf_prog_info info;
	struct bpf_insn *insns;			/* after the verifier, maps numbered by their first use; NULL: not shown */
	uint32_t map_ids[MAX_MAPS];
	struct bpf_map_info maps[MAX_MAPS];	/* only what makes a map the same: id and BTF are cleared */
};

static int map_read(uint32_t id, struct bpf_map_info *out)
{
	int fd __close = bpf_map_get_fd_by_id(id);
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a program's map cannot be inspected");
	memset(out, 0, sizeof(*out));
	out->type = info.type;
	out->key_size = info.key_size;
	out->value_size = info.value_size;
	out->max_entries = info.max_entries;
	out->map_flags = info.map_flags;
	memcpy(out->name, info.name, sizeof(out->name));
	return 0;
}

/* The kernel shows the place of a map as the map's id, which is another one for each load. */
static void maps_number(struct image *image)
{
	size_t count = image->info.xlated_prog_len / sizeof(*image->insns), i, k;

	for (i = 0; i + 1 < count; i += image->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1) {
		struct bpf_insn *insn = &image->insns[i];

		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW) ||
		    (insn->src_reg != BPF_PSEUDO_MAP_FD && insn->src_reg != BPF_PSEUDO_MAP_VALUE))
			continue;
		for (k = 0; k < image->info.nr_map_ids; k++)
			if (image->map_ids[k] == (uint32_t)insn->imm)
				break;
		insn->imm = k;
	}
}

static int image_fill(int fd, struct image *out)
{
	struct bpf_prog_info sizes = { 0 };
	uint32_t len = sizeof(sizes), i;
	int err = bpf_obj_get_info_by_fd(fd, &sizes, &len);

	if (!err && sizes.xlated_prog_len && sizes.xlated_prog_len <= MAX_FILE)
		out->insns = malloc(sizes.xlated_prog_len);
	if (out->insns) {
		out->info.xlated_prog_len = sizes.xlated_prog_len;
		out->info.xlated_prog_insns = (uintptr_t)out->insns;
	}
	out->info.nr_map_ids = MAX_MAPS;
	out->info.map_ids = (uintptr_t)out->map_ids;
	len = sizeof(out->info);
	err = err ?: bpf_obj_get_info_by_fd(fd, &out->info, &len);
	/* The kernel clears the pointer where it must not show constants that it blinded (kernel/bpf/syscall.c). */
	if (err || !out->info.xlated_prog_insns) {
		free(out->insns);
		out->insns = NULL;
	}
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a program cannot be inspected");
	if (out->info.nr_map_ids > MAX_MAPS)	/* none of ours: its number of maps says enough */
		return 0;
	for (i = 0; i < out->info.nr_map_ids; i++)
		if (map_read(out->map_ids[i], &out->maps[i]))
			return -1;
	if (out->insns)
		maps_number(out);
	return 0;
}

struct image *image_read(int fd)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image) {
		fail(LOAD_INTERNAL, NULL, "out of memory");
	} else if (image_fill(fd, image)) {
		image_free(image);
		image = NULL;
	}
	return image;
}

void image_free(struct image *image)
{
	if (image)
		free(image->insns);
	free(image);
}

json_t *image_json(const struct image *image)
{
	if (!image)
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

static bool same_maps(const struct image *a, const struct image *b)
{
	return a->info.nr_map_ids == b->info.nr_map_ids && a->info.nr_map_ids <= MAX_MAPS &&
	       !memcmp(a->maps, b->maps, a->info.nr_map_ids * sizeof(*a->maps));
}

/* The tag covers the instructions with map addresses zeroed; what they became after the verifier is compared byte by byte. */
const char *image_compare(const struct image *running, const struct image *copy, const char **reason)
{
	*reason = NULL;
	if (running->info.type != copy->info.type)
		*reason = "it is of another program type";
	else if (memcmp(running->info.tag, copy->info.tag, KERNEL_TAG_SIZE))
		*reason = "its kernel tag is another one";
	else if (!same_maps(running, copy))
		*reason = "its maps are others";
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
