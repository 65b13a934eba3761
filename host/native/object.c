/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From verified bytes to a loaded program: the ELF must say what the manifest says, and the kernel must report what the
 * ELF says. Loads from the very buffer that was verified; never opens a path.
 */
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kfn-load.h"

#define LOG_SIZE	(16 * 1024 * 1024 - 1)	/* what every kernel takes: UINT_MAX >> 8 */
#define LOG_TAIL	4096
#define MAX_NOTE	4096

static char libbpf_said[256];

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN)
		vsnprintf(libbpf_said, sizeof(libbpf_said), fmt, args);
	return 0;
}

void silence_libbpf(void)
{
	libbpf_set_print(keep_message);
}

static int object_fail(enum load_code code, const char *text)
{
	libbpf_said[strcspn(libbpf_said, "\n")] = 0;
	plain(libbpf_said);
	fail(code, NULL, "the object: %s", text);
	if (*libbpf_said)
		fail_detail("libbpf", json_string(libbpf_said));
	return -1;
}

/* What libbpf does not tell: the note, and whether relocations touch the program. */
struct scan {
	const char *note, *license;
	size_t note_len, relocations;
	size_t section;				/* index of the program's section */
	uint64_t start, size;			/* the program inside it, bytes */
};

/* One note: namesz 4 "kfn\0", type 1, text padded with NUL. */
static int scan_note(Elf_Data *data, struct scan *out)
{
	static const unsigned char head[] = { 4, 0, 0, 0 }, tail[] = { 1, 0, 0, 0, 'k', 'f', 'n', 0 };
	const unsigned char *at = data->d_buf;
	uint32_t len;

	if (out->note || !at || data->d_size < 16 || memcmp(at, head, 4) || memcmp(at + 8, tail, 8))
		return -1;
	memcpy(&len, at + 4, sizeof(len));
	if (len > MAX_NOTE || data->d_size != 16 + (((size_t)len + 3) & ~3ul))
		return -1;
	out->note = (const char *)at + 16;
	out->note_len = strnlen(out->note, len);
	for (; len > out->note_len; len--)
		if (out->note[len - 1])
			return -1;
	return 0;
}

static int scan_symbols(Elf *elf, GElf_Shdr *header, Elf_Data *data, const struct program_spec *spec, struct scan *out)
{
	GElf_Sym symbol;
	int i;

	for (i = 0; gelf_getsym(data, i, &symbol); i++) {
		const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);

		if (!name || strcmp(name, spec->name) || GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
			continue;
		if (out->size || symbol.st_shndx != out->section || symbol.st_size % 8)
			return -1;
		out->start = symbol.st_value;
		out->size = symbol.st_size;
	}
	return out->size ? 0 : -1;
}

static void scan_relocations(Elf_Data *data, struct scan *out)
{
	GElf_Rel rel;
	int i;

	for (i = 0; gelf_getrel(data, i, &rel); i++)
		if (rel.r_offset >= out->start && rel.r_offset - out->start < out->size)
			out->relocations++;
}

/* Three passes, as each needs what the one before found: section and note, symbol, relocations. */
static const char *scan_elf(Elf *elf, const struct program_spec *spec, struct scan *out)
{
	Elf_Scn *section;
	GElf_Ehdr header;
	size_t names;
	int pass;

	if (!gelf_getehdr(elf, &header) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_BPF || header.e_type != ET_REL ||
	    elf_getshdrstrndx(elf, &names))
		return "not a 64-bit little-endian relocatable BPF ELF";
	for (pass = 0; pass < 3; pass++) {
		for (section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
			Elf_Data *data = elf_rawdata(section, NULL);
			const char *name;
			GElf_Shdr at;

			if (!gelf_getshdr(section, &at) || !data || !(name = elf_strptr(elf, names, at.sh_name)))
				return "a section header points outside the file";
			if (pass == 0 && !strcmp(name, spec->section) && at.sh_type == SHT_PROGBITS) {
				if (out->section)
					return "the program's section is there twice";
				out->section = elf_ndxscn(section);
			}
			if (pass == 0 && !strcmp(name, ".note.kfn") && (at.sh_type != SHT_NOTE || scan_note(data, out)))
				return "its .note.kfn is malformed or repeated";
			if (pass == 0 && !strcmp(name, "license") && data->d_buf &&
			    memchr(data->d_buf, 0, data->d_size < 64 ? data->d_size : 64))
				out->license = data->d_buf;
			if (pass == 1 && at.sh_type == SHT_SYMTAB &&
			    scan_symbols(elf, &at, elf_getdata(section, NULL), spec, out))
				return "the program is not one function in its section";
			if (pass == 2 && at.sh_type == SHT_RELA && at.sh_info == out->section)
				return "it has relocations of a kind that BPF objects do not have";
			if (pass == 2 && at.sh_type == SHT_REL && at.sh_info == out->section)
				scan_relocations(elf_getdata(section, NULL), out);
		}
		if (!out->section)
			return "the program's section is missing";
	}
	return out->size ? NULL : "the program is missing";
}

/* The note that these requirements make, in the one order of docs/formats. Caller frees. */
static char *note_expected(const struct manifest *manifest, const struct variant *variant, size_t *len)
{
	json_t *feature;
	char *text;
	FILE *out;
	size_t i;

	out = open_memstream(&text, len);
	if (!out)
		return NULL;
	fprintf(out, "function=%s\nabi=%lld\nkernel=%s\n", manifest->function, manifest->abi, variant->kernel);
	json_array_foreach(variant->features, i, feature)
		fprintf(out, "feature=%s\n", json_string_value(feature));
	return fclose(out) ? NULL : text;
}

static int note_check(const struct scan *scan, const struct manifest *manifest, const struct variant *variant)
{
	size_t len = 0;
	char *text = note_expected(manifest, variant, &len);
	bool same = text && scan->note && len == scan->note_len && !memcmp(text, scan->note, len);

	free(text);
	if (!scan->note)
		return object_fail(LOAD_NOTE_MISMATCH, "it has no .note.kfn");
	return same ? 0 : object_fail(LOAD_NOTE_MISMATCH, "its .note.kfn does not say what the manifest requires");
}

static int elf_check(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant,
		     struct scan *scan)
{
	const char *wrong;
	Elf *elf;
	int err;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)bytes->data, bytes->len);
	wrong = elf ? scan_elf(elf, &variant->program, scan) : "not an ELF file";
	err = wrong ? object_fail(LOAD_OBJECT_INVALID, wrong) : note_check(scan, manifest, variant);
	elf_end(elf);
	return err;
}

static void insns_digest(const struct bpf_program *program, char digest[DIGEST_LEN + 1])
{
	sha256_hex(bpf_program__insns(program), bpf_program__insn_cnt(program) * sizeof(struct bpf_insn), digest);
}

/* expected NULL: relocations change the instructions, so no digest could say what they are. */
static int insns_check(const char *expected, const struct bpf_program *program)
{
	char digest[DIGEST_LEN + 1];

	insns_digest(program, digest);
	if (expected && strcmp(digest, expected))
		return object_fail(LOAD_INSNS_DIGEST, "its instructions are not those that the manifest names");
	return 0;
}

/* The one program of the object as libbpf understood it, which is what will be loaded. */
static int program_check(struct bpf_object *object, const struct variant *variant, const struct scan *scan,
			 struct bpf_program **out)
{
	const struct program_spec *spec = &variant->program;
	struct bpf_program *program = bpf_object__next_program(object, NULL);

	if (!program || bpf_object__next_program(object, program))
		return object_fail(LOAD_UNSUPPORTED_PROGRAM, "it does not hold exactly one program");
	if (strcmp(bpf_program__name(program), spec->name) || strcmp(bpf_program__section_name(program), spec->section) ||
	    bpf_program__insn_cnt(program) != (size_t)spec->insns || scan->size / sizeof(struct bpf_insn) != (size_t)spec->insns)
		return object_fail(LOAD_OBJECT_INVALID, "its program is not the manifest's");
	if (strcmp(spec->type, "flow_dissector") || strcmp(spec->hook, "netns") ||
	    bpf_program__type(program) != BPF_PROG_TYPE_FLOW_DISSECTOR)
		return object_fail(LOAD_UNSUPPORTED_PROGRAM, "only flow_dissector programs on the netns hook are handled");
	/* A map is state, or data that the kernel's tag does not cover: `keep` could not tell two programs apart. */
	if (bpf_object__next_map(object, NULL))
		return object_fail(LOAD_UNSUPPORTED_MAP, "it has maps (or .rodata, .data, .bss, .kconfig)");
	if (spec->insns_digest && scan->relocations)
		return object_fail(LOAD_INSNS_DIGEST, "it has relocations, so no insnsDigest can say what the kernel will get");
	*out = program;
	return insns_check(spec->insns_digest, program);
}

/* Since Linux 6.18 the tag is the start of sha256 over the instructions; before, of sha1, which proves nothing. */
static int tag_check(const struct bpf_program *program, const struct loaded *loaded)
{
	static const struct kernel_version sha256_tags = { { 6, 18, 0 } };
	unsigned char digest[crypto_hash_sha256_BYTES];

	if (kernel_compare(kernel_running(), sha256_tags) < 0)
		return 0;
	crypto_hash_sha256(digest, (const void *)bpf_program__insns(program),
			   bpf_program__insn_cnt(program) * sizeof(struct bpf_insn));
	if (!memcmp(digest, loaded->tag, KERNEL_TAG_SIZE))
		return 0;
	object_fail(LOAD_TAG_UNEXPECTED, "the kernel reports another tag than the instructions have");
	fail_detail("kernelTag", hex_json(loaded->tag, KERNEL_TAG_SIZE));
	fail_detail("expectedTag", hex_json(digest, KERNEL_TAG_SIZE));
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
static int kernel_load(struct bpf_program *program, const char *license, const struct kernel_signature *signature, char *log,
		       struct loaded *out)
{
	int err;

	if (signature && signed_load(program, license, signature, &out->check, &out->signed_fd))
		return -1;
	out->prog_fd = out->signed_fd;
	if (out->prog_fd > 0)
		return 0;
	err = bpf_object__load(out->object);
	if (err)
		return load_fail(-err, log);
	out->prog_fd = bpf_program__fd(program);
	return 0;
}

static int program_load(struct bpf_program *program, const struct program_spec *spec, const char *license,
			const struct kernel_signature *signature, char *log, struct loaded *out)
{
	struct bpf_prog_info info = { 0 };
	char digest[DIGEST_LEN + 1];
	uint32_t len = sizeof(info);
	int err;

	insns_digest(program, digest);
	if (kernel_load(program, license, signature, log, out))
		return -1;
	err = bpf_obj_get_info_by_fd(out->prog_fd, &info, &len);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "the loaded program cannot be inspected");
	memcpy(out->tag, info.tag, KERNEL_TAG_SIZE);
	out->id = info.id;
	out->verified_insns = info.verified_insns;
	/* CO-RE and old-kernel fixups are libbpf's, not in the ELF's relocations: what was loaded must still fit. */
	return insns_check(spec->insns_digest ? digest : NULL, program) ?: tag_check(program, out);
}

static int load(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant, json_t *config,
		const struct kernel_signature *signature, struct loaded *out)
{
	struct scan scan = { 0 };
	struct bpf_program *program = NULL;
	char *log;
	int err;

	*libbpf_said = 0;
	out->object = NULL;
	if (elf_check(bytes, manifest, variant, &scan))
		return -1;
	log = calloc(1, LOG_SIZE);
	if (!log)
		return fail(LOAD_INTERNAL, NULL, "out of memory");
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "kfn", .kernel_log_buf = log, .kernel_log_size = LOG_SIZE);
	out->object = bpf_object__open_mem(bytes->data, bytes->len, &opts);
	if (!out->object)
		err = object_fail(LOAD_OBJECT_INVALID, "libbpf cannot open it");
	else
		err = program_check(out->object, variant, &scan, &program) ?: config_apply(manifest, config, program) ?:
		      program_load(program, &variant->program, scan.license ?: "", signature, log, out);
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
