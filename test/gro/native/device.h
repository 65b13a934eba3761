/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Settings of a device in this process's namespace. Refuses nothing: whoever calls has checked which namespace that is. */
#ifndef KFN_TEST_DEVICE_H
#define KFN_TEST_DEVICE_H

#include <stdint.h>

/* command: ETHTOOL_STSO, ETHTOOL_SGRO, … */
void device_feature(const char *device, uint32_t command, uint32_t value);

/* gro_max_size and gro_ipv4_max_size, in this order: the first sets the second, too. */
void device_gro_max_size(int ifindex, uint32_t size, uint32_t ipv4_size);

/* NAPI polls in a thread; the thread's id. */
int device_napi_thread(const char *device);

#endif
