// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What it costs the sending CPU to have superpackets segmented: sends one many
 * times through a packet socket, to an address that nobody has. Refuses to
 * judge: whether kernel or program segments is the caller's choice.
 *
 * inject DEVICE PAYLOAD MSS COUNT: stdout: {"segments","cpuNs"}; a PAYLOAD not
 * above MSS is sent as it is.
 */
#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define HEADER 66

static struct {
	struct virtio_net_hdr vnet;
	uint8_t bytes[1 << 16];
} __attribute__((packed)) packet;

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int packet_socket(const char *device)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
		err(1, "packet socket");
	if (bind(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "%s", device);
	return fd;
}

static void make(unsigned int payload, unsigned int mss)
{
	static const uint8_t ethernet[] = { 2, 0x4b, 1, 1, 1, 1, 2, 0x4b, 2, 2, 2, 2, 8, 0 };
	uint8_t *ip = packet.bytes + 14, *tcp = ip + 20;
	uint32_t sum = 0;

	memcpy(packet.bytes, ethernet, sizeof(ethernet));
	memcpy(ip, (uint8_t[]){ 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 18, 0, 2 }, 20);
	ip[2] = (payload + 52) >> 8;
	ip[3] = payload + 52;
	for (int i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = ~((sum >> 16) + (sum & 0xffff));
	ip[10] = sum >> 8;
	ip[11] = sum;
	tcp[12] = 0x80;
	tcp[13] = 0x10;
	memset(tcp + 20, 1, 12);
	packet.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	packet.vnet.csum_start = 34;
	packet.vnet.csum_offset = 16;
	packet.vnet.hdr_len = HEADER;
	if (payload > mss) {
		packet.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		packet.vnet.gso_size = mss;
	}
}

int main(int argc, char **argv)
{
	unsigned int payload, mss, count;
	double start;
	int fd;

	if (argc != 5)
		errx(2, "usage: inject DEVICE PAYLOAD MSS COUNT");
	payload = strtoul(argv[2], NULL, 0);
	mss = strtoul(argv[3], NULL, 0);
	count = strtoul(argv[4], NULL, 0);
	if (payload > sizeof(packet.bytes) - HEADER || !mss)
		errx(2, "a payload of %u in segments of %u", payload, mss);
	fd = packet_socket(argv[1]);
	make(payload, mss);
	start = cpu();
	for (unsigned int i = 0; i < count; i++) {
		if (send(fd, &packet, sizeof(packet.vnet) + HEADER + payload, 0) < 0)
			err(1, "send");
	}
	printf("{\"segments\":%llu,\"cpuNs\":%.0f}\n",
	       (unsigned long long)count * ((payload + mss - 1) / mss), cpu() - start);
	return 0;
}
