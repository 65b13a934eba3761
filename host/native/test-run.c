/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a loaded program through BPF_PROG_TEST_RUN: bytes and what the kernel lets through of the context go in, the
 * answer, the bytes and that context come out. Attaches nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <string.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

_Static_assert(sizeof(struct bpf_flow_keys) == FLOW_KEYS_SIZE, "struct bpf_flow_keys");

/* What convert___skb_to_skb (net/bpf/test_run.c) takes, and what comes back. */
static const struct {
	const char *name;
	size_t offset, count;			/* of u32 */
	bool comes_back;
} skb_fields[] = {
	{ "cb", offsetof(struct __sk_buff, cb), 5, true },
	{ "gso_segs", offsetof(struct __sk_buff, gso_segs), 1, true },
	{ "gso_size", offsetof(struct __sk_buff, gso_size), 1, false },
	{ "mark", offsetof(struct __sk_buff, mark), 1, true },
	{ "priority", offsetof(struct __sk_buff, priority), 1, true },
	{ "wire_len", offsetof(struct __sk_buff, wire_len), 1, true },
};
#define SKB_FIELDS (sizeof(skb_fields) / sizeof(skb_fields[0]))

static bool within(json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= UINT32_MAX;
}

static bool field_read(json_t *value, size_t count, uint32_t *out)
{
	size_t i;

	if (count == 1) {
		*out = json_integer_value(value);
		return within(value);
	}
	if (!json_is_array(value) || json_array_size(value) != count)
		return false;
	for (i = 0; i < count; i++) {
		out[i] = json_integer_value(json_array_get(value, i));
		if (!within(json_array_get(value, i)))
			return false;
	}
	return true;
}

static bool skb_read(json_t *fields, bool back, struct __sk_buff *out)
{
	const char *name;
	json_t *value;

	json_object_foreach(fields, name, value) {
		size_t i;

		for (i = 0; i < SKB_FIELDS; i++)
			if (!strcmp(skb_fields[i].name, name))
				break;
		if (i == SKB_FIELDS || (back && !skb_fields[i].comes_back) ||
		    !field_read(value, skb_fields[i].count, (uint32_t *)((char *)out + skb_fields[i].offset)))
			return false;
	}
	return true;
}

bool context_valid(json_t *fields, bool back)
{
	struct __sk_buff skb = { 0 };

	return json_is_object(fields) && skb_read(fields, back, &skb);
}

/* Of the named fields: what came back. */
static json_t *skb_json(json_t *wanted, const struct __sk_buff *skb)
{
	json_t *out = json_object();
	size_t i, k;

	for (i = 0; i < SKB_FIELDS; i++) {
		const uint32_t *at = (const uint32_t *)((const char *)skb + skb_fields[i].offset);
		json_t *list;

		if (!json_object_get(wanted, skb_fields[i].name))
			continue;
		list = json_array();
		for (k = 0; k < skb_fields[i].count; k++)
			json_array_append_new(list, json_integer(at[k]));
		json_object_set(out, skb_fields[i].name, skb_fields[i].count == 1 ? json_array_get(list, 0) : list);
		json_decref(list);
	}
	return out;
}

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

/* Of a sched_cls program the bytes begin with the Ethernet header, of XDP they are as they are. */
static int bytes_run(int prog_fd, const struct test_run *run, struct test_answer *out)
{
	struct __sk_buff in = { 0 }, back = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = run->data, .data_size_in = run->len, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes), .repeat = 1);
	int err;

	if (run->context) {
		skb_read(run->context, false, &in);
		opts.ctx_in = &in;
		opts.ctx_size_in = sizeof(in);
	}
	if (run->wanted) {
		opts.ctx_out = &back;
		opts.ctx_size_out = sizeof(back);
	}
	err = bpf_prog_test_run_opts(prog_fd, &opts);
	out->retval = opts.retval;
	out->len = opts.data_size_out < sizeof(out->bytes) ? opts.data_size_out : sizeof(out->bytes);
	if (!err && run->wanted)
		out->context = skb_json(run->wanted, &back);
	return err;
}

int test_run(int prog_fd, const struct test_run *run, struct test_answer *out)
{
	out->context = NULL;
	out->len = FLOW_KEYS_SIZE;
	if (run->flow_keys)
		return packet_run(prog_fd, run->data, run->len, run->flags, &out->retval, out->bytes);
	return bytes_run(prog_fd, run, out);
}
