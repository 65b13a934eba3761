// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* features DEVICE tso|gro on|off: what `ethtool -K` does. Refuses nothing: the caller's namespace is a test's. */
#include <err.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct ethtool_value value = { 0 };
	struct ifreq request = { .ifr_data = (char *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (argc != 4)
		errx(2, "usage: features DEVICE tso|gro on|off");
	value.cmd = strcmp(argv[2], "tso") ? ETHTOOL_SGRO : ETHTOOL_STSO;
	value.data = !strcmp(argv[3], "on");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", argv[1]);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request))
		err(1, "%s: %s", argv[1], argv[2]);
	return 0;
}
