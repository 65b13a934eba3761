/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From verified bytes to a loaded program: the object must say what the manifest says, and the kernel must report what the
 * object says. Loads from the very buffer that was verified; never opens a path. What is judged and what the kernel gets is
 * one stream: the instructions as libbpf linked them, in the moment before it loads them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

#define LOG_SIZE	(16 * 1024 * 1024 - 1)	/* what every kernel takes: UINT_MAX >> 8 */
#define LOG_TAIL	4096

static char libbpf_said[256];

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN)
		vsnprintf(libbpf_said, sizeof(libbpf_said), fmt, args);
	return 0;
}

int object_fail(enum load_code code, const char *text)
{
	libbpf_said[strcspn(libbpf_said, "\n")] = 0;
	plain(libbpf_said);
	fail(code, NULL, "the object: %s", text);
	if (*libbpf_said)
		fail_detail("libbpf", json_string(libbpf_said));
	return -1;
}

/* What a section means: docs/formats/bundle.md, "requires". */
static const struct program_kind {
	const char *section, *type, *hook;
	enum bpf_prog_type prog_type;
	enum bpf_attach_type attach_type;
	uint32_t flags;				/* of BPF_PROG_LOAD */
} kinds[] = {
	{ "flow_dissector", "flow_dissector", "netns", BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, 0 },
	{ "tc/egress", "sched_cls", "tc-egress", BPF_PROG_TYPE_SCHED_CLS, 0, 0 },
	{ "tc/ingress", "sched_cls", "tc-ingress", BPF_PROG_TYPE_SCHED_CLS, 0, 0 },
	{ "tc", "sched_cls", "none", BPF_PROG_TYPE_SCHED_CLS, 0, 0 },
	{ "xdp.frags", "xdp", "none", BPF_PROG_TYPE_XDP, BPF_XDP, BPF_F_XDP_HAS_FRAGS },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct program_kind *kind_of(const struct program_spec *spec)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].section, spec->section) && !strcmp(kinds[i].type, spec->type) &&
		    !strcmp(kinds[i].hook, spec->hook))
			return &kinds[i];
	return NULL;
}

/* One load at a time; libbpf's callback has no place for a pointer. */
static struct {
	const struct manifest *manifest;
	const struct variant *variant;
	json_t *config;				/* NULL: the defaults */
	const char *license;
	const struct kernel_signature *signature;	/* NULL: none to use */
	struct loaded *out;
	unsigned char digest[crypto_hash_sha256_BYTES];	/* of what the kernel gets */
	bool refused;				/* by before_load(), which said why */
} loading;

static bool is_map_load(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) &&
	       (insn->src_reg == BPF_PSEUDO_MAP_FD || insn->src_reg == BPF_PSEUDO_MAP_VALUE);
}

/* As the kernel hashes them for its tag (bpf_prog_calc_tag): with the places of maps zeroed, which differ with every load. */
static int insns_digest(const struct bpf_program *program, unsigned char digest[crypto_hash_sha256_BYTES])
{
	size_t count = bpf_program__insn_cnt(program), i;
	struct bpf_insn *insns = malloc(count * sizeof(*insns));

	if (!insns)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	for (i = 0; i + 1 < count; i += insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1)
		if (is_map_load(&insns[i]))
			insns[i].imm = insns[i + 1].imm = 0;
	crypto_hash_sha256(digest, (const void *)insns, count * sizeof(*insns));
	free(insns);
	return 0;
}

static bool is_address(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg && insn->src_reg != BPF_PSEUDO_FUNC;
}

static bool is_own_map(struct bpf_object *object, const struct bpf_insn *insn)
{
	const struct bpf_map *map = NULL;

	if (insn->src_reg == BPF_PSEUDO_MAP_FD)
		while ((map = bpf_object__next_map(object, map)))
			if (bpf_map__fd(map) == insn->imm)
				return true;
	return false;
}

/*
 * Every address in the instructions is one that libbpf put there: of the object's own maps, of a subprogram, or of a symbol of the
 * kernel that the manifest asked for.
 */
static int addresses_check(struct bpf_object *object, const struct bpf_program *program)
{
	const struct bpf_insn *insns = bpf_program__insns(program), *insn;
	size_t count = bpf_program__insn_cnt(program), i;

	for (i = 0; i < count; i += insn->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1) {
		insn = &insns[i];
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL &&
		    (insn->off || !kernel_symbol_asked(loading.variant, insn->imm)))
			return object_fail(LOAD_OBJECT_INVALID, "it calls a function of the kernel that its manifest does not ask for");
		if (!is_address(insn) || is_own_map(object, insn))
			continue;
		if (insn->src_reg != BPF_PSEUDO_BTF_ID || !kernel_symbol_asked(loading.variant, insn->imm))
			return object_fail(LOAD_OBJECT_INVALID, "an instruction has an address that is not one of its maps");
	}
	return 0;
}

static int insns_check(const struct program_spec *spec, const struct bpf_program *program)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	char hex[DIGEST_LEN + 1];

	if (bpf_program__insn_cnt(program) != (size_t)spec->insns)
		return object_fail(LOAD_OBJECT_INVALID, "its program has not as many instructions as the manifest says");
	if (insns_digest(program, digest))
		return -1;
	sodium_bin2hex(hex, sizeof(hex), digest, sizeof(digest));
	if (spec->insns_digest && strcmp(hex, spec->insns_digest))
		return object_fail(LOAD_INSNS_DIGEST, "its instructions are not those that the manifest names");
	return 0;
}

/*
 * libbpf calls this when a program is linked, before the kernel sees it. Here its instructions are judged, get the parameters,
 * and are loaded under the signature where there is one and the kernel checks it: then libbpf's own load is not wanted.
 */
static int before_load(struct bpf_program *program, struct bpf_prog_load_opts *opts, long kind)
{
	loading.refused = insns_check(&loading.variant->program, program) ||
			  addresses_check(loading.out->object, program) ||
			  config_apply(loading.manifest, loading.config, program) || insns_digest(program, loading.digest) ||
			  (loading.signature && signed_load(program, loading.license, loading.signature,
							    &loading.out->check, &loading.out->signed_fd));
	opts->prog_flags |= kinds[kind].flags;
	return loading.refused || loading.out->signed_fd > 0 ? -ECANCELED : 0;
}

int libbpf_start(void)
{
	size_t i;

	libbpf_set_print(keep_message);
	for (i = 0; i < KINDS; i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = i, .prog_prepare_load_fn = before_load);

		if (libbpf_register_prog_handler(kinds[i].section, kinds[i].prog_type, kinds[i].attach_type, &opts) < 0)
			return fail(LOAD_INTERNAL, NULL, "libbpf does not start");
	}
	return 0;
}

/* The one program of the object as libbpf understood it, which is what will be loaded. */
static int program_check(struct bpf_object *object, const struct variant *variant)
{
	const struct program_spec *spec = &variant->program;
	struct bpf_program *program = bpf_object__next_program(object, NULL);
	const struct program_kind *kind = kind_of(spec);

	if (!program || bpf_object__next_program(object, program))
		return object_fail(LOAD_UNSUPPORTED_PROGRAM, "it does not hold exactly one program");
	if (strcmp(bpf_program__name(program), spec->name) || strcmp(bpf_program__section_name(program), spec->section))
		return object_fail(LOAD_OBJECT_INVALID, "its program is not the manifest's");
	if (!kind || bpf_program__type(program) != kind->prog_type)
		return object_fail(LOAD_UNSUPPORTED_PROGRAM, "its program is not of a type and hook that this loader handles");
	return 0;
}

/* Since Linux 6.18 the tag is the start of sha256 over the instructions; before, of sha1, which proves nothing. */
static int tag_check(const struct loaded *loaded)
{
	static const struct kernel_version sha256_tags = { { 6, 18, 0 } };

	if (kernel_compare(kernel_running(), sha256_tags) < 0 || !memcmp(loading.digest, loaded->tag, KERNEL_TAG_SIZE))
		return 0;
	object_fail(LOAD_TAG_UNEXPECTED, "the kernel reports another tag than the instructions have");
	fail_detail("kernelTag", hex_json(loaded->tag, KERNEL_TAG_SIZE));
	fail_detail("expectedTag", hex_json(loading.digest, KERNEL_TAG_SIZE));
	return -1;
}

static int load_fail(int err, char *log)
{
	size_t len = strlen(log);
	char *tail = len > LOG_TAIL ? log + len - LOG_TAIL : log, *at;

	if (err == EPERM)
		return fail_errno(LOAD_NO_PRIVILEGE, err, "the kernel did not load the program");
	for (at = tail; *at; at++)		/* source lines in the log come from the object */
		if (*at != '\n' && ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f))
			*at = *at == '\t' ? ' ' : '?';
	if (!len) {
		object_fail(LOAD_KERNEL_REFUSED, "the kernel did not load the program");
	} else {
		object_fail(LOAD_VERIFIER_REJECTED, "the kernel's verifier rejected the program");
		fail_detail("verifierLog", json_string(tail));
	}
	fail_detail("errno", json_string(strerrorname_np(err) ?: "unknown"));
	return -1;
}

/* Under the signature where there is one and the kernel checks it; else as libbpf does it. */
static int kernel_load(char *log, struct loaded *out)
{
	int err = bpf_object__load(out->object);

	if (out->signed_fd > 0) {
		out->prog_fd = out->signed_fd;
		return 0;
	}
	if (err)
		return loading.refused ? -1 : load_fail(-err, log);
	out->prog_fd = bpf_program__fd(bpf_object__next_program(out->object, NULL));
	return 0;
}

static int program_load(char *log, struct loaded *out)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int err;

	if (kernel_load(log, out))
		return -1;
	err = bpf_obj_get_info_by_fd(out->prog_fd, &info, &len);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "the loaded program cannot be inspected");
	memcpy(out->tag, info.tag, KERNEL_TAG_SIZE);
	out->id = info.id;
	out->verified_insns = info.verified_insns;
	return tag_check(out);
}

static int load(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant, json_t *config,
		const struct kernel_signature *signature, struct loaded *out)
{
	const char *license;
	char *log;
	int err;

	*libbpf_said = 0;
	out->object = NULL;
	if (elf_check(bytes, manifest, variant, &license))
		return -1;
	log = calloc(1, LOG_SIZE);
	if (!log)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "kfn", .kernel_log_buf = log, .kernel_log_size = LOG_SIZE);
	loading = (__typeof__(loading)){ .manifest = manifest, .variant = variant, .config = config, .license = license,
					 .signature = signature, .out = out };
	out->object = bpf_object__open_mem(bytes->data, bytes->len, &opts);
	if (!out->object)
		err = object_fail(LOAD_OBJECT_INVALID, "libbpf cannot open it");
	else
		err = program_check(out->object, variant) ?: maps_prepare(out->object, variant) ?: program_load(log, out);
	free(log);
	return err;
}

int object_load(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant,
		json_t *config, struct loaded *out)
{
	return load(bytes, manifest, variant, config, NULL, out);
}

int object_load_signed(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant,
		       const struct kernel_signature *signature, struct loaded *out)
{
	return load(bytes, manifest, variant, NULL, signature, out);
}

void loaded_close(struct loaded *loaded)
{
	if (loaded->signed_fd > 0)
		close(loaded->signed_fd);
	bpf_object__close(loaded->object);
	*loaded = (struct loaded){ 0 };
}
