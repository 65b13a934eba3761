/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's vectors: what each line says (docs/formats/vectors.md), and whether the program gives that answer. Attaches nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kfn-load.h"

#define WHERE LOAD_VECTORS_INVALID

struct vector {
	const char *name, *why, *program;
	unsigned char data[MAX_BYTES], out[MAX_BYTES];
	size_t len, out_len;
	json_t *context, *wanted;		/* borrowed from the line; NULL: there is none */
	json_int_t flags, retval;
	bool has_out;
};

/* What only one type of program has. */
static const char *fit(const struct vector *vector, const char *type)
{
	bool is_keys = !strcmp(type, "flow_dissector");

	if (vector->flags && !is_keys)
		return "flags are a flow dissector's";
	if ((vector->context || vector->wanted) && strcmp(type, "sched_cls"))
		return "ctx and ctxOut are a sched_cls program's";
	if (is_keys && vector->len > MAX_PACKET)
		return "data is longer than a flow dissector's may be";
	if (is_keys && vector->has_out && vector->out_len != FLOW_KEYS_SIZE)
		return "out is not the bytes of struct bpf_flow_keys";
	return NULL;
}

static int vector_parse(json_t *line, const char *where, const char *type, struct vector *out)
{
	const char *data, *expected = NULL, *wrong;

	out->flags = 0;
	out->context = out->wanted = NULL;
	if (unpack(WHERE, where, line, "{s:s, s:s, s:s, s:s, s?I, s?o, s:I, s?s, s?o}", "name", &out->name, "why", &out->why,
		   "program", &out->program, "data", &data, "flags", &out->flags, "ctx", &out->context,
		   "retval", &out->retval, "out", &expected, "ctxOut", &out->wanted))
		return -1;
	out->has_out = expected;
	if (!*out->name || !is_text(out->name, 200) || out->flags < 0 || out->flags > UINT32_MAX || out->retval < 0 ||
	    out->retval > UINT32_MAX || hex_read(data, MAX_BYTES, out->data, &out->len))
		return fail(WHERE, NULL, "%s: name, data, flags or retval is malformed", where);
	if (expected && hex_read(expected, MAX_BYTES, out->out, &out->out_len))
		return fail(WHERE, NULL, "%s: out is not hex", where);
	if ((out->context && !context_valid(out->context, false)) || (out->wanted && !context_valid(out->wanted, true)))
		return fail(WHERE, NULL, "%s: ctx or ctxOut is not what the kernel lets through", where);
	wrong = fit(out, type);
	return wrong ? fail(WHERE, NULL, "%s: %s", where, wrong) : 0;
}

static bool fulfilled(const struct vector *vector, const struct test_answer *answer)
{
	return answer->retval == (uint32_t)vector->retval &&
	       (!vector->has_out || (answer->len == vector->out_len && !memcmp(answer->bytes, vector->out, answer->len))) &&
	       (!vector->wanted || json_equal(vector->wanted, answer->context));
}

static int vector_run(const struct vector *vector, const char *where, const char *type, int prog_fd)
{
	struct test_run run = {
		.flow_keys = !strcmp(type, "flow_dissector"), .data = vector->data, .len = vector->len,
		.flags = vector->flags, .context = vector->context, .wanted = vector->wanted,
	};
	static struct test_answer answer;
	json_t *context __json = NULL;
	int err = test_run(prog_fd, &run, &answer);

	context = answer.context;
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: vector `%s` cannot be run", where, vector->name);
	if (fulfilled(vector, &answer))
		return 0;
	fail(LOAD_VECTOR_FAILED, "this build of the function is wrong on this kernel; tell its publisher",
	     "%s: vector `%s` does not get the answer it must", where, vector->name);
	fail_detail("vector", json_string(vector->name));
	fail_detail("expectedRetval", json_integer(vector->retval));
	fail_detail("retval", json_integer(answer.retval));
	fail_detail("expectedOut", vector->has_out ? hex_json(vector->out, vector->out_len) : json_null());
	fail_detail("out", hex_json(answer.bytes, answer.len));
	if (vector->wanted) {
		fail_detail("expectedCtx", json_incref(vector->wanted));
		fail_detail("ctx", json_incref(context));
	}
	return -1;
}

/* names: every vector's name so far in this bundle, as keys of an object. */
static int line_run(const struct buf *text, const char *where, const struct program_spec *program, int prog_fd, json_t *names)
{
	json_t *line __json = json_open(text, WHERE, where);
	static struct vector vector;

	if (!line || vector_parse(line, where, program->type, &vector))
		return -1;
	if (strcmp(vector.program, program->name))
		return fail(WHERE, NULL, "%s: vector `%s` is for a program that is not there", where, vector.name);
	if (json_object_get(names, vector.name) || json_object_size(names) >= MAX_VECTORS)
		return fail(WHERE, NULL, "%s: vector `%s` is there twice, or one too many", where, vector.name);
	json_object_set_new(names, vector.name, json_true());
	return vector_run(&vector, where, program->type, prog_fd);
}

int vectors_run(const struct buf *file, const char *path, const struct program_spec *program, int prog_fd, json_t *names)
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
