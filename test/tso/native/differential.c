// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends the same superpackets out of a device twice, once for the kernel's
 * software GSO to segment and once for the program, and compares what comes in
 * at the other end: every byte, and whether the checksum is still to be made.
 * Refuses to count a superpacket that the program left to the kernel as its own.
 *
 * differential OBJECT tcx|clsact OUT IN table|SEED FIRST COUNT [tx|device [MSS]]
 * In a namespace of a test's own: OUT and IN are two ends of a wire, or both lo.
 * tx: OUT has no checksum offload, so checksums are made in software.
 * device: OUT has TSO, and takes the kernel's part: it segments what the kernel did.
 * MSS: the program leaves smaller segments alone.
 * stdout: one JSON line; exit 1 where packets differ.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attach.h"
#include "superpackets.h"

#define BATCH 50
#define END_CASE 0xffffffff
#define WAIT_MS 5000
#define VNET_LEN sizeof(struct virtio_net_hdr)

struct captured {
	struct captured *next;
	size_t len;
	uint8_t bytes[];	/* struct virtio_net_hdr, then the packet */
};

struct capture {
	struct captured *first, **last;
	unsigned int count;
};

static int out_index, in_index, out_socket, in_socket;
static const char *peer = "kernel";
static unsigned int mss_min;
static struct superpacket_case current;
static unsigned int zeros;

static int packet_socket(int ifindex, int protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, size = 1 << 30;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex,
	};

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		err(1, "packet socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		err(1, "receive buffer");
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "bind");
	return fd;
}

static void send_case(const struct superpacket_case *c, uint32_t number)
{
	struct iovec parts[] = {
		{ (void *)&c->vnet, sizeof(c->vnet) }, { (void *)c->bytes, c->len },
	};
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };

	number = htonl(number);
	memcpy((uint8_t *)c->bytes + CASE_AT, &number, sizeof(number));
	if (sendmsg(out_socket, &message, 0) < 0)
		err(1, "%s: %zu bytes", c->name, c->len);
}

/* A packet that comes behind all others says that none is missing. */
static void send_end(void)
{
	static struct superpacket_case end;

	memset(&end, 0, sizeof(end));
	memcpy(end.bytes, CASE_MARK, CASE_AT);
	end.len = 60;
	end.bytes[12] = 0x88;
	end.bytes[13] = 0xb5;
	send_case(&end, END_CASE);
}

static uint32_t case_of(const struct captured *packet)
{
	uint32_t number;

	memcpy(&number, packet->bytes + VNET_LEN + CASE_AT, sizeof(number));
	return ntohl(number);
}

static struct captured *capture_one(void)
{
	static uint8_t room[SUPERPACKET_ROOM];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	struct pollfd ready = { .fd = in_socket, .events = POLLIN };
	struct captured *packet;
	ssize_t len;

	do {
		if (poll(&ready, 1, WAIT_MS) != 1)
			errx(1, "%s: the packet behind it did not come within %d ms", current.name, WAIT_MS);
		len = recvfrom(in_socket, room, sizeof(room), 0, (struct sockaddr *)&from, &from_len);
		if (len < 0)
			err(1, "receive");
	} while (from.sll_pkttype == PACKET_OUTGOING || memcmp(room + VNET_LEN, CASE_MARK, CASE_AT));
	packet = malloc(sizeof(*packet) + len);
	if (!packet)
		err(1, "malloc");
	packet->next = NULL;
	packet->len = len;
	memcpy(packet->bytes, room, len);
	return packet;
}

static void capture_free(struct capture *capture)
{
	while (capture->first) {
		struct captured *packet = capture->first;

		capture->first = packet->next;
		free(packet);
	}
}

static int get_case(const char *source, unsigned int index)
{
	if (strcmp(source, "table"))
		random_case(&current, strtoull(source, NULL, 0), index);
	else if (!table_case(&current, index))
		return 0;
	current.ours = current.ours && current.vnet.gso_size >= mss_min;
	return 1;
}

/* Cases first to last - 1, in order, and all that arrives of them. */
static struct capture run_batch(const char *source, unsigned int first, unsigned int last)
{
	struct capture capture = { .last = &capture.first };
	struct captured *packet;

	for (unsigned int i = first; i < last; i++) {
		get_case(source, i);
		send_case(&current, i);
	}
	send_end();
	while (case_of(packet = capture_one()) != END_CASE) {
		*capture.last = packet;
		capture.last = &packet->next;
		capture.count++;
	}
	free(packet);
	return capture;
}

static void dump(const char *who, const struct captured *packet)
{
	fprintf(stderr, "%s, %zu bytes: ", who, packet ? packet->len - VNET_LEN : 0);
	for (size_t i = 0; packet && i < packet->len && i < VNET_LEN + 120; i++)
		fprintf(stderr, i == VNET_LEN ? " %02x" : "%02x", packet->bytes[i]);
	fputc('\n', stderr);
}

/* Where the packet's TCP checksum is, if it is one that the sending side has finished; else 0. */
static size_t finished_checksum(const struct captured *packet)
{
	const struct virtio_net_hdr *vnet = (const void *)packet->bytes;
	const uint8_t *ip = packet->bytes + VNET_LEN + 14;
	size_t at = VNET_LEN + 14 + (ip[0] >> 4 == 6 ? 40 : 4 * (ip[0] & 15)) + 16;

	return vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || at + 2 > packet->len ? 0 : at;
}

/*
 * The same bytes. Of a finished checksum, 0 and 0xffff are the same: skb_segment()
 * leaves 0 where skb_checksum_help(), which finishes ours, writes 0xffff.
 */
static int same(const struct captured *kernel, const struct captured *ours)
{
	size_t at;

	if (!kernel || !ours || kernel->len != ours->len)
		return 0;
	if (!memcmp(kernel->bytes, ours->bytes, ours->len))
		return 1;
	at = finished_checksum(kernel);
	if (!at || memcmp(kernel->bytes + at, "\0\0", 2) || memcmp(ours->bytes + at, "\xff\xff", 2))
		return 0;
	zeros++;
	return !memcmp(kernel->bytes, ours->bytes, at) &&
	       !memcmp(kernel->bytes + at + 2, ours->bytes + at + 2, ours->len - at - 2);
}

/* The number of packets that are the same; ends the process where two differ. */
static unsigned int compare(const char *source, struct capture *kernel, struct capture *ours)
{
	const struct captured *k = kernel->first, *o = ours->first;
	unsigned int count = 0;

	for (; k || o; k = k->next, o = o->next, count++) {
		if (same(k, o))
			continue;
		get_case(source, case_of(k ? k : o));
		fprintf(stderr, "%s: packet %u of the batch differs\n", current.name, count);
		dump(peer, k);
		dump("program", o);
		exit(1);
	}
	return count;
}

/* Each processor delivers what was sent on it in order; what is sent on two of them comes in any. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here))
		err(1, "processor");
}

int main(int argc, char **argv)
{
	unsigned int total = 0, ours = 0, packets = 0, first, count, end, batch;
	enum hook hook;
	int program;

	if (argc < 8 || argc > 10)
		errx(2, "usage: differential OBJECT tcx|clsact OUT IN table|SEED FIRST COUNT [tx|device [MSS]]");
	stay_here();
	mss_min = argc == 10 ? strtoul(argv[9], NULL, 0) : 0;
	hook = hook_of(argv[2]);
	out_index = if_nametoindex(argv[3]);
	in_index = if_nametoindex(argv[4]);
	if (!out_index || !in_index)
		errx(2, "no device %s or %s", argv[3], argv[4]);
	first = strtoul(argv[6], NULL, 0);
	count = strtoul(argv[7], NULL, 0);
	feature_set(argv[3], ETHTOOL_STSO, 0);
	if (argc > 8 && !strcmp(argv[8], "device"))
		peer = "device";
	else if (argc > 8)
		feature_set(argv[3], ETHTOOL_STXCSUM, 0);
	out_socket = packet_socket(out_index, 0);
	in_socket = packet_socket(in_index, ETH_P_ALL);
	program = program_load(argv[1]);
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		err(1, "counting of runs");
	batch = strcmp(argv[5], "table") ? BATCH : 1;
	for (end = first + count; first < end; first += batch) {
		unsigned int last = first, expected = 1;
		unsigned long long runs;
		struct capture by_kernel, by_program;

		for (; last < end && last < first + batch && get_case(argv[5], last); last++) {
			total++;
			ours += current.ours;
			/* One run for the superpacket, or the end, and one for each segment of it. */
			expected += 1 + (current.ours ? current.segments : 0);
		}
		if (last == first)
			break;
		feature_set(argv[3], ETHTOOL_STSO, !strcmp(peer, "device"));
		by_kernel = run_batch(argv[5], first, last);
		feature_set(argv[3], ETHTOOL_STSO, 0);
		runs = program_runs(program);
		program_attach(program, hook, out_index);
		by_program = run_batch(argv[5], first, last);
		program_detach(hook, out_index);
		runs = program_runs(program) - runs;
		packets += compare(argv[5], &by_kernel, &by_program);
		capture_free(&by_kernel);
		capture_free(&by_program);
		if (runs != expected)
			errx(1, "%s, or before: the program ran %llu times, not %u", current.name, runs, expected);
	}
	printf("{\"superpackets\":%u,\"ours\":%u,\"packets\":%u,\"zeros\":%u}\n", total, ours, packets, zeros);
	return 0;
}
