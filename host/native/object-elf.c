/* SPDX-License-Identifier: Apache-2.0 */
/* The ELF of an object as far as libbpf does not look: its note against the manifest, its licence, one program. Loads nothing. */
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kfn-load.h"

#define MAX_NOTE	4096

/* What libbpf does not tell. */
struct scan {
	const char *note;
	size_t note_len;
	size_t section;				/* index of the program's section */
	uint64_t size;				/* of the program inside it, bytes */
	const char *license;
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
		out->size = symbol.st_size;
	}
	return out->size ? 0 : -1;
}

/* Two passes, as the symbol needs the section that the first found. */
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
	for (pass = 0; pass < 2; pass++) {
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
			if (at.sh_type == SHT_RELA)
				return "it has relocations of a kind that BPF objects do not have";
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

int elf_check(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant, const char **license)
{
	struct scan scan = { 0 };
	const char *wrong;
	Elf *elf;
	int err;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)bytes->data, bytes->len);
	wrong = elf ? scan_elf(elf, &variant->program, &scan) : "not an ELF file";
	err = wrong ? object_fail(LOAD_OBJECT_INVALID, wrong) : note_check(&scan, manifest, variant);
	elf_end(elf);
	*license = scan.license ?: "";
	return err;
}
