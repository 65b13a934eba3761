// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * libFuzzer's door to the dissector, compiled for the host with ASan and UBSan.
 * Refuses an answer that depends on how much of a packet is linear, one that
 * the hook does not know, and keys that lie outside of the packet's shape.
 *
 * input: { u8 flags, u8 configuration, u8 linear bytes, packet }.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define HEAD 3
#define LONGEST 2048

/* The parameters of test/dissector/config.ts TUNNEL_CONFIG and PATCH_CONFIG. */
static const char *const configurations[][6] = {
	{ NULL },
	{ "0:0=6081", "1:0=6080", "2:0=6635", "4:0=4789", "4:1=8472", NULL },
	{ "3:0=7", NULL },
};

static void demand(int truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const *config = configurations[size > 1 ? data[1] % 3 : 0];
	struct answer whole, part;
	uint32_t length, linear;

	if (size < HEAD + ETH_HLEN || size > LONGEST)
		return -1;
	length = size - HEAD;
	linear = data[2] < length ? data[2] : length;
	config_clear();
	for (; *config; config++)
		demand(!config_set(*config));

	whole = dissect(data + HEAD, length, length, 0, data[0] % 16);
	part = dissect(data + HEAD, length, linear, 1, data[0] % 16);
	demand(!memcmp(&whole, &part, sizeof(whole)));
	demand(whole.retval == BPF_OK || whole.retval == BPF_DROP || whole.retval == BPF_FLOW_DISSECTOR_CONTINUE);
	demand(whole.keys.flags == data[0] % 16u);
	demand(whole.keys.is_frag || !whole.keys.is_first_frag);
	demand(!whole.keys.is_frag || !whole.keys.ports);
	return 0;
}
