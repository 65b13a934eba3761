// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The headers' C of gro-live on the host: which frames of a backlog become one
 * train, and with what header. The walk is that of gro_live.bpf.c, without a
 * kernel around it. Frames lie in memory of their own size, so that a sanitizer
 * sees what reads behind them.
 *
 * host: reads sequences, each a count and as many frames, a frame as its length,
 * whether its checksum is known to be good, and its bytes; words of 32 bits,
 * little endian. Writes for each sequence a count and as many deliveries: how
 * many frames it stands for, its length, its bytes.
 */
#include "kfn/int.h"
#undef NULL
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#undef __always_inline
#include "train.h"

#define FRAMES 64

struct frame {
	__u8 *bytes;
	__u32 len, good;
};

static __u32 word(void)
{
	__u32 value;

	if (fread(&value, sizeof(value), 1, stdin) != 1)
		errx(1, "the input ends early");
	return value;
}

static int parse(const struct frame *frame, struct segment *s)
{
	__u32 head = frame->len < HEADER_MAX ? frame->len : HEADER_MAX;

	if (head < HEADER_MIN || !frame->good)
		return 0;
	memcpy(s->bytes, frame->bytes, head);
	s->len = frame->len;
	return segment_parse(s);
}

/* goes_on() of gro_live.bpf.c */
static int goes_on(const struct train *t, const struct segment *s, const struct frame *next, struct segment *n)
{
	if ((tcp_flags(s) & (TCP_PSH | TCP_FIN)) || s->payload_len != t->mss)
		return 0;
	if (!parse(next, n) || !train_takes(t, n))
		return 0;
	return t->first.header_len + t->bytes + s->payload_len + n->payload_len <= FRAME_MAX;
}

static void deliver(__u32 count, const void *head, __u32 head_len, const void *rest, __u32 rest_len)
{
	__u32 words[2] = { count, head_len + rest_len };

	fwrite(words, sizeof(words), 1, stdout);
	fwrite(head, head_len, 1, stdout);
	fwrite(rest, rest_len, 1, stdout);
}

/* How many frames the next delivery stands for; it is written unless count is what is asked for. */
static __u32 take(const struct frame *frames, __u32 count, int write)
{
	struct segment s, next;
	struct train t = { 0 };
	__u8 payload[FRAME_MAX];
	__u32 i = 0;

	if (!parse(&frames[0], &s))
		goto alone;
	train_start(&t, &s, 0);
	while (i + 1 < count && goes_on(&t, &s, &frames[i + 1], &next)) {
		memcpy(payload + t.bytes, frames[i].bytes + s.header_len, s.payload_len);
		t.bytes += s.payload_len;
		s = next;
		train_join(&t, &s);
		i++;
	}
	if (!i)
		goto alone;
	memcpy(payload + t.bytes, frames[i].bytes + s.header_len, s.payload_len);
	t.bytes += s.payload_len;
	train_header(&t, &s);
	if (write)
		deliver(i + 1, t.first.bytes, t.first.header_len, payload, t.bytes);
	return i + 1;
alone:
	if (write)
		deliver(1, frames[0].bytes, frames[0].len, "", 0);
	return 1;
}

static __u32 walk(const struct frame *frames, __u32 count, int write)
{
	__u32 at = 0, deliveries = 0;

	for (; at < count; deliveries++)
		at += take(frames + at, count - at, write);
	return deliveries;
}

int main(void)
{
	__u32 count, deliveries;

	while (fread(&count, sizeof(count), 1, stdin) == 1) {
		struct frame frames[FRAMES];

		if (count > FRAMES)
			errx(1, "%u frames are too many", count);
		for (__u32 i = 0; i < count; i++) {
			frames[i].len = word();
			frames[i].good = word();
			frames[i].bytes = malloc(frames[i].len);
			if (!frames[i].bytes || (frames[i].len && fread(frames[i].bytes, frames[i].len, 1, stdin) != 1))
				errx(1, "a frame is incomplete");
		}
		deliveries = walk(frames, count, 0);
		fwrite(&deliveries, sizeof(deliveries), 1, stdout);
		walk(frames, count, 1);
		for (__u32 i = 0; i < count; i++)
			free(frames[i].bytes);
	}
	return 0;
}
