/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What makes a C function a program of a bundle: its section, its licence, and
 * the inlining that keeps it free of relocations. Refuses to declare maps.
 */
#ifndef KFN_PROGRAM_H
#define KFN_PROGRAM_H

/* Puts a definition into the ELF section NAME and keeps it there. */
#define SEC(name) __attribute__((section(name), used))

/*
 * A call from one section to .text is a relocation, and a program with
 * relocations has no digest that the kernel would show: everything is inlined.
 */
#define __always_inline inline __attribute__((always_inline))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * The licence as the kernel reads it from section "license": one of the
 * strings of include/linux/license.h, license_is_gpl_compatible().
 */
#define KFN_LICENSE(text) char kfn_license[] SEC("license") = text

#endif
