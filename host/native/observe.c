/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares what a device makes of TCP superpackets with what the planned program makes of them: the program at a veth pair in a
 * network namespace of this process's own, the device on the wire between its port and another. Attaches nothing to either port.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "superpacket.h"

#define TOLD 8			/* differences in the answer; after so many no more are looked for */
#define TOLD_BYTES 128

struct observation {
	struct wire software, device;
	uint64_t seed;
	size_t segments, superpackets;
	json_t *differences;
};

static unsigned int check_at(const unsigned char *bytes)
{
	return 14 + (bytes[12] == 0x08 ? 20 : 40) + 16;
}

/* Of a finished checksum, 0 and 0xffff are the same sum. */
static bool same(const struct segment *a, const struct segment *b)
{
	unsigned int at = check_at(a->bytes);

	if (a->len != b->len || a->len < at + 2)
		return false;
	/* The frame's number is in its address: the two wires count apart. */
	if (memcmp(a->bytes + 12, b->bytes + 12, at - 12) || memcmp(a->bytes + at + 2, b->bytes + at + 2, a->len - at - 2))
		return false;
	return !memcmp(a->bytes + at, b->bytes + at, 2) ||
	       ((!memcmp(a->bytes + at, "\0\0", 2) || !memcmp(a->bytes + at, "\xff\xff", 2)) &&
		(!memcmp(b->bytes + at, "\0\0", 2) || !memcmp(b->bytes + at, "\xff\xff", 2)));
}

static json_t *segment_json(const struct segments *segments, size_t index)
{
	const struct segment *segment = &segments->segment[index];

	if (index >= segments->count)
		return json_null();
	return hex_json(segment->bytes, segment->len < TOLD_BYTES ? segment->len : TOLD_BYTES);
}

static void difference_add(struct observation *o, const struct superpacket *p, const char *what, size_t index,
			   const struct segments *software, const struct segments *device)
{
	json_array_append_new(o->differences, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "superpacket", p->name, "what", what,
							"mss", (json_int_t)p->mss, "payload", (json_int_t)p->payload, "segments", (json_int_t)software->count,
							"segment", (json_int_t)index,
							"software", segment_json(software, index), "device", segment_json(device, index)));
}

static void compare(struct observation *o, const struct superpacket *p, const struct segments *software, const struct segments *device)
{
	size_t most = software->count > device->count ? software->count : device->count, i;

	o->segments += software->count;
	if (device->whole)
		return difference_add(o, p, "whole", 0, software, device);
	for (i = 0; i < most; i++) {
		if (i >= device->count)
			return difference_add(o, p, "missing", i, software, device);
		if (i >= software->count)
			return difference_add(o, p, "extra", i, software, device);
		if (!same(&software->segment[i], &device->segment[i]))
			return difference_add(o, p, "bytes", i, software, device);
	}
}

static int one_observe(struct observation *o, unsigned int index)
{
	static struct segments software, device;
	static struct superpacket p;
	int err;

	superpacket_make(&p, o->seed, index, o->device.mtu);
	err = wire_send(&o->software, &p, &software) ?: wire_send(&o->device, &p, &device);
	if (!err && (software.whole || software.payload != p.payload))
		err = fail(LOAD_INTERNAL, NULL, "the program itself did not segment %s: %zu of %u bytes came", p.name, software.payload, p.payload);
	if (!err)
		compare(o, &p, &software, &device);
	segments_free(&software);
	segments_free(&device);
	o->superpackets++;
	return err;
}

/* The program on a pair that goes with this process. */
static int software_open(const struct checked *checked, struct wire *wire, int *link)
{
	struct place out = { .fd = -1 }, in = { .fd = -1 };
	enum hook_kind hook;
	int err;

	if (unshare(CLONE_NEWNET))
		return fail_errno(LOAD_NO_PRIVILEGE, errno, "a network namespace cannot be made");
	err = hook_choose(checked->variant.program.hook, &hook) ?: veth_make(&out, &in) ?: wire_open(&out, &in, false, wire) ?: wire_check(wire);
	if (!err && (err = hook_attach(hook, &out, checked->loaded.prog_fd, link)))
		err = fail_errno(LOAD_KERNEL_REFUSED, -err, "the program cannot be attached to a veth pair");
	place_close(&out);
	place_close(&in);
	return err;
}

static int device_open(const char *out_scope, const char *in_scope, struct wire *wire)
{
	struct place out = { .fd = -1 }, in = { .fd = -1 };
	int err = place_open(out_scope, &out) ?: place_open(in_scope, &in) ?: wire_open(&out, &in, true, wire) ?: wire_check(wire);

	place_close(&out);
	place_close(&in);
	return err;
}

static bool is_device(const char *scope)
{
	struct scope parsed;

	return scope_parse(scope, &parsed) && parsed.kind == SCOPE_DEV;
}

static int observe(const struct function_spec *spec, const char *out, const char *in, struct observation *o)
{
	struct checked checked = { 0 };
	struct proved before = { 0 };
	int link __close = -1;
	unsigned int i;
	int err;

	if (strcmp(spec->function, "tso"))
		return fail(LOAD_UNSUPPORTED_PROGRAM, NULL, "there is no way to send what %s takes through a device", spec->function);
	err = function_check(&before, spec, &checked) ?: device_open(out, in, &o->device) ?: software_open(&checked, &o->software, &link);
	for (i = 0; !err && i < superpackets && json_array_size(o->differences) < TOLD; i++)
		err = one_observe(o, i);
	wire_close(&o->device);
	wire_close(&o->software);
	checked_free(&checked);
	return err;
}

int cmd_observe(const char *path, const char *out, const char *in, const char *seed)
{
	struct observation o = { .software = WIRE_NONE, .device = WIRE_NONE };
	json_t *differences __json = json_array();
	static struct plan plan;
	char *rest;
	int err;

	o.seed = strtoull(seed, &rest, 10);
	o.differences = differences;
	if (!is_device(out) || !is_device(in) || !*seed || *rest)
		return fail(LOAD_USAGE, NULL, "observe takes a plan, two scopes of devices and a number");
	err = plan_read(path, NULL, 0, &plan);
	if (!err && plan.count != 1)
		err = fail(LOAD_USAGE, NULL, "observe takes a plan of one function, not of %zu", plan.count);
	err = err ?: observe(&plan.functions[0], out, in, &o);
	plan_free(&plan);
	return err ?: answer(json_pack("{s:I, s:I, s:I, s:O}", "superpackets", (json_int_t)o.superpackets, "segments", (json_int_t)o.segments,
				       "mtu", (json_int_t)o.device.mtu, "differences", differences));
}
