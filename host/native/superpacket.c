/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP superpackets to try a device with: all that a segment's header can differ by, and payloads that end in every way. The same
 * for the same seed. Makes none that packages/tso leaves to the kernel: that would say nothing of who segments.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "superpacket.h"

#define ETHERNET 14
#define TCP 20
#define FIN 0x01
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40

struct shape {
	const char *name;
	unsigned int version, option_words, flags, mss;		/* mss 0: as the device's MTU has it */
	unsigned int full, tail;				/* segments of that size, and bytes behind them */
	uint32_t seq;
	uint16_t id;
};

static const struct shape shapes[] = {
	{ "two segments", 4, 3, ACK, 0, 1, 1, 1, 1 },
	{ "IPv6, two segments", 6, 3, ACK, 0, 1, 1, 1, 0 },
	{ "without options", 4, 0, ACK, 0, 3, 100, 1, 1 },
	{ "all options", 4, 10, ACK, 0, 3, 100, 1, 1 },
	{ "IPv6, all options", 6, 10, ACK, 0, 3, 100, 1, 0 },
	{ "PSH", 4, 3, ACK | PSH, 0, 3, 100, 1, 1 },
	{ "FIN and PSH", 4, 3, ACK | PSH | FIN, 0, 3, 100, 1, 1 },
	{ "IPv6, FIN and PSH", 6, 3, ACK | PSH | FIN, 0, 3, 100, 1, 0 },
	{ "URG", 4, 3, ACK | URG, 0, 3, 100, 1, 1 },
	{ "ECE", 6, 3, ACK | ECE, 0, 3, 100, 1, 0 },
	{ "all segments full", 4, 3, ACK | PSH, 0, 4, 0, 1, 1 },
	{ "the last lacks one byte", 4, 3, ACK | PSH, 0, 4, -1u, 1, 1 },
	{ "id wraps", 4, 3, ACK, 0, 9, 9, 1, 0xfffc },
	{ "id 0", 4, 3, ACK, 0, 4, 9, 1, 0 },
	{ "sequence wraps", 4, 3, ACK, 0, 9, 9, 0xfffff000, 1 },
	{ "IPv6, sequence wraps", 6, 3, ACK, 0, 9, 9, 0xfffff000, 0 },
	{ "MSS of 536", 4, 0, ACK | PSH, 536, 20, 7, 1, 1 },
	{ "MSS of 100", 4, 3, ACK | PSH, 100, 30, 7, 1, 1 },
	{ "IPv6, odd MSS", 6, 3, ACK | PSH, 777, 10, 3, 1, 0 },
	{ "as long as can be", 4, 3, ACK | PSH, 0, 1000, 0, 1, 1 },
	{ "IPv6, as long as can be", 6, 3, ACK | PSH, 0, 1000, 0, 1, 0 },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))
#define RANDOM 43

const unsigned int superpackets = SHAPES + RANDOM;

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void put16(unsigned char *to, unsigned int value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static void put32(unsigned char *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

/* RFC 1071, without the final complement. */
static unsigned int sum(unsigned int start, const unsigned char *bytes, size_t len)
{
	uint64_t total = start;

	for (; len > 1; bytes += 2, len -= 2)
		total += bytes[0] << 8 | bytes[1];
	total += len ? bytes[0] << 8 : 0;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

static unsigned char *put_ip(unsigned char *ip, const struct shape *s, unsigned int tcp_len, uint64_t *state)
{
	unsigned int len = s->version == 4 ? 20 : 40, i;

	for (i = 0; i < len; i++)
		ip[i] = next(state);
	if (s->version == 6) {
		ip[0] = 0x60 | (ip[0] & 0xf);
		put16(ip + 4, tcp_len);
		ip[6] = 6;
		/* RFC 3849, RFC 2544: addresses that nobody has. */
		memcpy(ip + 8, "\x20\x01\x0d\xb8", 4);
		memcpy(ip + 24, "\x20\x01\x0d\xb8", 4);
		return ip + len;
	}
	ip[0] = 0x45;
	put16(ip + 2, len + tcp_len);
	put16(ip + 4, s->id);
	ip[6] &= 0x40;
	ip[7] = 0;
	ip[9] = 6;
	memcpy(ip + 12, "\xc6\x12", 2);
	memcpy(ip + 16, "\xc6\x13", 2);
	put16(ip + 10, 0);
	put16(ip + 10, ~sum(0, ip, len) & 0xffff);
	return ip + len;
}

static void put_tcp(unsigned char *tcp, const struct shape *s, const unsigned char *ip, unsigned int tcp_len, uint64_t *state)
{
	unsigned int addresses = s->version == 4 ? 12 : 8, i;

	for (i = 0; i < tcp_len; i++)
		tcp[i] = next(state);
	put32(tcp + 4, s->seq);
	tcp[12] = (TCP + 4 * s->option_words) << 2;
	tcp[13] = s->flags;
	put16(tcp + 16, sum(6 + tcp_len, ip + addresses, s->version == 4 ? 8 : 32));
}

static struct shape random_shape(uint64_t *state, unsigned int room)
{
	static const unsigned int flags[] = { ACK, ACK | PSH, ACK | PSH | FIN, ACK | URG, ACK | ECE, ACK | ECE | PSH | URG };
	struct shape s = { .name = "random", .version = next(state) & 1 ? 4 : 6, .option_words = next(state) % 11 };

	s.flags = flags[next(state) % 6];
	s.mss = 88 + next(state) % (room - 87);
	s.full = 1 + next(state) % 20;
	s.tail = 1 + next(state) % s.mss;
	s.seq = next(state);
	s.id = next(state);
	return s;
}

void superpacket_make(struct superpacket *p, uint64_t seed, unsigned int index, unsigned int mtu)
{
	uint64_t state = seed * 0x100000001b3 + index;
	struct shape s = index < SHAPES ? shapes[index] : random_shape(&state, mtu - 40 - 60);
	unsigned int header = TCP + 4 * s.option_words, ip_len = s.version == 4 ? 20 : 40, most;
	unsigned char *tcp;

	/* A device takes frames of 65,536 bytes by default (GSO_LEGACY_MAX_SIZE). */
	most = 65535 - ETHERNET - ip_len - header;
	if (!s.mss || s.mss > mtu - ip_len - header)
		s.mss = mtu - ip_len - header;
	p->mss = s.mss;
	p->payload = s.full * s.mss + s.tail < most ? s.full * s.mss + s.tail : most;
	put16(p->bytes + 12, s.version == 4 ? 0x0800 : 0x86dd);
	tcp = put_ip(p->bytes + ETHERNET, &s, header + p->payload, &state);
	put_tcp(tcp, &s, p->bytes + ETHERNET, header + p->payload, &state);
	p->header = tcp + header - p->bytes;
	p->len = p->header + p->payload;
	p->vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = s.version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.gso_size = s.mss, .hdr_len = p->header, .csum_start = tcp - p->bytes, .csum_offset = 16,
	};
	snprintf(p->name, sizeof(p->name), "%s (%u)", s.name, index);
}

void checksum_finish(unsigned char *bytes, size_t len, unsigned int start, unsigned int offset)
{
	unsigned int value;

	if (start + offset + 2 > len)
		return;
	value = ~sum(0, bytes + start, len - start) & 0xffff;
	/* skb_checksum_help() of net/core/dev.c: CSUM_MANGLED_0. */
	put16(bytes + start + offset, value ?: 0xffff);
}
