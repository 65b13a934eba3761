/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the one failure of a run and prints the one answer. Never prints text from outside unplained. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "kfn-load.h"

static const struct {
	const char *code;
	int exit;
	const char *means;
} table[] = {
#define X(name, exit_code, text) [name] = { #name, exit_code, text },
	LOAD_ERRORS(X)
#undef X
};

static struct {
	bool set, last_is_first;
	enum load_code code;
	const char *hint;
	char message[512], last[512];
	json_t *details;
} failure;

/* ASCII only: escapes, C1 controls, and direction overrides would all act on the reader's terminal. */
void plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			*text = '?';
}

static int fail_text(enum load_code code, const char *hint, const char *fmt, va_list args)
{
	vsnprintf(failure.last, sizeof(failure.last), fmt, args);
	plain(failure.last);
	failure.last_is_first = !failure.set;
	if (!failure.set) {
		failure.set = true;
		failure.code = code;
		failure.hint = hint;
		memcpy(failure.message, failure.last, sizeof(failure.message));
	}
	return -1;
}

int fail(enum load_code code, const char *hint, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail_text(code, hint, fmt, args);
	va_end(args);
	return -1;
}

int fail_errno(enum load_code code, int err, const char *fmt, ...)
{
	bool denied = err == EPERM || err == EACCES;
	char text[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fail(denied ? LOAD_NO_PRIVILEGE : code,
	     denied ? "run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN" : NULL,
	     "%s: %s", text, strerror(err));
	fail_detail("errno", json_string(strerrorname_np(err) ?: "unknown"));
	return -1;
}

void fail_detail(const char *key, json_t *value)
{
	if (!failure.last_is_first) {
		json_decref(value);
		return;
	}
	if (!failure.details)
		failure.details = json_object();
	json_object_set_new(failure.details, key, value);
}

/* Every failure after a change says whether the change was taken back. */
void fail_undone(json_t *failed)
{
	failure.last_is_first = true;
	fail_detail("undone", json_boolean(!json_array_size(failed)));
	if (json_array_size(failed))
		fail_detail("notUndone", failed);
	else
		json_decref(failed);
}

const char *last_failure(void)
{
	return failure.last;
}

bool failed_with(enum load_code code)
{
	return failure.set && failure.code == code;
}

static int print(json_t *document)
{
	int err = document ? json_dumpf(document, stdout, JSON_COMPACT) : -1;

	json_decref(document);
	if (err || putchar('\n') == EOF || fflush(stdout) == EOF) {
		fputs("kfn-load: cannot write the answer\n", stderr);
		return -1;
	}
	return 0;
}

int answer(json_t *fields)
{
	json_t *document = json_pack("{s:b}", "ok", 1);

	if (!fields || json_object_update_new(document, fields)) {
		json_decref(document);
		return fail(LOAD_INTERNAL, NULL, "the answer could not be put together");
	}
	return print(document) ? fail(LOAD_INTERNAL, NULL, "stdout cannot be written") : 0;
}

static json_t *failure_json(void)
{
	if (!failure.set)
		fail(LOAD_INTERNAL, NULL, "a step failed without saying why");
	return json_pack("{s:s, s:s, s:s*, s:o*}", "code", table[failure.code].code, "message", failure.message,
			 "hint", failure.hint, "details", failure.details);
}

json_t *failure_clear(void)
{
	json_t *error = failure_json();

	failure.set = failure.last_is_first = false;
	failure.details = NULL;
	return error;
}

/* A bug, a wrong command line and a missing privilege are everybody's failure. */
json_t *failure_take(void)
{
	int exit_code = table[failure.code].exit;

	if (!failure.set || failure.code == LOAD_NO_PRIVILEGE || (exit_code != 1 && exit_code != 3))
		return NULL;
	return failure_clear();
}

int answer_failure(void)
{
	print(json_pack("{s:b, s:o}", "ok", 0, "error", failure_json()));
	return table[failure.code].exit;
}

json_t *errors_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "code", table[i].code, "exit", table[i].exit,
						      "means", table[i].means));
	return json_pack("{s:o}", "errors", list);
}
