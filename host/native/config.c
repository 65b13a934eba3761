/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters: the plan's values into the program's instructions, as docs/formats/config.md says. Refuses a value that the
 * manifest does not declare, one that the program does not take, and an object whose own values are not the defaults.
 */
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

#define MAGIC		0x6b66			/* the topmost 16 bits of the immediate */
#define ABSENT		0x10000			/* a list has no such element */
#define MAX_ELEMENTS	64

struct parameter {
	json_t *declared, *value;
	size_t index, highest, references;	/* highest: element that the program asks for */
};

static int config_fail(const char *name, const char *what)
{
	return fail(LOAD_UNSUPPORTED_CONFIG, NULL, "parameter `%s` %s", name, what);
}

static bool within(json_t *value, json_int_t max)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= max;
}

static bool fits_list(json_t *value)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value) || json_array_size(value) > MAX_ELEMENTS)
		return false;
	json_array_foreach(value, i, item)
		if (!within(item, 0xffff))
			return false;
	return true;
}

/* The bits of the named ones among the declared names; -1: one is not declared, or they are not in that order. */
static int64_t flag_bits(json_t *names, json_t *value)
{
	json_t *item, *name;
	int64_t bits = 0;
	size_t i, bit;

	if (!json_is_array(names) || json_array_size(names) > 32 || !json_is_array(value))
		return -1;
	json_array_foreach(value, i, item) {
		int64_t found = -1;

		json_array_foreach(names, bit, name)
			if (json_equal(item, name))
				found = 1ll << bit;
		if (found <= bits)
			return -1;
		bits |= found;
	}
	return bits;
}

/* One 32-bit value of a parameter; -1: the type has no such value. */
static int64_t value_at(const struct parameter *parameter, size_t element)
{
	const char *type = json_string_value(json_object_get(parameter->declared, "type")) ?: "";

	if (!strcmp(type, "u32"))
		return !element && within(parameter->value, UINT32_MAX) ? json_integer_value(parameter->value) : -1;
	if (!strcmp(type, "flags"))
		return element ? -1 : flag_bits(json_object_get(parameter->declared, "names"), parameter->value);
	if (strcmp(type, "u16-list") || !fits_list(parameter->value))
		return -1;
	return element < json_array_size(parameter->value) ?
	       json_integer_value(json_array_get(parameter->value, element)) : ABSENT;
}

/* The parameter at that place among the names in byte order: the schema demands that the manifest has them sorted. */
static const char *parameter_at(const struct manifest *manifest, json_t *config, size_t index, struct parameter *out)
{
	const char *name;
	json_t *declared;
	size_t i = 0;

	json_object_foreach(manifest->config, name, declared)
		if (i++ == index) {
			*out = (struct parameter){ .declared = declared, .index = index };
			out->value = json_object_get(config ?: declared, config ? name : "default");
			return name;
		}
	return NULL;
}

static bool is_reference(const struct bpf_insn *insn)
{
	return insn[0].code == (BPF_LD | BPF_IMM | BPF_DW) && !insn[0].src_reg && (uint32_t)insn[1].imm >> 16 == MAGIC;
}

static int parameter_apply(const char *name, struct parameter *parameter, struct bpf_insn *insns, size_t count)
{
	size_t i, element, used = json_is_array(parameter->value) ? json_array_size(parameter->value) : 0;
	const char *type = json_string_value(json_object_get(parameter->declared, "type")) ?: "";
	int64_t value;

	for (i = 0; i + 1 < count; i += insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1) {
		if (!is_reference(&insns[i]) || ((uint32_t)insns[i + 1].imm >> 8 & 0xff) != parameter->index)
			continue;
		element = insns[i + 1].imm & 0xff;
		value = value_at(parameter, element);
		if (value < 0)
			return config_fail(name, "has a value that its declaration does not allow");
		insns[i].imm = value;
		parameter->references++;
		if (element > parameter->highest)
			parameter->highest = element;
	}
	if (!parameter->references)
		return config_fail(name, "is not in the program");
	if (!strcmp(type, "u16-list") && used > parameter->highest + 1)
		return config_fail(name, "has more elements than the program takes");
	return 0;
}

/* The place of a name is its number, so the order is part of the meaning. */
static int order_check(const struct manifest *manifest)
{
	const char *name, *before = "";
	json_t *declared;

	json_object_foreach(manifest->config, name, declared) {
		if (strcmp(before, name) >= 0)
			return config_fail(name, "is not in the order of names");
		before = name;
	}
	return 0;
}

/* A reference that no declaration covers would be a constant that nobody signed for as a parameter. */
static int references_check(const struct manifest *manifest, const struct bpf_insn *insns, size_t count)
{
	size_t i, declared = json_object_size(manifest->config);

	for (i = 0; i + 1 < count; i += insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1)
		if (is_reference(&insns[i]) && ((uint32_t)insns[i + 1].imm >> 8 & 0xff) >= declared)
			return fail(LOAD_UNSUPPORTED_CONFIG, NULL, "the program takes a parameter that the manifest does not declare");
	return 0;
}

static int names_check(const struct manifest *manifest, json_t *config)
{
	const char *name;
	json_t *value;

	json_object_foreach(config, name, value)
		if (!json_object_get(manifest->config, name))
			return config_fail(name, "is not one of this function");
	json_object_foreach(manifest->config, name, value)
		if (!json_object_get(config, name))
			return config_fail(name, "has no value in the plan");
	return 0;
}

bool config_is_default(const struct manifest *manifest, json_t *config)
{
	const char *name;
	json_t *declared;

	if (json_object_size(config) != json_object_size(manifest->config))
		return false;
	json_object_foreach(manifest->config, name, declared)
		if (!json_equal(json_object_get(config, name), json_object_get(declared, "default")))
			return false;
	return true;
}

int config_apply(const struct manifest *manifest, json_t *config, struct bpf_program *program)
{
	size_t count = bpf_program__insn_cnt(program), size = count * sizeof(struct bpf_insn), i;
	struct parameter parameter;
	struct bpf_insn *insns;
	const char *name;
	int err;

	insns = malloc(size);
	if (!insns)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	memcpy(insns, bpf_program__insns(program), size);
	err = order_check(manifest) ?: (config ? names_check(manifest, config) : 0) ?: references_check(manifest, insns, count);
	for (i = 0; !err && (name = parameter_at(manifest, config, i, &parameter)); i++)
		err = parameter_apply(name, &parameter, insns, count);
	if (!err && !config && memcmp(insns, bpf_program__insns(program), size))
		err = fail(LOAD_UNSUPPORTED_CONFIG, NULL, "the program's own values are not the manifest's defaults");
	if (!err && bpf_program__set_insns(program, insns, count))
		err = fail(LOAD_INTERNAL, NULL, "libbpf does not take the configured instructions");
	free(insns);
	return err;
}
