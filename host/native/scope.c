/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scope says, without a look at the machine: its grammar, what it covers, and which hooks take it. Refuses every
 * second spelling of a namespace's file and every name that no device can have. expand.c says what a scope means now.
 */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "kfn-load.h"

/* Absolute and normal: no empty, `.` or `..` part, no slash at the end. */
static bool is_file(const char *path)
{
	const char *part = path;

	if (*path != '/')
		return false;
	while (part) {
		size_t len = strcspn(++part, "/");

		if (!len || (len <= 2 && strspn(part, ".") >= len))
			return false;
		part = part[len] ? part + len : NULL;
	}
	return true;
}

/* dev_valid_name (net/core/dev.c): white space is that of the kernel's isspace(). A star would look like a pattern. */
static bool is_device(const char *name)
{
	return *name && strlen(name) < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..") &&
	       !strpbrk(name, "/:* \xa0");
}

/* A driver's or a bus's name, as long as ethtool can say it. */
static bool is_kind(const char *name)
{
	return *name && strlen(name) < 32 && !strpbrk(name, "/*");
}

static bool netns_parse(const char *path, struct scope *out)
{
	char *star = strchr(path, '*');
	size_t len = strlen(path);

	if (!strcmp(path, "root"))
		path = ROOT_NETNS;
	snprintf(out->netns, sizeof(out->netns), "%s", path);
	out->kind = SCOPE_NETNS;
	if (!star)
		return is_file(out->netns);
	/* With the star in place: an empty beginning is a part of the path, too. */
	if (star != path + len - 1 || !is_file(path))
		return false;
	out->kind = SCOPE_NETNS_PATTERN;
	out->netns[len - 1] = 0;
	return true;
}

static bool device_parse(const char *text, struct scope *out)
{
	static const struct { const char *word; enum scope_kind kind; } kinds[] = {
		{ "driver=", SCOPE_DEV_DRIVER }, { "bus=", SCOPE_DEV_BUS },
	};
	size_t len = strlen(text), i;
	const char *at = strstr(text, "@/");

	snprintf(out->netns, sizeof(out->netns), "%s", at ? at + 1 : ROOT_NETNS);
	out->kind = SCOPE_DEV;
	for (i = 0; i < 2 && out->kind == SCOPE_DEV; i++)
		if (!strncmp(text, kinds[i].word, strlen(kinds[i].word)))
			out->kind = kinds[i].kind;
	if (out->kind != SCOPE_DEV)
		text += strlen(kinds[i - 1].word);
	snprintf(out->name, sizeof(out->name), "%.*s", (int)(at ? at - text : (long)len), text);
	if (!is_file(out->netns) || strchr(out->netns, '*'))
		return false;
	return out->kind == SCOPE_DEV ? is_device(out->name) : is_kind(out->name);
}

bool scope_parse(const char *text, struct scope *out)
{
	char encoded[MAX_SCOPE + 1];

	memset(out, 0, sizeof(*out));
	if (!is_text(text, MAX_SCOPE) || !scope_encode(text, encoded))
		return false;
	if (!strncmp(text, "netns:", 6))
		return netns_parse(text + 6, out);
	if (!strncmp(text, "dev:", 4))
		return device_parse(text + 4, out);
	return !strcmp(text, "none");
}

bool is_scope(const char *text)
{
	struct scope scope;

	return scope_parse(text, &scope);
}

/* Whether it names one place: what has pins of its own. */
bool scope_is_one(const char *text)
{
	struct scope scope;

	return scope_parse(text, &scope) && (scope.kind == SCOPE_NETNS || scope.kind == SCOPE_DEV);
}

/* Whether a pattern's text covers a namespace's; devices of a driver or bus are told by looking. */
bool scope_covers(const char *pattern, const char *one)
{
	struct scope wide, narrow;
	size_t len;

	if (!scope_parse(pattern, &wide) || !scope_parse(one, &narrow))
		return false;
	if (wide.kind != SCOPE_NETNS_PATTERN || narrow.kind != SCOPE_NETNS)
		return false;
	len = strlen(wide.netns);
	return !strncmp(narrow.netns, wide.netns, len) && narrow.netns[len] && !strchr(narrow.netns + len, '/');
}

/* Two patterns of which one begins with the other, in one folder. Of valid scopes, only patterns end with a star. */
bool scope_overlaps(const char *a, const char *b)
{
	size_t len = strlen(a) - 1, other = strlen(b) - 1;

	if (len > other)
		return scope_overlaps(b, a);
	return a[len] == '*' && b[other] == '*' && !strncmp(a, b, len) && !strchr(b + len, '/');
}

/* The kind of scope that a manifest's hook is attached to. */
bool hook_takes(const char *hook, const char *scope)
{
	struct scope parsed;

	if (!scope_parse(scope, &parsed))
		return false;
	if (!strcmp(hook, "netns"))
		return parsed.kind == SCOPE_NETNS || parsed.kind == SCOPE_NETNS_PATTERN;
	if (!strncmp(hook, "tc-", 3))
		return parsed.kind == SCOPE_DEV || parsed.kind == SCOPE_DEV_DRIVER || parsed.kind == SCOPE_DEV_BUS;
	return !strcmp(hook, "none") && parsed.kind == SCOPE_NONE;
}
