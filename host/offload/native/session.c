/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets in namespaces, and one question at a time on them. libmnl checks lengths, sequence numbers and ports. */
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kfn-device.h"

#define ANSWER		(1 << 17)

static json_t *failure;
static char words[256];
static unsigned int sequence;

int fail(const char *code, const char *fmt, ...)
{
	char message[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	json_decref(failure);
	failure = json_pack("{s:s, s:s}", "code", code, "message", message);
	if (failure && *words)
		json_object_set_new(failure, "kernel", json_string(words));
	return -1;
}

json_t *failure_take(void)
{
	json_t *taken = failure;

	failure = NULL;
	return taken ?: json_pack("{s:s, s:s}", "code", "DEVICE_INTERNAL", "message", "out of memory");
}

const char *kernel_words(void)
{
	return words;
}

static int enter(const char *netns, int *own)
{
	int fd = open(netns, O_RDONLY | O_CLOEXEC);

	*own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || *own < 0 || setns(fd, CLONE_NEWNET)) {
		fail(errno == EPERM || errno == EACCES ? "DEVICE_REFUSED" : "DEVICE_NETNS_GONE",
		     "the network namespace %s cannot be entered: %s", netns, strerror(errno));
		close(fd);
		close(*own);
		return -1;
	}
	close(fd);
	return 0;
}

static int leave(int own)
{
	int err = setns(own, CLONE_NEWNET);

	close(own);
	return err ? fail("DEVICE_INTERNAL", "this process cannot go back to its network namespace") : 0;
}

int session_open(struct session *session, const char *netns, int bus)
{
	int own, on = 1;

	session->nl = NULL;
	session->netns = netns;
	if (enter(netns, &own))
		return -1;
	session->nl = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (leave(own))
		return -1;
	if (!session->nl || mnl_socket_bind(session->nl, 0, MNL_SOCKET_AUTOPID))
		return fail("DEVICE_REFUSED", "a netlink socket cannot be opened: %s", strerror(errno));
	/* Words instead of a number alone where the kernel has them; both are older than Linux 6.1. */
	mnl_socket_setsockopt(session->nl, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(session->nl, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

void session_close(struct session *session)
{
	if (session->nl)
		mnl_socket_close(session->nl);
	session->nl = NULL;
}

int socket_in(const char *netns)
{
	int own, fd;

	if (enter(netns, &own))
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (leave(own) || fd < 0)
		return fd < 0 ? fail("DEVICE_REFUSED", "a socket cannot be opened: %s", strerror(errno)) : (close(fd), -1);
	return fd;
}

static int words_keep(const struct nlattr *attr, void *data)
{
	(void)data;
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
		snprintf(words, sizeof(words), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

/* As libmnl's own, and the kernel's words kept. */
static int on_error(const struct nlmsghdr *message, void *data)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	(void)data;
	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(*error))) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	if (message->nlmsg_flags & NLM_F_ACK_TLVS)
		mnl_attr_parse(message, sizeof(*error), words_keep, NULL);
	errno = error->error < 0 ? -error->error : error->error;
	return error->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

int session_ask(struct session *session, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
	static mnl_cb_t control[] = { [NLMSG_ERROR] = on_error };
	static char answer[ANSWER] __attribute__((aligned(8)));
	int run;

	*words = 0;
	request->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(session->nl, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		ssize_t got = mnl_socket_recvfrom(session->nl, answer, sizeof(answer));

		if (got < 0 && errno == EINTR) {
			run = MNL_CB_OK;
			continue;
		}
		if (got < 0)
			return -errno;
		run = mnl_cb_run2(answer, got, request->nlmsg_seq, mnl_socket_get_portid(session->nl), cb, data, control,
				  MNL_ARRAY_SIZE(control));
	} while (run > MNL_CB_STOP);
	return run == MNL_CB_ERROR ? -errno : 0;
}

struct nlmsghdr *genl_request(char *buffer, const struct family *family, uint8_t command, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl;

	request->nlmsg_type = family->id;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	genl = mnl_nlmsg_put_extra_header(request, sizeof(*genl));
	genl->cmd = command;
	genl->version = 1;
	return request;
}

struct wanted {
	struct family *family;
	const char *group;
};

static void group_look(const struct nlattr *nest, const struct wanted *wanted)
{
	const struct nlattr *group, *attr;

	mnl_attr_for_each_nested(group, nest) {
		const char *name = NULL;
		uint32_t id = 0;

		mnl_attr_for_each_nested(attr, group) {
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME && !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
				name = mnl_attr_get_str(attr);
			if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID && !mnl_attr_validate(attr, MNL_TYPE_U32))
				id = mnl_attr_get_u32(attr);
		}
		if (name && !strcmp(name, wanted->group))
			wanted->family->group = id;
	}
}

static int family_keep(const struct nlmsghdr *message, void *data)
{
	const struct wanted *wanted = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID && !mnl_attr_validate(attr, MNL_TYPE_U16))
			wanted->family->id = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			group_look(attr, wanted);
	}
	return MNL_CB_OK;
}

int family_look(struct session *session, const char *name, const char *group, struct family *family)
{
	static const struct family control = { .id = GENL_ID_CTRL };
	struct wanted wanted = { family, group };
	char buffer[REQUEST];
	struct nlmsghdr *request = genl_request(buffer, &control, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	int err;

	*family = (struct family){ 0 };
	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, name);
	err = session_ask(session, request, family_keep, &wanted);
	if (err && err != -ENOENT)
		return fail("DEVICE_REFUSED", "generic netlink does not tell of %s: %s", name, strerror(-err));
	return 0;
}
