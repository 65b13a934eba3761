// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One TCP connection within a VM, both ends of it, of which the server's may be in another namespace, which says whether what came is
 * what went and how often TCP had to send again. Refuses to call anything whole
 * that was not read to its end.
 *
 * talk VERB ADDRESS NUMBER [NAMESPACE'S FILE]
 * talk hash ADDRESS BYTES: SHA-256 at both ends.
 * talk compare ADDRESS BYTES: every byte is compared with the one that belongs to its place; much faster in a VM.
 * talk exchange ADDRESS COUNT: a request of n bytes, its echo, the next n; n around the borders of segments and of trains.
 * talk ask ADDRESS COUNT: the same of one byte each.
 * stdout: one JSON line; retransmits are of both ends, times are in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <linux/tcp.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1 << 17)
#define SEGMENT 1448

static int client, server;
static uint64_t wanted;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* A socket stays in the namespace in which it was opened. */
static int socket_in(const char *namespace, int family)
{
	int back = open("/proc/self/ns/net", O_RDONLY), there = namespace ? open(namespace, O_RDONLY) : -1, fd;

	if (namespace && (back < 0 || there < 0 || setns(there, CLONE_NEWNET)))
		err(1, "%s", namespace);
	fd = socket(family, SOCK_STREAM, 0);
	if (namespace && setns(back, CLONE_NEWNET))
		err(1, "back");
	return fd;
}

/* Both ends of a connection to ourselves. */
static void connect_ends(const char *text, const char *namespace)
{
	struct sockaddr_storage at = { 0 };
	struct sockaddr_in6 *v6 = (void *)&at;
	struct sockaddr_in *v4 = (void *)&at;
	socklen_t len = sizeof(at);
	int listening, on = 1;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		at.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		at.ss_family = AF_INET6;
	else
		errx(2, "%s is no address", text);
	listening = socket_in(namespace, at.ss_family);
	if (listening < 0 || bind(listening, (void *)&at, len) || listen(listening, 1) ||
	    getsockname(listening, (void *)&at, &len))
		err(1, "listen");
	client = socket(at.ss_family, SOCK_STREAM, 0);
	if (client < 0 || connect(client, (void *)&at, len))
		err(1, "connect");
	server = accept(listening, NULL, NULL);
	if (server < 0)
		err(1, "accept");
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static unsigned int retransmits(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		err(1, "TCP_INFO");
	return info.tcpi_total_retrans;
}

static void send_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0)
			err(1, "write");
		bytes += n;
		len -= n;
	}
}

static void read_all(int fd, uint8_t *bytes, size_t len)
{
	while (len) {
		ssize_t n = read(fd, bytes, len);

		if (n <= 0)
			errx(1, "the connection ended early");
		bytes += n;
		len -= n;
	}
}

/* A word for a place: the finaliser of MurmurHash3. */
static uint64_t word_at(uint64_t place)
{
	place ^= place >> 33;
	place *= 0xff51afd7ed558ccd;
	place ^= place >> 33;
	return place * 0xc4ceb9fe1a85ec53;
}

static void fill(uint64_t *words, size_t len, uint64_t place)
{
	for (size_t i = 0; i < (len + 7) / 8; i++)
		words[i] = word_at(place / 8 + i);
}

/* What one end saw of a stream: its digest, or nothing where bytes are compared. */
static struct {
	int hashed;
	crypto_hash_sha256_state state;
	char hex[65];
} sent, received;

static void see(__typeof__(sent) *end, const uint64_t *words, size_t len)
{
	if (end->hashed)
		crypto_hash_sha256_update(&end->state, (const void *)words, len);
}

static void finish(__typeof__(sent) *end)
{
	unsigned char digest[32];

	if (!end->hashed)
		return;
	crypto_hash_sha256_final(&end->state, digest);
	sodium_bin2hex(end->hex, sizeof(end->hex), digest, sizeof(digest));
}

/* Whole chunks, as they were sent. */
static void *receive(void *unused)
{
	static uint64_t room[CHUNK / 8], right[CHUNK / 8];
	uint64_t bytes = 0;
	ssize_t n;

	while ((n = recv(server, room, sizeof(room), MSG_WAITALL)) > 0) {
		see(&received, room, n);
		if (!received.hashed)
			fill(right, n, bytes);
		if (!received.hashed && memcmp(room, right, n))
			errx(1, "what came behind byte %llu is not what went", (unsigned long long)bytes);
		bytes += n;
	}
	if (n < 0 || bytes != wanted)
		errx(1, "%llu bytes came", (unsigned long long)bytes);
	finish(&received);
	if (write(server, "", 1) != 1)
		err(1, "write");
	return unused;
}

static void stream(uint64_t bytes, int hashed)
{
	static uint64_t room[CHUNK / 8];
	double start = now();
	pthread_t thread;
	char end;

	wanted = bytes;
	sent.hashed = received.hashed = hashed;
	crypto_hash_sha256_init(&sent.state);
	crypto_hash_sha256_init(&received.state);
	pthread_create(&thread, NULL, receive, NULL);
	for (uint64_t at = 0; at < bytes; at += sizeof(room)) {
		size_t len = bytes - at < sizeof(room) ? bytes - at : sizeof(room);

		fill(room, len, at);
		see(&sent, room, len);
		send_all(client, (void *)room, len);
	}
	shutdown(client, SHUT_WR);
	if (read(client, &end, 1) != 1)
		errx(1, "no answer");
	pthread_join(thread, NULL);
	finish(&sent);
	printf("{\"bytes\":%llu,\"sent\":\"%s\",\"received\":\"%s\",\"retransmits\":%u,\"micros\":%.0f}\n",
	       (unsigned long long)bytes, sent.hex, received.hex, retransmits(client) + retransmits(server), now() - start);
}

/* Of exchanges: whole segments, one byte less and one more; trains end at 16,064 bytes, which are 11 segments. */
static int one_byte;

static size_t size_of(unsigned int turn)
{
	if (one_byte)
		return 1;
	return 1 + (turn % 3) + (size_t)(turn / 3 % 48) * SEGMENT - (turn / 3 % 48 ? 2 : 0);
}

static void *echo(void *count)
{
	static uint8_t room[CHUNK];

	for (unsigned int turn = 0; turn < *(unsigned int *)count; turn++) {
		read_all(server, room, size_of(turn));
		send_all(server, room, size_of(turn));
	}
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void exchange(unsigned int count)
{
	static uint8_t room[CHUNK], back[CHUNK];
	double *times = calloc(count, sizeof(*times));
	pthread_t thread;

	pthread_create(&thread, NULL, echo, &count);
	for (unsigned int turn = 0; turn < count; turn++) {
		double start = now();

		for (size_t i = 0; i < size_of(turn); i++)
			room[i] = word_at(turn * CHUNK + i);
		send_all(client, room, size_of(turn));
		read_all(client, back, size_of(turn));
		times[turn] = now() - start;
		if (memcmp(room, back, size_of(turn)))
			errx(1, "turn %u came back as other bytes", turn);
	}
	pthread_join(thread, NULL);
	qsort(times, count, sizeof(*times), by_size);
	printf("{\"count\":%u,\"median\":%.0f,\"worst\":%.0f,\"retransmits\":%u}\n", count, times[count / 2],
	       times[count - 1], retransmits(client) + retransmits(server));
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5 || sodium_init() < 0)
		errx(2, "usage: talk hash|compare ADDRESS BYTES [NAMESPACE] | talk exchange|ask ADDRESS COUNT [NAMESPACE]");
	connect_ends(argv[2], argv[4]);
	one_byte = !strcmp(argv[1], "ask");
	if (!strcmp(argv[1], "hash") || !strcmp(argv[1], "compare"))
		stream(strtoull(argv[3], NULL, 0), !strcmp(argv[1], "hash"));
	else if (one_byte || !strcmp(argv[1], "exchange"))
		exchange(strtoul(argv[3], NULL, 0));
	else
		errx(2, "%s is no verb", argv[1]);
	return 0;
}
