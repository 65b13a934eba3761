// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what this kernel's own GRO makes of batches from stdin. To be started in
 * a namespace that a test made, with both ends of a veth wire in it; refuses any
 * other. Packets are sent out of one end; the other has NAPI and GRO. Its NAPI
 * runs in a thread that may use only the CPU of this process, which is of real
 * time: so the thread polls when this process waits for the first answer, and
 * finds all frames of the batch, and a poll is not preempted. Hash and VLAN tag
 * are put on packets by wire.bpf.c.
 *
 * kernel_gro /run/netns/kfn-... WIRE.bpf.o OUT IN:
 * { u32 frames, u32 gro_max_size, u32 gro_ipv4_max_size, { u32 length, u32 hash,
 * u32 VLAN tag, bytes }... }, repeated, gives { u32 frames, { u32 length,
 * u32 GSO type, u32 GSO size, u32 checksum start (0: none), u32 VLAN tag,
 * bytes }... }; little-endian. A VLAN tag is protocol << 16 | TCI, or 0. The GSO
 * type is skb_shinfo()->gso_type, not what a packet socket shows of it.
 *
 * kernel_gro … POLL_TIME.bpf.o REPEAT: gives { u32 ns } for each batch instead: the
 * median of REPEAT polls, without what delivering took. Checksums are not summed
 * then, as if the device had found them right, and nobody gets the packets.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "device.h"

#define LIMIT 131072
#define LONGEST (65535 + ETH_HLEN)	/* of a veth device of the highest MTU */
#define FRAMES 63	/* one poll: below NAPI_POLL_WEIGHT, so that the poll also completes */

/* Of poll_time.bpf.c. */
struct timing {
	uint32_t ifindex, netns, inside, packets;
	uint64_t poll_start, delivery_start, delivery;
};

struct poll {
	uint64_t whole, delivery;
	uint32_t packets, zero;
};

static int sender, capture, found_map, types_map;
static struct ring_buffer *polls;	/* where only time is of interest */
static struct poll last_poll;
static uint8_t buffer[LIMIT];

static void refuse_other_namespaces(const char *path)
{
	struct stat own, made;

	if (strncmp(path, "/run/netns/kfn-", 15))
		errx(2, "not a namespace of a test: %s", path);
	if (stat("/proc/self/ns/net", &own) || stat(path, &made))
		err(1, "%s", path);
	if (own.st_ino != made.st_ino)
		errx(1, "to be started in %s", path);
}

static int index_of(const char *device)
{
	int ifindex = if_nametoindex(device);

	if (!ifindex)
		err(1, "%s", device);
	return ifindex;
}

static void attach(struct bpf_object *object, const char *name, enum bpf_tc_attach_point point, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1, .flags = BPF_TC_F_REPLACE);
	int ret = bpf_tc_hook_create(&hook);

	opts.prog_fd = bpf_program__fd(bpf_object__find_program_by_name(object, name));
	if (!ret || ret == -EEXIST)
		ret = bpf_tc_attach(&hook, &opts);
	if (ret)
		errx(1, "%s: %s", name, strerror(-ret));
}

/* Both filters end with the namespace. */
static void put_programs(const char *path, int out, int in)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;

	if (!object)
		err(1, "%s", path);
	bpf_object__for_each_program(program, object)
		bpf_program__set_type(program, BPF_PROG_TYPE_SCHED_CLS);
	if (bpf_object__load(object))
		errx(1, "%s does not load", path);
	found_map = bpf_object__find_map_fd_by_name(object, "found");
	types_map = bpf_object__find_map_fd_by_name(object, "gso_types");
	attach(object, "leave", BPF_TC_EGRESS, out);
	attach(object, polls ? "drop" : "arrive", BPF_TC_INGRESS, in);
}

static int take_poll(void *context, void *data, size_t size)
{
	(void)context;
	memcpy(&last_poll, data, size < sizeof(last_poll) ? size : sizeof(last_poll));
	return 0;
}

static void time_polls(const char *path, int in)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct timing timing = { .ifindex = in };
	struct bpf_program *program;
	uint32_t first = 0;
	struct stat own;

	if (!object || bpf_object__load(object))
		errx(1, "%s does not load", path);
	if (stat("/proc/self/ns/net", &own))
		err(1, "network namespace");
	timing.netns = own.st_ino;
	if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "timing"), &first, &timing, BPF_ANY))
		err(1, "map");
	polls = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "polls"), take_poll, NULL, NULL);
	if (!polls)
		err(1, "ring buffer");
	bpf_object__for_each_program(program, object)
		if (!bpf_program__attach(program))
			err(1, "%s", bpf_program__name(program));
}

static int packet_socket(int ifindex, int protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, size = 64 << 20;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "AF_PACKET");
	return fd;
}

/*
 * Two sockets that listen, of which only the younger is read: it is asked first.
 * The last one asked about a packet that no protocol takes gets it with the end
 * of the list (__netif_receive_skb_list_core()), which would not be the order of
 * delivery.
 */
static void open_wire(const char *object, const char *out, const char *in)
{
	device_feature(out, ETHTOOL_STSO, 0);	/* or veth takes no packet for GRO's: veth_skb_is_eligible_for_gro() */
	device_feature(in, ETHTOOL_SGRO, 1);
	put_programs(object, index_of(out), index_of(in));
	if (!polls) {
		packet_socket(index_of(in), ETH_P_ALL);
		capture = packet_socket(index_of(in), ETH_P_ALL);
	}
	sender = packet_socket(index_of(out), 0);
}

static void share_cpu(pid_t thread)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || sched_setaffinity(thread, sizeof(cpus), &cpus))
		err(1, "sched_setaffinity");
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "sched_setscheduler");
}

static void read_whole(void *to, size_t length)
{
	if (fread(to, length, 1, stdin) != 1)
		errx(1, "a batch is incomplete");
}

static uint8_t frames[FRAMES][LONGEST];
static struct { uint32_t length, hash, vlan; } heads[FRAMES];

/* Good as far as is known: it would be finished by whoever sends. */
static void mark_checksum(struct virtio_net_hdr *head, const uint8_t *frame)
{
	int is_ipv6 = frame[12] == 0x86;

	head->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	head->csum_start = ETH_HLEN + (is_ipv6 ? 40 : 20);
	head->csum_offset = frame[is_ipv6 ? 20 : 23] == IPPROTO_TCP ? 16 : 6;
}

static void send_frame(uint32_t index)
{
	struct virtio_net_hdr head = { 0 };
	struct iovec parts[2] = { { &head, sizeof(head) }, { frames[index], heads[index].length } };
	struct { struct cmsghdr head; uint32_t mark; } control = {
		.head = { CMSG_LEN(sizeof(uint32_t)), SOL_SOCKET, SO_MARK }, .mark = index,
	};
	struct msghdr message = {
		.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control),
	};

	if (polls)
		mark_checksum(&head, frames[index]);
	if (sendmsg(sender, &message, 0) < 0)
		err(1, "frame %u of %u bytes", index, heads[index].length);
}

static void read_batch(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		read_whole(&heads[i], sizeof(heads[i]));
		if (heads[i].length > sizeof(frames[i]))
			errx(1, "a frame is too long");
		read_whole(frames[i], heads[i].length);
		if (bpf_map_update_elem(found_map, &i, &heads[i].hash, BPF_ANY))
			err(1, "map");
	}
}

static void send_batch(uint32_t count)
{
	uint32_t none = 0, first = 0;

	if (bpf_map_update_elem(types_map, &first, &none, BPF_ANY))
		err(1, "map");
	for (uint32_t i = 0; i < count; i++)
		send_frame(i);
}

static uint32_t vlan_of(struct msghdr *message)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct tpacket_auxdata *data = (void *)CMSG_DATA(c);

		if (c->cmsg_type == PACKET_AUXDATA && data->tp_status & TP_STATUS_VLAN_VALID)
			return data->tp_vlan_tpid << 16 | data->tp_vlan_tci;
	}
	return 0;
}

/* The answer's words but the GSO type, and the frame behind them; 0 when no more came. */
static size_t receive(uint32_t *words, int flags)
{
	struct virtio_net_hdr *head = (void *)buffer;
	uint8_t control[256];
	struct iovec part = { buffer, sizeof(buffer) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(capture, &message, flags);

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got < (ssize_t)sizeof(*head))
		err(1, "recvmsg");
	words[0] = got - sizeof(*head);
	words[2] = head->gso_size;
	words[3] = head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? head->csum_start : 0;
	words[4] = vlan_of(&message);
	return words[0];
}

static void write_answer(void)
{
	static uint8_t all[16 << 20];
	uint32_t count = 0, words[5], first = 0, arrived;
	size_t used = 0, got;

	for (int flags = 0; (got = receive(words, flags)); flags = MSG_DONTWAIT) {
		count++;
		if (bpf_map_lookup_elem(types_map, &count, &words[1]))
			err(1, "map");
		if (used + sizeof(words) + got > sizeof(all))
			errx(1, "too much of an answer");
		memcpy(all + used, words, sizeof(words));
		memcpy(all + used + sizeof(words), buffer + sizeof(struct virtio_net_hdr), got);
		used += sizeof(words) + got;
	}
	if (bpf_map_lookup_elem(types_map, &first, &arrived) || arrived != count)
		errx(1, "%u frames captured, %u noted", count, arrived);
	fwrite(&count, sizeof(count), 1, stdout);
	fwrite(all, used, 1, stdout);
}

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void write_time(uint32_t count, uint32_t repeat)
{
	uint32_t samples[10000];

	if (!repeat || repeat > sizeof(samples) / sizeof(*samples))
		errx(2, "1 to 10000 times");
	for (uint32_t i = 0; i < repeat; i++) {
		send_batch(count);
		if (ring_buffer__poll(polls, 5000) != 1 || last_poll.packets != count)
			errx(1, "%u of %u packets in a poll", last_poll.packets, count);
		samples[i] = last_poll.whole - last_poll.delivery;
	}
	qsort(samples, repeat, sizeof(*samples), by_value);
	fwrite(&samples[repeat / 2], sizeof(*samples), 1, stdout);
}

int main(int argc, char **argv)
{
	struct { uint32_t count, size, ipv4_size; } batch, last = { 0 };

	if (argc != 5 && argc != 7)
		errx(2, "usage: kernel_gro /run/netns/kfn-... WIRE.bpf.o OUT IN [POLL_TIME.bpf.o REPEAT]");
	refuse_other_namespaces(argv[1]);
	if (argc == 7)
		time_polls(argv[5], index_of(argv[4]));
	open_wire(argv[2], argv[3], argv[4]);
	share_cpu(device_napi_thread(argv[4]));
	while (fread(&batch, sizeof(batch), 1, stdin) == 1) {
		if (!batch.count || batch.count > FRAMES)
			errx(1, "1 to %d frames", FRAMES);
		if (batch.size != last.size || batch.ipv4_size != last.ipv4_size)
			device_gro_max_size(index_of(argv[4]), batch.size, batch.ipv4_size);
		last = batch;
		read_batch(batch.count);
		if (argc == 7) {
			write_time(batch.count, atoi(argv[6]));
			continue;
		}
		send_batch(batch.count);
		write_answer();
	}
	return 0;
}
