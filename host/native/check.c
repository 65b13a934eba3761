/* SPDX-License-Identifier: Apache-2.0 */
/* One function of a plan from the store to loaded and proved, in the order of trust. Attaches nothing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

/* Nothing of the manifest is parsed before its digest and its signatures are right. */
int manifest_open(const struct function_spec *spec, int store, struct manifest *out)
{
	struct buf bytes __buf = { 0 }, signatures __buf = { 0 };
	struct publisher publisher;
	char digest[DIGEST_LEN + 1];

	if (store_read(store, "kfn.json", MAX_MANIFEST, &bytes) ||
	    store_read(store, "kfn.sig.json", MAX_SIGNATURES, &signatures))
		return -1;
	sha256_hex(bytes.data, bytes.len, digest);
	if (strcmp(digest, spec->manifest_sha256))
		return fail(LOAD_MANIFEST_DIGEST, "the store is damaged or tampered with; install the bundle again",
			    "the stored manifest of %s is not the planned one", spec->bundle);
	return publisher_for(spec->bundle, digest, &publisher) ?: verify_signatures(&bytes, &signatures, &publisher) ?:
	       fault("verified") ?: manifest_parse(&bytes, spec, out);
}

static int experimental_check(const struct function_spec *spec, const struct manifest *manifest)
{
	if (!manifest->experimental || spec->experimental)
		return 0;
	return fail(LOAD_EXPERIMENTAL, "kfn install --experimental puts that into the plan", "%s is experimental", spec->bundle);
}

static int vectors_check(int store, struct checked *out)
{
	json_t *names __json = json_object(), *item;
	size_t i;

	json_array_foreach(out->manifest.vectors, i, item) {
		struct buf file __buf = { 0 };

		if (manifest_file(&out->manifest, store, json_string_value(item), &file) ||
		    vectors_run(&file, json_string_value(item), &out->variant.program, out->loaded.prog_fd, names))
			return -1;
	}
	out->vectors = json_object_size(names);
	return fault("vectors");
}

/* The signature is of the defaults; why there is none to use goes into the answer. */
static const struct kernel_signature *usable(const struct kernel_signature *signature, const struct variant *variant,
					     bool defaults, const char **why)
{
	if (!variant->program.insns_digest || variant->maps)
		*why = "the host decides bytes of the program when it is loaded: nobody can sign it for the kernel";
	else if (!signature->len)
		*why = "the bundle carries no signature for the kernel";
	else if (!defaults)
		*why = "parameters are not at their defaults, and the signature for the kernel is of the defaults";
	else
		return signature;
	return NULL;
}

static int function_prove(const struct function_spec *spec, struct checked *out)
{
	int store __close = store_open(spec->sha256);
	struct buf object __buf = { 0 };
	struct kernel_signature signature;
	const char *why = "";
	bool defaults;

	if (store < 0 || manifest_open(spec, store, &out->manifest) || experimental_check(spec, &out->manifest) ||
	    variant_choose(&out->manifest, &out->variant) ||
	    manifest_file(&out->manifest, store, out->variant.object, &object) ||
	    kernel_signature_read(store, out->variant.program.insns_digest, &signature))
		return -1;
	defaults = config_is_default(&out->manifest, spec->config);
	if (object_load_signed(&object, &out->manifest, &out->variant, usable(&signature, &out->variant, defaults, &why),
			       &out->loaded) || fault("loaded"))
		return -1;
	/*
	 * Vectors say what the function does with its defaults; other values change nothing but immediates. What goes live has
	 * never run: its maps are as empty as at any load.
	 */
	if (vectors_check(store, out))
		return -1;
	if (!defaults || out->variant.maps) {
		loaded_close(&out->loaded);
		if (object_load(&object, &out->manifest, &out->variant, spec->config, &out->loaded))
			return -1;
	}
	if (*why)
		snprintf(out->loaded.check.reason, sizeof(out->loaded.check.reason), "%s", why);
	return 0;
}

static bool same_program(const struct function_spec *a, const struct function_spec *b)
{
	return a->abi == b->abi && !strcmp(a->function, b->function) && !strcmp(a->bundle, b->bundle) &&
	       !strcmp(a->version, b->version) && !strcmp(a->sha256, b->sha256) &&
	       !strcmp(a->manifest_sha256, b->manifest_sha256) && !strcmp(a->tag, b->tag) && json_equal(a->config, b->config);
}

static int share(const struct checked *proved, struct checked *out)
{
	int fd = fcntl(proved->loaded.prog_fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return fail_errno(LOAD_KERNEL_REFUSED, errno, "a loaded program cannot be held twice");
	*out = *proved;
	json_incref(out->manifest.root);
	out->loaded.object = NULL;
	out->loaded.prog_fd = out->loaded.signed_fd = fd;
	return 0;
}

static int kind_check(const struct function_spec *spec, const struct checked *checked)
{
	const char *hook = checked->variant.program.hook;

	if (hook_takes(hook, spec->scope))
		return 0;
	return fail(LOAD_SCOPE_UNSUPPORTED, "kfn install --help says which scopes there are", "%s is attached to the hook %s, which %s does not name",
		    spec->function, hook, spec->scope);
}

static bool variant_asks(const struct variant *variant, const char *wanted)
{
	json_t *feature;
	size_t i;

	json_array_foreach(variant->features, i, feature)
		if (!strcmp(json_string_value(feature), wanted))
			return true;
	return false;
}

int device_check(const struct function_spec *spec, const struct checked *checked, const struct place *place)
{
	if (!place->ifindex || !variant_asks(&checked->variant, DEVICE_BACKLOG) || !backlog_check(place, spec->scope))
		return 0;
	fail_detail("function", json_string(spec->function));
	fail_detail("scope", json_string(spec->scope));
	return -1;
}

/* As `apply` would, of what it would attach: what runs there already stays, and other places are not there yet. */
static int place_check(const struct function_spec *spec, const struct checked *checked)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	struct pin pin;
	bool runs;

	if (!place_look(spec->scope, &place) || !place.ifindex)
		return 0;
	place.ingress = hook_is_ingress(checked->variant.program.hook);
	if (pin_open(spec->function, spec->scope, &pin))
		return -1;
	runs = pin_at(&pin, &place);
	pin_close(&pin);
	return runs ? 0 : device_check(spec, checked, &place);
}

int function_check(const struct proved *before, const struct function_spec *spec, struct checked *out)
{
	bool same = before->spec && same_program(before->spec, spec);

	if (!revoked_check(spec) && !(same ? share(before->checked, out) : function_prove(spec, out)) && !kind_check(spec, out))
		return 0;
	fail_detail("function", json_string(spec->function));
	fail_detail("scope", json_string(spec->scope));
	return -1;
}

const char *planned_otherwise(const struct function_spec *spec)
{
	return strcmp(spec->scope, spec->planned) ? spec->planned : NULL;
}

json_t *checked_json(const struct function_spec *spec, const struct checked *checked)
{
	const struct program_spec *program = &checked->variant.program;

	return json_pack("{s:s, s:I, s:s, s:s*, s:{s:s, s:s, s:s}, s:s, s:s, s:s, s:s?, s:s, s:[{s:s, s:s, s:I, s:s?, s:o, s:I}], s:{s:I}}",
			 "function", spec->function, "abi", (json_int_t)spec->abi, "scope", spec->scope,
			 "planned", planned_otherwise(spec), "bundle", "name", spec->bundle, "version", spec->version, "sha256", spec->sha256,
			 "tag", spec->tag, "variant", checked->variant.name, "verified", checked->loaded.check.keyring ? "kernel" : "loader",
			 "keyring", checked->loaded.check.keyring, "verifiedReason", checked->loaded.check.reason,
			 "programs", "name", program->name, "section", program->section,
			 "insns", (json_int_t)program->insns, "insnsDigest", program->insns_digest,
			 "kernelTag", hex_json(checked->loaded.tag, KERNEL_TAG_SIZE),
			 "verifiedInsns", (json_int_t)checked->loaded.verified_insns,
			 "vectors", "run", (json_int_t)checked->vectors);
}

void checked_free(struct checked *checked)
{
	loaded_close(&checked->loaded);
	json_decref(checked->manifest.root);
	memset(checked, 0, sizeof(*checked));
}

json_t *left_json(const struct function_spec *spec, json_t *why)
{
	return json_pack("{s:s, s:s, s:s*, s:O}", "function", spec->function, "scope", spec->scope, "planned",
			 planned_otherwise(spec), "error", why);
}

/* What was proved stays, for the next entry may be of the same program. */
void proved_keep(struct proved *before, const struct function_spec *spec, struct checked *checked)
{
	checked_free(&before->own);
	before->own = *checked;
	before->checked = &before->own;
	before->spec = spec;
}

static int one_check(struct proved *before, const struct function_spec *spec, json_t *functions, json_t *left)
{
	struct checked checked = { 0 };
	json_t *why __json = NULL;
	int err = function_check(before, spec, &checked) ?: place_check(spec, &checked);

	if (err) {
		checked_free(&checked);
	} else {
		json_array_append_new(functions, checked_json(spec, &checked));
		proved_keep(before, spec, &checked);
	}
	if (err && spec->may_stay)
		why = failure_take();
	if (why)
		json_array_append_new(left, left_json(spec, why));
	return why ? 0 : err;
}

int cmd_check(const char *path, char **leave_args, size_t leave_count)
{
	json_t *functions __json = json_array(), *left __json = json_array();
	struct proved before = { 0 };
	static struct plan plan;
	int err = plan_read(path, leave_args, leave_count, &plan);
	size_t i;

	for (i = 0; !err && i < plan.count; i++)
		err = one_check(&before, &plan.functions[i], functions, left);
	checked_free(&before.own);
	plan_free(&plan);
	return err ?: answer(json_pack("{s:O, s:O}", "functions", functions, "left", left));
}
