// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The superpackets that kernel and program are compared on: a table of shapes,
 * and random ones. Refuses packets that the kernel drops: those compare nothing.
 */
#include "superpackets.h"

#include <stdio.h>
#include <string.h>

#define ETH_LEN 14
/* Without NAPI a device hands at most netdev_max_backlog packets on at once; 1,000 by default. */
#define SEGMENTS_MAX 900
/* include/net/tcp.h, TCP_MIN_GSO_SIZE: a packet socket's is made no less (Linux 6.1x). */
#define MSS_MIN 8

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80

enum oddity {
	PLAIN,
	IP_OPTIONS,
	EXTENSION_HEADER,
	VLAN,
	WRONG_LENGTH,
	NO_PARTIAL,
	LONG_SEGMENT,
};

struct shape {
	const char *name;
	int version;
	unsigned int payload, mss;
	unsigned int option_words;
	unsigned int flags;
	uint32_t seq;
	uint16_t id;
	enum oddity oddity;
	int pseudo;		/* the checksum is the pseudo header's sum; 0: anything */
	unsigned int linear;	/* beyond the headers; -1: all */
};

static const struct shape table[] = {
	{ "v4", 4, 4344, 1448, 3, ACK, 1000, 1, PLAIN, 1, 0 },
	{ "v6", 6, 4284, 1428, 3, ACK, 1000, 0, PLAIN, 1, 0 },
	{ "v4 without options", 4, 4380, 1460, 0, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 all options", 4, 4000, 1000, 10, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v6 all options", 6, 4000, 1000, 10, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 fin", 4, 4000, 1448, 3, ACK | FIN, 1, 7, PLAIN, 1, 0 },
	{ "v4 psh", 4, 4000, 1448, 3, ACK | PSH, 1, 7, PLAIN, 1, 0 },
	{ "v6 fin psh", 6, 4000, 1428, 3, ACK | PSH | FIN, 1, 7, PLAIN, 1, 0 },
	{ "v4 urg", 4, 4000, 1448, 3, ACK | URG, 1, 7, PLAIN, 1, 0 },
	{ "v4 ece", 4, 4000, 1448, 3, ACK | ECE, 1, 7, PLAIN, 1, 0 },
	{ "v4 cwr", 4, 4000, 1448, 3, ACK | CWR, 1, 7, PLAIN, 1, 0 },
	{ "v6 cwr ece", 6, 4000, 1428, 3, ACK | CWR | ECE, 1, 7, PLAIN, 1, 0 },
	{ "v4 syn", 4, 4000, 1448, 3, SYN, 1, 7, PLAIN, 1, 0 },
	{ "v4 rst", 4, 4000, 1448, 3, RST, 1, 7, PLAIN, 1, 0 },
	{ "v4 no flags", 4, 4000, 1448, 3, 0, 1, 7, PLAIN, 1, 0 },
	{ "v4 tail of 1", 4, 4345, 1448, 3, ACK | PSH, 1, 7, PLAIN, 1, 0 },
	{ "v6 tail of 1", 6, 4285, 1428, 3, ACK | PSH, 1, 7, PLAIN, 1, 0 },
	{ "v4 tail of all but 1", 4, 4343, 1448, 3, ACK | PSH, 1, 7, PLAIN, 1, 0 },
	{ "v4 two segments", 4, 1449, 1448, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 mss 8", 4, 100, 8, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 mss 9", 4, 900, 9, 10, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v6 mss 8", 6, 900, 8, 10, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 mss 536", 4, 65000, 536, 0, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 longest", 4, 65535 - 52, 1448, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v6 longest", 6, 65535 - 32, 1428, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 jumbo", 4, 65000, 8948, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 mss 15000", 4, 45001, 15000, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 segments longer than change_tail takes", 4, 40000, 16100, 3, ACK, 1, 7, LONG_SEGMENT, 1, 0 },
	{ "v4 mss beyond the buffer's", 4, 60000, 30000, 3, ACK, 1, 7, LONG_SEGMENT, 1, 0 },
	{ "v4 sequence wraps", 4, 14480, 1448, 3, ACK, 0xfffff000, 7, PLAIN, 1, 0 },
	{ "v6 sequence wraps at a segment", 6, 2856, 1428, 3, ACK, -1428u, 7, PLAIN, 1, 0 },
	{ "v4 id wraps", 4, 14480, 1448, 3, ACK, 1, 0xfffd, PLAIN, 1, 0 },
	{ "v4 id 0", 4, 14480, 1448, 3, ACK, 1, 0, PLAIN, 1, 0 },
	{ "v4 odd payloads", 4, 7777, 1111, 3, ACK, 1, 7, PLAIN, 1, 0 },
	{ "v4 checksum of anything", 4, 7777, 1448, 3, ACK, 1, 7, PLAIN, 0, 0 },
	{ "v6 checksum of anything", 6, 7777, 1428, 3, ACK, 1, 7, PLAIN, 0, 0 },
	{ "v4 linear", 4, 7777, 1448, 3, ACK, 1, 7, PLAIN, 1, -1u },
	{ "v6 half linear", 6, 7777, 1428, 3, ACK, 1, 7, PLAIN, 1, 2000 },
	{ "v4 options in IP", 4, 7777, 1448, 3, ACK, 1, 7, IP_OPTIONS, 1, 0 },
	{ "v6 extension header", 6, 7777, 1428, 3, ACK, 1, 7, EXTENSION_HEADER, 1, 0 },
	{ "v4 vlan tag", 4, 7777, 1448, 3, ACK, 1, 7, VLAN, 1, 0 },
	{ "v6 vlan tag", 6, 7777, 1428, 3, ACK, 1, 7, VLAN, 1, 0 },
	{ "v4 wrong length in IP", 4, 7777, 1448, 3, ACK, 1, 7, WRONG_LENGTH, 1, 0 },
	{ "v6 wrong length in IP", 6, 7777, 1428, 3, ACK, 1, 7, WRONG_LENGTH, 1, 0 },
	{ "v4 not CHECKSUM_PARTIAL", 4, 7777, 1448, 3, ACK, 1, 7, NO_PARTIAL, 1, 0 },
	{ "v6 not CHECKSUM_PARTIAL", 6, 7777, 1428, 3, ACK, 1, 7, NO_PARTIAL, 0, 0 },
};

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned int below(uint64_t *state, unsigned int limit)
{
	return next(state) % limit;
}

static void fill(uint64_t *state, uint8_t *to, size_t len)
{
	for (; len >= 8; to += 8, len -= 8) {
		uint64_t word = next(state);

		memcpy(to, &word, 8);
	}
	while (len--)
		*to++ = next(state);
}

static void put16(uint8_t *to, unsigned int value)
{
	to[0] = value >> 8;
	to[1] = value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, value >> 16);
	put16(to + 2, value);
}

static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (; len > 1; bytes += 2, len -= 2)
		sum += bytes[0] << 8 | bytes[1];
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (sum >> 16) + (sum & 0xffff);
}

static uint8_t *put_ethernet(uint8_t *at, const struct shape *s)
{
	unsigned int type = s->version == 4 ? 0x0800 : 0x86dd;

	/* A broadcast: whoever looks at the device takes it. */
	memcpy(at, CASE_MARK, sizeof(CASE_MARK) - 1);
	if (s->oddity == VLAN) {
		put16(at + 12, 0x8100);
		put16(at + 14, 0x2007);
		at += 4;
	}
	put16(at + 12, type);
	return at + ETH_LEN;
}

static uint8_t *put_ipv4(uint8_t *at, const struct shape *s, unsigned int tcp_len, uint64_t *state)
{
	unsigned int words = s->oddity == IP_OPTIONS ? 7 : 5;

	fill(state, at, 20);
	at[0] = 0x40 | words;
	put16(at + 2, words * 4 + tcp_len - (s->oddity == WRONG_LENGTH ? 3 : 0));
	put16(at + 4, s->id);
	at[6] = next(state) & 0x40;
	at[7] = 0;
	at[9] = 6;
	put16(at + 10, 0);
	memset(at + 20, 1, words * 4 - 20);
	put16(at + 10, (uint16_t)~fold(add_words(0, at, words * 4)));
	return at + words * 4;
}

static uint8_t *put_ipv6(uint8_t *at, const struct shape *s, unsigned int tcp_len, uint64_t *state)
{
	unsigned int extra = s->oddity == EXTENSION_HEADER ? 8 : 0;

	fill(state, at, 40);
	at[0] = 0x60 | (at[0] & 0x0f);
	put16(at + 4, extra + tcp_len - (s->oddity == WRONG_LENGTH ? 3 : 0));
	at[6] = extra ? 60 : 6;
	/* RFC 8200 section 4.6: a destination options header with nothing but padding. */
	memcpy(at + 40, "\x06\x00\x01\x04\x00\x00\x00\x00", extra);
	return at + 40 + extra;
}

static uint32_t pseudo_sum(const uint8_t *ip, int version, unsigned int tcp_len)
{
	uint32_t sum = 6 + tcp_len;

	return version == 4 ? add_words(sum, ip + 12, 8) : add_words(sum, ip + 8, 32);
}

static void make(struct superpacket_case *c, const struct shape *s, uint64_t *state)
{
	unsigned int header = 20 + 4 * s->option_words, tcp_len = header + s->payload;
	uint8_t *ip = put_ethernet(c->bytes, s), *tcp;

	tcp = s->version == 4 ? put_ipv4(ip, s, tcp_len, state) : put_ipv6(ip, s, tcp_len, state);
	fill(state, tcp, tcp_len);
	put32(tcp + 4, s->seq);
	/* The 4 bits behind the length are AccECN's and reserved ones. */
	tcp[12] = header << 2 | (tcp[12] & 0x0f);
	tcp[13] = s->flags;
	if (s->pseudo)
		put16(tcp + 16, fold(pseudo_sum(ip, s->version, tcp_len)));
	c->len = tcp + tcp_len - c->bytes;
	memset(&c->vnet, 0, sizeof(c->vnet));
	c->vnet.gso_type = s->version == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	c->vnet.gso_type |= s->flags & CWR ? VIRTIO_NET_HDR_GSO_ECN : 0;
	c->vnet.gso_size = s->mss;
	c->vnet.hdr_len = tcp + header - c->bytes;
	if (s->linear)
		c->vnet.hdr_len += s->linear < s->payload ? s->linear : s->payload < 60000 ? s->payload : 60000;
	if (s->oddity != NO_PARTIAL) {
		c->vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		c->vnet.csum_start = tcp - c->bytes;
		c->vnet.csum_offset = 16;
	}
	c->segments = (s->payload + s->mss - 1) / s->mss;
	c->ours = s->oddity == PLAIN && !(s->flags & (SYN | RST | CWR)) && s->payload > s->mss;
	snprintf(c->name, sizeof(c->name), "%s", s->name);
}

int table_case(struct superpacket_case *c, unsigned int index)
{
	uint64_t state = index;

	if (index >= sizeof(table) / sizeof(*table))
		return 0;
	make(c, &table[index], &state);
	return 1;
}

static unsigned int random_mss(uint64_t *state)
{
	switch (below(state, 4)) {
	case 0:
		return MSS_MIN + below(state, 200);
	case 1:
		return MSS_MIN + below(state, 15000);
	default:
		return 500 + below(state, 1000);
	}
}

static unsigned int random_payload(uint64_t *state, unsigned int mss, unsigned int longest)
{
	unsigned int most = longest / mss < SEGMENTS_MAX ? longest / mss : SEGMENTS_MAX;
	unsigned int full, tail;

	/* Most are short, so that there can be many. */
	if (below(state, 8) && most > 12)
		most = 12;
	full = 1 + below(state, most ? most : 1);
	tail = (unsigned int[]){ 1, mss, mss - 1, 1 + below(state, mss) }[below(state, 4)];
	if (full * mss + tail > longest || !tail)
		return full > 1 ? full * mss : mss + 1;
	return full * mss + tail;
}

void random_case(struct superpacket_case *c, uint64_t seed, unsigned int index)
{
	uint64_t state = seed * 0x100000001b3 + index;
	struct shape s = { .version = next(&state) & 1 ? 4 : 6, .pseudo = !!below(&state, 4) };
	unsigned int oddity = below(&state, 40);

	next(&state);
	s.mss = random_mss(&state);
	s.option_words = below(&state, 11);
	s.payload = random_payload(&state, s.mss, 65535 - 40 - 60 - 40);
	s.flags = below(&state, 8) ? (ACK | (next(&state) & (FIN | PSH | URG | ECE))) : (next(&state) & 0xff);
	s.seq = below(&state, 4) ? next(&state) : -below(&state, s.payload);
	s.id = below(&state, 4) ? next(&state) : -below(&state, 20);
	s.linear = below(&state, 3) ? 0 : below(&state, 2) ? -1u : below(&state, s.payload);
	if (oddity == IP_OPTIONS && s.version == 4)
		s.oddity = IP_OPTIONS;
	else if (oddity == EXTENSION_HEADER && s.version == 6)
		s.oddity = EXTENSION_HEADER;
	else if (oddity == VLAN || oddity == WRONG_LENGTH || oddity == NO_PARTIAL)
		s.oddity = oddity;
	s.name = "random";
	make(c, &s, &state);
	snprintf(c->name, sizeof(c->name), "seed %llu number %u", (unsigned long long)seed, index);
}
