// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A network device with TSO whose engine is a program on the host: a tap device takes superpackets, test/tso/native/host.c segments
 * them, and a second tap device receives what comes of it. Refuses the machine's own namespace.
 *
 * nic /run/netns/kfn-... OUT IN ENGINE [psh|id]: psh, id: what it does wrong. stdout: "ready"; ends with its stdin.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM (1 << 17)
#define ETHERNET 14

struct frame {
	struct virtio_net_hdr vnet;
	uint8_t bytes[ROOM];
} __attribute__((packed));

static const char *engine, *lie = "";

static void refuse_other_namespaces(const char *path)
{
	struct stat own, made;

	if (strncmp(path, "/run/netns/kfn-", 15) || stat("/proc/self/ns/net", &own) || stat(path, &made) ||
	    own.st_ino != made.st_ino)
		errx(2, "to be started in a namespace of a test, not in %s", path);
}

static int tap_open(const char *name, unsigned int offload)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) || ioctl(fd, TUNSETOFFLOAD, offload))
		err(1, "%s", name);
	return fd;
}

static void whole(ssize_t did, size_t wanted)
{
	if (did != (ssize_t)wanted)
		err(1, "the engine");
}

/* One superpacket in, one answer out: both fit the pipes, as the child reads all before it writes. */
static FILE *engine_ask(const struct frame *frame, size_t len)
{
	uint32_t question[10] = { len, frame->vnet.gso_size, AF_PACKET, 0, 1, ETHERNET };
	int in[2];
	FILE *out;

	if (pipe(in))
		err(1, "pipe");
	fcntl(in[1], F_SETPIPE_SZ, ROOM);
	fcntl(in[1], F_SETFD, FD_CLOEXEC);
	whole(write(in[1], question, sizeof(question)), sizeof(question));
	whole(write(in[1], frame->bytes, len), len);
	close(in[1]);
	if (dup2(in[0], 3) != 3)
		err(1, "dup2");
	if (in[0] != 3)
		close(in[0]);
	out = popen(engine, "r");
	if (!out)
		err(1, "%s", engine);
	close(3);
	return out;
}

static uint32_t number(FILE *from)
{
	uint32_t value;

	if (fread(&value, sizeof(value), 1, from) != 1)
		errx(1, "the engine's answer is incomplete");
	return value;
}

static void tell_lie(struct frame *segment, const struct frame *superpacket)
{
	uint8_t *ip = segment->bytes + ETHERNET;
	uint32_t sum = 0;

	if (!strcmp(lie, "psh"))
		segment->bytes[segment->vnet.csum_start + 13] |= 8;
	if (strcmp(lie, "id") || segment->bytes[12] != 8)
		return;
	memcpy(ip + 4, superpacket->bytes + ETHERNET + 4, 2);
	memset(ip + 10, 0, 2);
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum >> 16) + (sum & 0xffff));
	ip[10] = sum >> 8;
	ip[11] = sum;
}

static void segment(int to, const struct frame *superpacket, size_t len)
{
	static struct frame one;
	FILE *answer = engine_ask(superpacket, len);
	uint32_t count, size;

	number(answer);		/* the verdict */
	number(answer);		/* gso_size */
	number(answer);		/* calls */
	for (count = number(answer); count; count--) {
		size = number(answer);
		if (size > ROOM || fread(one.bytes, size, 1, answer) != 1)
			errx(1, "the engine's answer is incomplete");
		one.vnet = superpacket->vnet;
		one.vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		one.vnet.gso_size = 0;
		one.vnet.hdr_len = 0;
		tell_lie(&one, superpacket);
		whole(write(to, &one, sizeof(one.vnet) + size), sizeof(one.vnet) + size);
	}
	if (pclose(answer))
		errx(1, "the engine failed");
}

int main(int argc, char **argv)
{
	static struct frame frame;
	static char command[4096];
	int out, in;

	if (argc != 5 && argc != 6)
		errx(2, "usage: nic /run/netns/kfn-... OUT IN ENGINE [psh|id]");
	refuse_other_namespaces(argv[1]);
	snprintf(command, sizeof(command), "exec %s <&3", argv[4]);
	engine = command;
	lie = argc == 6 ? argv[5] : "";
	/* 3 is the engine's stdin. */
	if (open("/dev/null", O_RDONLY) != 3)
		errx(1, "descriptor 3 is taken");
	out = tap_open(argv[2], TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	in = tap_open(argv[3], TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd ready[] = { { .fd = out, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
		ssize_t len;

		if (poll(ready, 2, -1) < 0)
			err(1, "poll");
		if (ready[1].revents)
			return 0;
		len = read(out, &frame, sizeof(frame));
		if (len < (ssize_t)sizeof(frame.vnet))
			continue;
		if (frame.vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
			segment(in, &frame, len - sizeof(frame.vnet));
		/* A port that is not up yet takes nothing. */
		else if (write(in, &frame, len) != len)
			continue;
	}
}
