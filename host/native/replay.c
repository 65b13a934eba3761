/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the active program on packets from stdin without touching traffic. Input: {u32le length, u32le flags, bytes}. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "kfn-load.h"

static int one_run(int prog_fd, size_t len, uint32_t flags)
{
	static unsigned char packet[MAX_PACKET];
	unsigned char out[FLOW_KEYS_SIZE] = { 0 };
	char hex[2 * FLOW_KEYS_SIZE + 1];
	uint32_t retval;
	int err;

	if (len > MAX_PACKET)
		return fail(LOAD_REPLAY_INPUT, NULL, "a packet of %zu bytes is longer than %d", len, MAX_PACKET);
	if (fread(packet, 1, len, stdin) != len)
		return fail(LOAD_REPLAY_INPUT, NULL, "stdin ends inside a packet");
	err = packet_run(prog_fd, packet, len, flags, &retval, out);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "a packet of %zu bytes cannot be run", len);
	printf("{\"retval\":%u,\"out\":\"%s\"}\n", retval, sodium_bin2hex(hex, sizeof(hex), out, sizeof(out)));
	return 0;
}

/* Of a pattern, the first that is pinned under it: all run the same. */
static int active_open(const char *function, const char *scope, struct pin *out)
{
	struct pin *pins = NULL;
	size_t count = 0, i;
	int err;

	*out = (struct pin){ .link_fd = -1, .prog_fd = -1, .new_fd = -1 };
	if (scope_is_one(scope))
		return pin_open(function, scope, out);
	err = pin_walk(&pins, &count);
	for (i = 0; i < count; i++) {
		bool first = out->link_fd < 0 && pins[i].netns_inode && !strcmp(pins[i].function, function) &&
			     scope_covers(scope, pins[i].scope);

		if (first)
			*out = pins[i];
		else
			pin_close(&pins[i]);
	}
	free(pins);
	return err;
}

int cmd_replay(const char *function, const char *scope)
{
	size_t packets, got = 0;
	uint32_t head[2];
	struct pin pin;
	int err = 0;

	if (!is_name(function) || !is_scope(scope))
		return fail(LOAD_USAGE, NULL, "`%s` in `%s` is not a function in a scope", function, scope);
	if (bpffs_check() || active_open(function, scope, &pin))
		return -1;
	if (pin.hook != HOOK_NONE && pin.hook != HOOK_NETNS)
		err = fail(LOAD_UNSUPPORTED_PROGRAM, NULL, "only flow dissectors can be replayed: a program at %s could send packets", scope);
	else if (pin_current(&pin) < 0)
		err = fail(LOAD_NOT_ACTIVE, NULL, "%s is not active in %s", function, scope);
	for (packets = 0; !err && (got = fread(head, 1, sizeof(head), stdin)) == sizeof(head); packets++)
		err = one_run(pin_current(&pin), le32toh(head[0]), le32toh(head[1]));
	if (!err && got)
		err = fail(LOAD_REPLAY_INPUT, NULL, "stdin ends inside a packet's header");
	pin_close(&pin);
	return err ?: answer(json_pack("{s:I}", "packets", (json_int_t)packets));
}
