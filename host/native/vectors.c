/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a loaded program on bytes through BPF_PROG_TEST_RUN, and a bundle's vectors that way. Attaches nothing. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

#define WHERE LOAD_VECTORS_INVALID

_Static_assert(sizeof(struct bpf_flow_keys) == FLOW_KEYS_SIZE, "struct bpf_flow_keys");

/* The kernel takes 14 bytes (an Ethernet header) to about a page. Returns -errno without fail(). */
int packet_run(int prog_fd, const void *data, size_t len, uint32_t flags, uint32_t *retval,
	       unsigned char out[FLOW_KEYS_SIZE])
{
	struct bpf_flow_keys context = { .flags = flags };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len, .data_out = out,
		    .data_size_out = FLOW_KEYS_SIZE, .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	int err = bpf_prog_test_run_opts(prog_fd, &opts);

	*retval = opts.retval;
	if (!err && opts.data_size_out != FLOW_KEYS_SIZE)
		return -EPROTO;
	return err;
}

struct vector {
	const char *name, *why, *program;
	unsigned char data[MAX_PACKET], out[FLOW_KEYS_SIZE];
	size_t len;
	json_int_t flags, retval;
	bool has_out;
};

static int vector_parse(json_t *line, const char *where, struct vector *out)
{
	const char *data, *expected = NULL;
	size_t len;

	out->flags = 0;
	if (unpack(WHERE, where, line, "{s:s, s:s, s:s, s:s, s?I, s:I, s?s}", "name", &out->name, "why", &out->why,
		   "program", &out->program, "data", &data, "flags", &out->flags, "retval", &out->retval,
		   "out", &expected))
		return -1;
	out->has_out = expected;
	if (!*out->name || !is_text(out->name, 200) || out->flags < 0 || out->flags > UINT32_MAX || out->retval < 0 ||
	    out->retval > UINT32_MAX || hex_read(data, MAX_PACKET, out->data, &out->len))
		return fail(WHERE, NULL, "%s: name, data, flags or retval is malformed", where);
	if (expected && (hex_read(expected, FLOW_KEYS_SIZE, out->out, &len) || len != FLOW_KEYS_SIZE))
		return fail(WHERE, NULL, "%s: out is not %d bytes of hex", where, FLOW_KEYS_SIZE);
	return 0;
}

static int vector_run(const struct vector *vector, const char *where, int prog_fd)
{
	unsigned char out[FLOW_KEYS_SIZE] = { 0 };
	uint32_t retval;
	int err = packet_run(prog_fd, vector->data, vector->len, vector->flags, &retval, out);

	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: vector `%s` cannot be run", where, vector->name);
	if (retval == (uint32_t)vector->retval && (!vector->has_out || !memcmp(out, vector->out, sizeof(out))))
		return 0;
	fail(LOAD_VECTOR_FAILED, "this build of the function is wrong on this kernel; tell its publisher",
	     "%s: vector `%s` does not get the answer it must", where, vector->name);
	fail_detail("vector", json_string(vector->name));
	fail_detail("expectedRetval", json_integer(vector->retval));
	fail_detail("retval", json_integer(retval));
	fail_detail("expectedOut", vector->has_out ? hex_json(vector->out, sizeof(vector->out)) : json_null());
	fail_detail("out", hex_json(out, sizeof(out)));
	return -1;
}

/* names: every vector's name so far in this bundle, as keys of an object. */
static int line_run(const struct buf *text, const char *where, const char *program, int prog_fd, json_t *names)
{
	json_t *line __json = json_open(text, WHERE, where);
	static struct vector vector;

	if (!line || vector_parse(line, where, &vector))
		return -1;
	if (strcmp(vector.program, program))
		return fail(WHERE, NULL, "%s: vector `%s` is for a program that is not there", where, vector.name);
	if (json_object_get(names, vector.name) || json_object_size(names) >= MAX_VECTORS)
		return fail(WHERE, NULL, "%s: vector `%s` is there twice, or one too many", where, vector.name);
	json_object_set_new(names, vector.name, json_true());
	return vector_run(&vector, where, prog_fd);
}

int vectors_run(const struct buf *file, const char *path, const char *program, int prog_fd, json_t *names)
{
	unsigned char *at = file->data, *end = file->data + file->len;
	unsigned int number;

	for (number = 1; at < end; number++) {
		unsigned char *newline = memchr(at, '\n', end - at);
		struct buf line = { at, newline ? (size_t)(newline - at) : 0 };
		char where[160];

		snprintf(where, sizeof(where), "%s:%u", path, number);
		if (!newline)
			return fail(WHERE, NULL, "%s: the last line does not end", where);
		if (line_run(&line, where, program, prog_fd, names))
			return -1;
		at = newline + 1;
	}
	return 0;
}
