/* SPDX-License-Identifier: Apache-2.0 */
/* Reads docs/formats/plan.md. Refuses unknown fields, and repeated or unsorted functions. */
#include <stdlib.h>
#include <string.h>
#include "kfn-load.h"

#define WHERE LOAD_PLAN_INVALID

/* The digest of the canonical form: keys sorted, no spaces. */
static int config_check(json_t *config, const char *digest)
{
	char actual[DIGEST_LEN + 1], *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	sha256_hex(text, strlen(text), actual);
	free(text);
	if (strcmp(actual, digest))
		return fail(WHERE, NULL, "the plan: configDigest is not the digest of config");
	return 0;
}

static int function_parse(json_t *entry, struct function_spec *out)
{
	const char *config_digest;
	json_t *bundle, *config, *experimental = NULL;

	if (unpack(WHERE, "the plan's functions", entry, "{s:s, s:I, s:s, s:o, s:s, s:o, s:s, s?o}", "function", &out->function,
		   "abi", &out->abi, "scope", &out->scope, "bundle", &bundle, "tag", &out->tag, "config", &config,
		   "configDigest", &config_digest, "experimental", &experimental))
		return -1;
	if (unpack(WHERE, "the plan's bundle", bundle, "{s:s, s:s, s:s, s:s}", "name", &out->bundle,
		   "version", &out->version, "sha256", &out->sha256, "manifestSha256", &out->manifest_sha256))
		return -1;
	if (!is_name(out->function) || out->abi < 1 || out->abi > INT_MAX)
		return fail(WHERE, NULL, "the plan: `%s/%lld` is not a function", out->function, out->abi);
	if (!is_scope(out->scope))
		return fail(WHERE, "docs/formats/plan.md says which there are", "the plan: `%s` is not a scope", out->scope);
	if (!is_name(out->bundle) || !*out->version || !is_text(out->version, 64))
		return fail(WHERE, NULL, "the plan: `%s` is not a bundle", out->bundle);
	if (!is_digest(out->sha256) || !is_digest(out->manifest_sha256) || !is_digest(config_digest) || !is_tag(out->tag))
		return fail(WHERE, NULL, "the plan: a digest or the tag of %s is malformed", out->function);
	if (!json_is_object(config))
		return fail(WHERE, NULL, "the plan: config is not an object");
	if (experimental && !json_is_true(experimental))
		return fail(WHERE, NULL, "the plan: experimental is there, and not true");
	out->experimental = experimental;
	out->config = config;
	out->planned = out->scope;
	return config_check(config, config_digest);
}

/* They would fight for what both match, and which one has it would be nobody's decision. */
static int overlaps_check(const struct plan *plan)
{
	size_t i, k;

	for (i = 0; i < plan->count; i++)
		for (k = i + 1; k < plan->count && !strcmp(plan->functions[i].function, plan->functions[k].function); k++)
			if (scope_overlaps(plan->functions[i].scope, plan->functions[k].scope))
				return fail(LOAD_SCOPE_OVERLAP, "take one of the two out of the plan", "%s: %s and %s match the same names",
					    plan->functions[i].function, plan->functions[i].scope, plan->functions[k].scope);
	return 0;
}

static int order(const struct function_spec *a, const struct function_spec *b)
{
	return strcmp(a->function, b->function) ?: strcmp(a->scope, b->scope);
}

static int plan_parse(const struct buf *bytes, struct plan *plan)
{
	const char *schema, *created, *reason;
	json_t *functions, *entry;
	json_int_t generation;
	size_t i;

	plan->root = json_open(bytes, WHERE, "the plan");
	if (!plan->root)
		return -1;
	if (unpack(WHERE, "the plan", plan->root, "{s:s, s:I, s:s, s:s, s:o}", "schema", &schema,
		   "generation", &generation, "created", &created, "reason", &reason, "functions", &functions))
		return -1;
	if (strcmp(schema, "kfn.plan/1"))
		return fail(WHERE, NULL, "the plan: schema `%s` is not kfn.plan/1", schema);
	if (generation < 0)
		return fail(WHERE, NULL, "the plan: generation %lld is negative", (long long)generation);
	if (!json_is_array(functions) || json_array_size(functions) > MAX_FUNCTIONS)
		return fail(WHERE, NULL, "the plan: functions is not a list of at most %d", MAX_FUNCTIONS);
	json_array_foreach(functions, i, entry) {
		if (function_parse(entry, &plan->functions[i]))
			return -1;
		if (i && order(&plan->functions[i - 1], &plan->functions[i]) >= 0)
			return fail(WHERE, NULL, "the plan: functions are repeated or not sorted by function and scope");
	}
	plan->count = json_array_size(functions);
	return overlaps_check(plan);
}

struct function_spec *plan_find(const struct plan *plan, const char *function, const char *scope)
{
	size_t i;

	for (i = 0; i < plan->count; i++)
		if (!strcmp(plan->functions[i].function, function) && !strcmp(plan->functions[i].scope, scope))
			return (struct function_spec *)&plan->functions[i];
	return NULL;
}

/* Pairs of function and scope that the caller allows to stay as they are. */
static int leave_parse(char **args, size_t count, struct plan *plan)
{
	size_t i;

	for (i = 0; i < count; i++) {
		struct function_spec *spec = plan_find(plan, args[2 * i], args[2 * i + 1]);

		if (!spec)
			return fail(LOAD_USAGE, NULL, "--leave names %s in %s, which the plan does not have", args[2 * i],
				    args[2 * i + 1]);
		spec->may_stay = true;
	}
	return 0;
}

int plan_read(const char *path, char **leave_args, size_t leave_count, struct plan *plan)
{
	struct buf bytes __buf = { 0 };

	plan->root = plan->names = NULL;
	plan->count = 0;
	if (strcmp(path, "-") ? file_read(path, MAX_PLAN, &bytes) : stdin_read(MAX_PLAN, &bytes))
		return -1;
	return plan_parse(&bytes, plan) ?: leave_parse(leave_args, leave_count, plan);
}

void plan_free(struct plan *plan)
{
	json_decref(plan->root);
	json_decref(plan->names);
	plan->root = plan->names = NULL;
}
