// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows what this kernel's own GRO makes of batches from stdin. To be started in
 * a namespace that a test made; refuses any other. A tap device with NAPI takes
 * the frames. Its NAPI runs in a thread that may use only the CPU of this process,
 * which is of real time: so the thread polls when this process waits for the first
 * answer, and finds all frames of the batch, and a poll is not preempted.
 *
 * kernel_gro /run/netns/kfn-... DEVICE: { u32 frames, { u32 length, u32 virtio flags, bytes }... },
 * repeated, gives { u32 frames, { u32 length, u32 GSO type, u32 GSO size,
 * u32 checksum start (0: none), bytes }... }; little-endian.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LIMIT 131072
#define FRAMES 63	/* one poll: below NAPI_POLL_WEIGHT, so that the poll also completes */

static int tap, capture;
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

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || close(fd))
		err(1, "%s", path);
}

static void open_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_NAPI };
	char path[128];
	int control = socket(AF_INET, SOCK_DGRAM, 0);

	tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (tap < 0 || control < 0 || ioctl(tap, TUNSETIFF, &request))
		err(1, "/dev/net/tun");
	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	write_text(path, "1");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(control, SIOCSIFFLAGS, &request))
		err(1, "SIOCSIFFLAGS");
	close(control);
	snprintf(path, sizeof(path), "/sys/class/net/%s/threaded", name);
	write_text(path, "1");
}

/*
 * Two sockets, of which only the younger is read: it is asked first. The last one
 * asked about a packet that no protocol takes gets it with the end of the list
 * (__netif_receive_skb_list_core()), which would not be the order of delivery.
 */
static void open_capture(const char *name)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int last = socket(AF_PACKET, SOCK_RAW, 0), on = 1, size = 64 << 20;

	address.sll_ifindex = if_nametoindex(name);
	if (last < 0 || bind(last, (struct sockaddr *)&address, sizeof(address)))
		err(1, "AF_PACKET");
	capture = socket(AF_PACKET, SOCK_RAW, 0);
	if (capture < 0 || setsockopt(capture, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) ||
	    setsockopt(capture, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    setsockopt(capture, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(capture, (struct sockaddr *)&address, sizeof(address)))
		err(1, "AF_PACKET");
}

/* The thread's name is napi/DEVICE-ID. */
static pid_t napi_thread(const char *name)
{
	char want[64], path[300], comm[64];
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	pid_t found = 0;

	snprintf(want, sizeof(want), "napi/%s-", name);
	while (proc && !found && (entry = readdir(proc))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strncmp(comm, want, strlen(want)))
			found = atoi(entry->d_name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	if (!found)
		errx(1, "no thread %s", want);
	return found;
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

static uint8_t frames[FRAMES][16384];
static struct { uint32_t length, flags; } heads[FRAMES];

static void send_batch(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		read_whole(&heads[i], sizeof(heads[i]));
		if (heads[i].length > sizeof(frames[i]))
			errx(1, "a frame is too long");
		read_whole(frames[i], heads[i].length);
	}
	for (uint32_t i = 0; i < count; i++) {
		struct virtio_net_hdr head = { .flags = heads[i].flags };
		struct iovec parts[2] = { { &head, sizeof(head) }, { frames[i], heads[i].length } };

		if (head.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
			head.csum_start = heads[i].flags >> 8;
			head.csum_offset = 16;
		}
		if (writev(tap, parts, 2) < 0)
			err(1, "frame %u of %u bytes", i, heads[i].length);
	}
}

static void write_answer(void)
{
	static uint8_t all[16 << 20];
	uint32_t count = 0;
	size_t used = 0;

	for (int flags = 0;; flags = MSG_DONTWAIT) {
		struct virtio_net_hdr *head = (void *)buffer;
		uint32_t words[4];
		ssize_t got = recv(capture, buffer, sizeof(buffer), flags);

		if (got < 0 && errno == EAGAIN)
			break;
		if (got < (ssize_t)sizeof(*head))
			err(1, "recv");
		got -= sizeof(*head);
		words[0] = got;
		words[1] = head->gso_type;
		words[2] = head->gso_size;
		words[3] = head->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? head->csum_start : 0;
		if (used + sizeof(words) + got > sizeof(all))
			errx(1, "too much of an answer");
		memcpy(all + used, words, sizeof(words));
		memcpy(all + used + sizeof(words), head + 1, got);
		used += sizeof(words) + got;
		count++;
	}
	fwrite(&count, sizeof(count), 1, stdout);
	fwrite(all, used, 1, stdout);
}

int main(int argc, char **argv)
{
	uint32_t count;

	if (argc != 3)
		errx(2, "usage: kernel_gro /run/netns/kfn-... DEVICE");
	refuse_other_namespaces(argv[1]);
	open_tap(argv[2]);
	open_capture(argv[2]);
	share_cpu(napi_thread(argv[2]));
	while (fread(&count, sizeof(count), 1, stdin) == 1) {
		if (!count || count > FRAMES)
			errx(1, "1 to %d frames", FRAMES);
		send_batch(count);
		write_answer();
	}
	return 0;
}
