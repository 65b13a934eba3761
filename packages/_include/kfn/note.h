/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an object needs, said inside the object itself: one ELF note in section
 * .note.kfn. Refuses to be optional: the loader compares it with the manifest.
 *
 * Owner "kfn", type 1. The descriptor is ASCII, one "key=value" a line, in this
 * order: function, abi, kernel, then every feature, sorted; NUL pads it to a
 * multiple of 4 bytes.
 *
 *	KFN_NOTE("flow-dissector", "1", ">=6.1",
 *		 KFN_FEATURE("link:netns")
 *		 KFN_FEATURE("prog_type:flow_dissector"));
 *
 * It is written by the assembler, not as a C object, so that it is in no
 * DATASEC of the BTF and no symbol of the object.
 */
#ifndef KFN_NOTE_H
#define KFN_NOTE_H

#define KFN_FEATURE(name) "feature=" name "\\n"

#define KFN_NOTE(function, abi, kernel, features)			\
	__asm__(".pushsection .note.kfn,\"\",@note\n"			\
		"	.balign 4\n"					\
		"	.long 4\n"	/* size of the owner */		\
		"	.long 2f - 1f\n"	/* size of the text */	\
		"	.long 1\n"	/* type: requirements */	\
		"	.asciz \"kfn\"\n"				\
		"1:	.ascii \"function=" function "\\nabi=" abi	\
		"\\nkernel=" kernel "\\n" features "\"\n"		\
		"	.balign 4\n"	/* NUL */			\
		"2:\n"							\
		".popsection\n")

#endif
