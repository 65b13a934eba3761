// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One TCP connection that carries bytes which follow from their place in the
 * stream, hashed at both ends. Refuses to call a stream received that was not
 * whole.
 *
 * stream receive ADDRESS PORT: prints "ready", takes one connection to its end.
 * stream send ADDRESS PORT BYTES|SECONDSs hash|plain: plain says nothing of the
 * content, so that the time is the network's.
 * stream echo ADDRESS PORT: sends every byte back. stream ask ADDRESS PORT COUNT:
 * round trips of one byte.
 * stdout: one JSON line: {"bytes","hash","seconds","cpuSeconds"}, or
 * {"count","medianNs"}.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (1 << 18)

static uint64_t room[CHUNK / 8];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static socklen_t address_of(const char *text, const char *port, struct sockaddr_storage *to)
{
	struct sockaddr_in *v4 = (void *)to;
	struct sockaddr_in6 *v6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		errx(2, "%s is no address", text);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(atoi(port));
	return sizeof(*v6);
}

static int take_connection(const char *address, const char *port)
{
	struct sockaddr_storage at;
	socklen_t len = address_of(address, port, &at);
	int fd = socket(at.ss_family, SOCK_STREAM, 0), on = 1, connection;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) || listen(fd, 1))
		err(1, "%s port %s", address, port);
	puts("ready");
	fflush(stdout);
	connection = accept(fd, NULL, NULL);
	if (connection < 0)
		err(1, "accept");
	return connection;
}

static int make_connection(const char *address, const char *port)
{
	struct sockaddr_storage to;
	socklen_t len = address_of(address, port, &to);
	int fd = socket(to.ss_family, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, len))
		err(1, "%s port %s", address, port);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* A word for a place: the finaliser of MurmurHash3. */
static uint64_t word_at(uint64_t place)
{
	place ^= place >> 33;
	place *= 0xff51afd7ed558ccd;
	place ^= place >> 33;
	return place * 0xc4ceb9fe1a85ec53;
}

/* Of whole words; what is left of a chunk waits for the next. */
static uint64_t add_hash(uint64_t hash, const uint64_t *words, size_t count)
{
	while (count--)
		hash = (hash << 5 | hash >> 59) * 0x9e3779b97f4a7c15 ^ *words++;
	return hash;
}

static void report(uint64_t bytes, uint64_t hash, double start)
{
	printf("{\"bytes\":%llu,\"hash\":\"%016llx\",\"seconds\":%.6f,\"cpuSeconds\":%.6f}\n",
	       (unsigned long long)bytes, (unsigned long long)hash, now() - start, cpu());
}

static void receive(int fd)
{
	uint64_t bytes = 0, hash = 0;
	double start = now();
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, (uint8_t *)room + have, sizeof(room) - have)) > 0) {
		bytes += n;
		have += n;
		hash = add_hash(hash, room, have / 8);
		memmove(room, (uint8_t *)room + have / 8 * 8, have % 8);
		have %= 8;
	}
	if (n < 0)
		err(1, "read");
	/* An answer, so that the sender's time ends when the bytes are there. */
	if (write(fd, "", 1) != 1)
		err(1, "write");
	report(bytes, hash, start);
}

static void receive_plain(int fd)
{
	uint64_t bytes = 0;
	double start = now();
	ssize_t n;

	while ((n = read(fd, room, sizeof(room))) > 0)
		bytes += n;
	if (n < 0 || write(fd, "", 1) != 1)
		err(1, "read or write");
	report(bytes, 0, start);
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

/* limit: bytes, a multiple of 8, or "5s". */
static void send_stream(int fd, const char *limit, int hashed)
{
	uint64_t most = strtoull(limit, NULL, 0), bytes = 0, hash = 0;
	int timed = limit[strlen(limit) - 1] == 's';
	double start = now();
	char end;

	while (timed ? now() - start < most : bytes < most) {
		size_t len = timed || most - bytes > sizeof(room) ? sizeof(room) : most - bytes;

		for (size_t i = 0; hashed && i < len / 8; i++)
			room[i] = word_at(bytes / 8 + i);
		hash = hashed ? add_hash(hash, room, len / 8) : 0;
		send_all(fd, (uint8_t *)room, len);
		bytes += len;
	}
	shutdown(fd, SHUT_WR);
	if (read(fd, &end, 1) != 1)
		err(1, "no answer");
	report(bytes, hash, start);
}

static void echo(int fd)
{
	char byte;

	while (read(fd, &byte, 1) == 1) {
		if (write(fd, &byte, 1) != 1)
			err(1, "write");
	}
}

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void ask(int fd, size_t count)
{
	double *samples = calloc(count, sizeof(*samples));
	char byte = 'k';

	for (size_t i = 0; i < count; i++) {
		double start = now();

		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			err(1, "round trip");
		samples[i] = now() - start;
	}
	qsort(samples, count, sizeof(*samples), by_size);
	printf("{\"count\":%zu,\"medianNs\":%.0f}\n", count, samples[count / 2] * 1e9);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 3 ? argv[1] : "";

	if (!strcmp(verb, "receive"))
		receive(take_connection(argv[2], argv[3]));
	else if (!strcmp(verb, "discard"))
		receive_plain(take_connection(argv[2], argv[3]));
	else if (!strcmp(verb, "send") && argc == 6)
		send_stream(make_connection(argv[2], argv[3]), argv[4], !strcmp(argv[5], "hash"));
	else if (!strcmp(verb, "echo"))
		echo(take_connection(argv[2], argv[3]));
	else if (!strcmp(verb, "ask") && argc == 5)
		ask(make_connection(argv[2], argv[3]), strtoul(argv[4], NULL, 0));
	else
		errx(2, "usage: stream receive|discard|echo ADDRESS PORT | send ADDRESS PORT BYTES|SECONDSs hash|plain | ask ADDRESS PORT COUNT");
	return 0;
}
