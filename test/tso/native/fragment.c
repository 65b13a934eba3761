// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Leaves a machine with much free memory in single pages and none in blocks of
 * 128 KiB, until stdin ends. For a VM of a test only: refuses to run where it is
 * not a child of pid 1.
 *
 * fragment: says "fragmented", and how many blocks of 128 KiB and more are free.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE 4096L
#define ORDER 5		/* of pages: 128 KiB */
#define ORDERS 11
#define ROUNDS 100

static void set(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0 || close(fd))
		err(1, "%s", path);
}

static long free_pages(void)
{
	return sysconf(_SC_AVPHYS_PAGES);
}

/* Free blocks of an order and above, of all zones but the one that is kept for DMA. */
static unsigned long free_blocks(int least)
{
	unsigned long blocks = 0, count;
	FILE *file = fopen("/proc/buddyinfo", "r");
	char zone[32];

	while (file && fscanf(file, "Node %*d, zone %31s", zone) == 1) {
		for (int order = 0; order < ORDERS; order++) {
			if (fscanf(file, "%lu", &count) != 1)
				errx(1, "/proc/buddyinfo");
			if (order >= least && strcmp(zone, "DMA"))
				blocks += count;
		}
		if (fscanf(file, " ") < 0)
			break;
	}
	if (file)
		fclose(file);
	return blocks;
}

/* Every second page of two thirds of what is free: what lies between stays, and cannot be moved. */
static void make_holes(void)
{
	long pages = free_pages() * 2 / 3;
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || madvise(memory, pages * PAGE, MADV_NOHUGEPAGE) || mlock(memory, pages * PAGE))
		err(1, "%ld pages", pages);
	for (long i = 0; i < pages; i += 2)
		if (munmap(memory + i * PAGE, PAGE))
			err(1, "munmap");
}

/* A packet socket's ring is made of whole blocks of the size that is asked for; each ring costs a grace period. */
static int take_blocks(int order, unsigned long count)
{
	struct tpacket_req ring = {
		.tp_block_size = PAGE << order, .tp_block_nr = count,
		.tp_frame_size = PAGE, .tp_frame_nr = count << order,
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	return fd >= 0 && !setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring));
}

int main(void)
{
	char byte;

	if (getppid() != 1)
		errx(2, "in a VM of a test only");
	set("/proc/sys/vm/max_map_count", "1000000");
	set("/proc/sys/vm/compact_unevictable_allowed", "0");
	set("/proc/sys/vm/lowmem_reserve_ratio", "1 1 1 1");
	make_holes();
	for (int order = ORDERS - 1, round = 0; order >= ORDER && round < ROUNDS; round++) {
		unsigned long count = free_blocks(order);

		if (!count)
			order--;
		else if (!take_blocks(order, count))
			break;
	}
	printf("fragmented: %ld pages free, %lu blocks\n", free_pages(), free_blocks(ORDER));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
