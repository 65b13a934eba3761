/* SPDX-License-Identifier: Apache-2.0 */
/* What is pinned and what else holds the hook, as the kernel reports it now. Changes nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include "kfn-load.h"

/* bpf_prog_info.load_time is in ns since boot, CLOCK_BOOTTIME. */
static json_int_t unix_seconds(uint64_t since_boot)
{
	struct timespec now, boot;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return ((int64_t)(now.tv_sec - boot.tv_sec) * 1000000000 + (now.tv_nsec - boot.tv_nsec) + (int64_t)since_boot) /
	       1000000000;
}

/* Program names are set by whoever loaded them. */
static json_t *name_json(struct bpf_prog_info *info)
{
	info->name[sizeof(info->name) - 1] = 0;
	plain(info->name);
	return json_string(info->name);
}

static json_t *program_json(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return NULL;
	return json_pack("{s:o, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "name", name_json(&info), "id", (json_int_t)info.id,
			 "kernelTag", hex_json(info.tag, KERNEL_TAG_SIZE), "loadedAt", unix_seconds(info.load_time),
			 "verifiedInsns", (json_int_t)info.verified_insns, "jitedBytes", (json_int_t)info.jited_prog_len,
			 "runCount", (json_int_t)info.run_cnt, "runNanoseconds", (json_int_t)info.run_time_ns);
}

/* What the link runs, even when that is not what is pinned. A dead link keeps its program, too. */
static int programs_add(json_t *list, const struct pin *pin)
{
	int fd __close = pin->link_prog_id ? bpf_prog_get_fd_by_id(pin->link_prog_id) : -1;

	if (pin->link_prog_id && (fd < 0 || json_array_append_new(list, program_json(fd))))
		return fail_errno(LOAD_KERNEL_REFUSED, fd < 0 ? -fd : errno, "program %u cannot be inspected",
				  pin->link_prog_id);
	return 0;
}

static json_t *pin_json(const struct pin *pin, json_t *programs)
{
	static const char * const types[] = { [HOOK_NETNS] = "netns", [HOOK_TCX] = "tcx", [HOOK_CLSACT] = "clsact" };
	json_t *link = json_null();

	if (pin->hook != HOOK_NONE)
		link = json_pack("{s:I, s:s, s:I, s:o, s:b}", "id", (json_int_t)pin->link_id, "type", types[pin->hook],
				 "netnsInode", (json_int_t)pin->netns_inode, "ifindex", pin->ifindex ? json_integer(pin->ifindex) : json_null(),
				 "alive", pin->netns_inode != 0);
	return json_pack("{s:s, s:s, s:o, s:O, s:o, s:s?}", "function", pin->function, "scope", pin->scope, "link", link,
			 "programs", programs, "pinnedProgramId",
			 pin->prog_fd < 0 ? json_null() : json_integer(pin->prog_id),
			 "keyring", *pin->keyring ? pin->keyring : NULL);
}

static bool ours(const struct pin *pins, size_t count, uint64_t inode, uint32_t id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (pins[i].netns_inode == inode && pins[i].link_prog_id == id)
			return true;
	return false;
}

static int foreign_add(json_t *list, const char *scope, const char *hook, uint32_t id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd __close = bpf_prog_get_fd_by_id(id);

	if (fd == -ENOENT)			/* it went away since */
		return 0;
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return fail_errno(LOAD_KERNEL_REFUSED, fd < 0 ? -fd : errno, "program %u cannot be inspected", id);
	return json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:o, s:o}", "scope", scope, "hook", hook,
						     "programId", (json_int_t)id, "name", name_json(&info),
						     "kernelTag", hex_json(info.tag, KERNEL_TAG_SIZE), "owner",
						     owner_json(id, info.created_by_uid, unix_seconds(info.load_time))))
	       ? fail(LOAD_USAGE, NULL, "a namespace's path is not UTF-8") : 0;
}

/* At a device many programs run one after the other: those before ours see packets that ours then does not. */
static int before_ours(json_t *list, const struct pin *pin)
{
	struct place place __attribute__((cleanup(place_close))) = { .fd = -1 };
	struct tcx_program programs[MAX_TCX];
	size_t count = 0, i;
	int err;

	if (pin->hook != HOOK_TCX || !pin->netns_inode || !place_look(pin->scope, &place))
		return 0;
	place.ingress = pin->ingress;
	err = hook_tcx(&place, programs, &count);
	if (err)
		return fail_errno(LOAD_KERNEL_REFUSED, -err, "%s: the hook cannot be queried", pin->scope);
	for (i = 0; i < count && programs[i].link_id != pin->link_id; i++)
		if (foreign_add(list, pin->scope, pin->ingress ? "tc-ingress" : "tc-egress", programs[i].prog_id))
			return -1;
	return 0;
}

static int foreign_in_scope(json_t *list, const char *scope, const struct pin *pins, size_t count)
{
	struct place netns __attribute__((cleanup(place_close))) = { .fd = -1 };
	uint32_t id;

	if (place_open(scope, &netns) || netns_attached(&netns, &id))
		return -1;
	return !id || ours(pins, count, netns.inode, id) ? 0 : foreign_add(list, scope, "flow_dissector", id);
}

static bool listed(json_t *list, const char *scope)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (!strcmp(json_string_value(json_object_get(entry, "scope")), scope))
			return true;
	return false;
}

static int inspect(char **paths, size_t path_count, const struct pin *pins, size_t count)
{
	json_t *list __json = json_array(), *foreign __json = json_array();
	char scope[MAX_SCOPE + 8];
	size_t i;

	for (i = 0; i < count; i++) {
		json_t *programs __json = json_array();

		if (programs_add(programs, &pins[i]))
			return -1;
		json_array_append_new(list, pin_json(&pins[i], programs));
		/* A pin whose namespace is gone shows as a dead link, not as a failure. */
		if (before_ours(foreign, &pins[i]))
			return -1;
		if (!strncmp(pins[i].scope, "netns:", 6) && place_exists(pins[i].scope) && !listed(foreign, pins[i].scope) &&
		    foreign_in_scope(foreign, pins[i].scope, pins, count))
			return -1;
	}
	for (i = 0; i < path_count; i++) {
		if (paths[i][0] != '/' || strlen(paths[i]) > MAX_SCOPE)
			return fail(LOAD_USAGE, NULL, "--netns takes an absolute path of at most %d bytes", MAX_SCOPE);
		strcpy(stpcpy(scope, "netns:"), paths[i]);
		if (!listed(foreign, scope) && foreign_in_scope(foreign, scope, pins, count))
			return -1;
	}
	return answer(json_pack("{s:O, s:O}", "pins", list, "foreign", foreign));
}

int cmd_inspect(char **paths, size_t path_count)
{
	struct pin *pins = NULL;
	size_t count = 0, i;
	int err = bpffs_check() ?: pin_walk(&pins, &count) ?: inspect(paths, path_count, pins, count);

	for (i = 0; i < count; i++)
		pin_close(&pins[i]);
	free(pins);
	return err;
}
