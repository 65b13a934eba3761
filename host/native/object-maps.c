/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private arrays of an object: what libbpf read of its BTF must be what the manifest says, before any is made. Refuses
 * everything that has contents, outlives the program or can be reached from outside of it. Nothing is carried over a swap.
 */
#include <string.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

#define WHERE LOAD_MANIFEST_INVALID
#define POSSIBLE_CPUS "possible-cpus"
#define MAX_VALUE	(256 * 1024)
#define MAX_ENTRIES	65536

struct map_spec {
	const char *name, *type;
	json_int_t value_size;
	json_t *entries;
};

static int map_parse(json_t *entry, struct map_spec *out)
{
	json_int_t count;

	if (unpack(WHERE, "the manifest's maps", entry, "{s:s, s:s, s:I, s:o}", "name", &out->name, "type", &out->type,
		   "valueSize", &out->value_size, "entries", &out->entries))
		return -1;
	count = json_is_integer(out->entries) ? json_integer_value(out->entries) : 1;
	if (out->value_size < 1 || out->value_size > MAX_VALUE || count < 1 || count > MAX_ENTRIES ||
	    (!json_is_integer(out->entries) && strcmp(json_string_value(out->entries) ?: "", POSSIBLE_CPUS)))
		return fail(WHERE, NULL, "the manifest: the size of the map `%s` is beyond the limits", out->name);
	return 0;
}

/* In the object, as many entries as CPUs are written as none. */
static int map_check(const struct bpf_map *map, const struct map_spec *spec)
{
	enum bpf_map_type type = !strcmp(spec->type, "array") ? BPF_MAP_TYPE_ARRAY : BPF_MAP_TYPE_PERCPU_ARRAY;

	if (strcmp(spec->type, "array") && strcmp(spec->type, "percpu-array"))
		return object_fail(LOAD_UNSUPPORTED_MAP, "a map is neither an array nor a per-CPU array");
	if (bpf_map__type(map) != type || bpf_map__key_size(map) != sizeof(uint32_t) ||
	    bpf_map__value_size(map) != (uint32_t)spec->value_size ||
	    bpf_map__max_entries(map) != (uint32_t)json_integer_value(spec->entries))
		return object_fail(LOAD_OBJECT_INVALID, "a map of it is not the manifest's");
	if (bpf_map__map_flags(map) || bpf_map__pin_path(map) || bpf_map__numa_node(map) || bpf_map__map_extra(map) ||
	    !bpf_map__autocreate(map))
		return object_fail(LOAD_UNSUPPORTED_MAP, "a map of it has flags or a pin");
	return 0;
}

static int map_prepare(struct bpf_map *map, json_t *entry)
{
	struct map_spec spec;
	int cpus;

	if (map_parse(entry, &spec) || map_check(map, &spec))
		return -1;
	if (json_is_integer(spec.entries))
		return 0;
	cpus = libbpf_num_possible_cpus();
	if (cpus < 1 || bpf_map__set_max_entries(map, cpus))
		return fail(LOAD_KERNEL_REFUSED, NULL, "the number of possible CPUs cannot be read");
	return 0;
}

/* Sorted by name, so that no two maps of the object can take the same entry. */
static json_t *entry_of(json_t *maps, const char *name)
{
	json_t *entry;
	size_t i;

	json_array_foreach(maps, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "name")) ?: "", name))
			return entry;
	return NULL;
}

int maps_prepare(struct bpf_object *object, const struct variant *variant)
{
	struct bpf_map *map;
	size_t count = 0;

	bpf_object__for_each_map(map, object) {
		json_t *entry = entry_of(variant->maps, bpf_map__name(map));

		if (bpf_map__is_internal(map))
			return object_fail(LOAD_UNSUPPORTED_MAP, "it has .rodata, .data, .bss or .kconfig");
		if (!entry)
			return object_fail(LOAD_OBJECT_INVALID, "it has a map that the manifest does not name");
		if (map_prepare(map, entry))
			return -1;
		count++;
	}
	if (count != json_array_size(variant->maps))
		return object_fail(LOAD_OBJECT_INVALID, "it lacks a map that the manifest names, or that is named twice");
	return 0;
}
