/* SPDX-License-Identifier: Apache-2.0 */
/* Reads JSON strictly: UTF-8, no duplicate keys, no unknown fields, no trailing text. */
#include <stdarg.h>
#include <string.h>
#include "kfn-load.h"

json_t *json_open(const struct buf *buf, enum load_code code, const char *what)
{
	json_error_t error;
	json_t *root = json_loadb((const char *)buf->data, buf->len, JSON_REJECT_DUPLICATES, &error);

	if (!root)
		fail(code, NULL, "%s: line %d: %s", what, error.line, error.text);
	return root;
}

/* json_unpack_ex() where a field that fmt does not name is an error. */
int unpack(enum load_code code, const char *what, json_t *value, const char *fmt, ...)
{
	json_error_t error;
	va_list args;
	int err;

	va_start(args, fmt);
	err = json_vunpack_ex(value, &error, JSON_STRICT, fmt, args);
	va_end(args);
	return err ? fail(code, NULL, "%s: %s", what, error.text) : 0;
}
