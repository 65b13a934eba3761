/* SPDX-License-Identifier: Apache-2.0 */
/* kfn-device: what network devices say of themselves, their features on and off, and what changes. Never calls bpf(). */
#ifndef KFN_DEVICE_H
#define KFN_DEVICE_H

#include <jansson.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define ROOT_NETNS	"/proc/1/ns/net"
#define MAX_FEATURES	64			/* of one call */
#define REQUEST		8192			/* bytes; fits MAX_FEATURES */

/* One netlink socket, opened in a namespace: it stays there. */
struct session {
	struct mnl_socket *nl;
	const char *netns;
};

/* A generic netlink family of the running kernel; id 0: it has none of that name. */
struct family {
	uint16_t id;
	uint32_t group;				/* of notifications; 0: none of that name */
};

/* Remembers why, for the answer; -1 to return. `code` is one of docs/formats/offload.md. */
int fail(const char *code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
json_t *failure_take(void);

int session_open(struct session *session, const char *netns, int bus);
void session_close(struct session *session);
/* A plain socket for ioctls in the namespace; -1 after fail(). */
int socket_in(const char *netns);

/* 0, or -errno with the kernel's words in kernel_words(). `cb` sees each message of the answer. */
int session_ask(struct session *session, struct nlmsghdr *request, mnl_cb_t cb, void *data);
const char *kernel_words(void);
int family_look(struct session *session, const char *name, const char *group, struct family *family);
struct nlmsghdr *genl_request(char *buffer, const struct family *family, uint8_t command, uint16_t flags);

/* Fills `devices` with what rtnetlink tells of each device of the namespace, or of `only`. */
int links_read(const char *netns, const char *only, json_t *devices);
int features_read(struct session *genl, const struct family *ethtool, const char *device, json_t **out);
/* `changes`: NAME=on or NAME=off. The kernel applies all of one call, or what its driver lets it. */
int features_set(struct session *genl, const struct family *ethtool, const char *device, char *const *changes, int count);
/* The shape of `devlink -j dev info`; json null where the device has no devlink. */
int info_read(const char *netns, const char *bus, const char *name, json_t **out);
/* Writes a line for each change in the namespaces until stdin ends. */
int watch(char *const *namespaces, int count);

#endif
