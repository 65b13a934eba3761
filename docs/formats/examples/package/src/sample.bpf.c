// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kfn/sample.h"

NOTE("function=flow-dissector\\nabi=1\\nkernel=>=5.10\\n"
     "feature=link:netns\\nfeature=prog_type:flow_dissector\\n");
SEC("license") const char _license[] = "Dual BSD/GPL";

SEC("flow_dissector") int sample(struct context *ctx)
{
	struct bpf_flow_keys *keys = (struct bpf_flow_keys *)ctx->flow_keys;

	keys->thoff = keys->nhoff;
	return 0;
}
