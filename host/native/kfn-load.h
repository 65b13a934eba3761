/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of kfn-load say to each other. Every function returns 0, or -1 after fail(). */
#ifndef KFN_LOAD_H
#define KFN_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>
#include <jansson.h>
#include "errors.h"

#define MAX_PLAN	(4 * 1024 * 1024)
#define MAX_MANIFEST	(1024 * 1024)
#define MAX_TRUST	(1024 * 1024)
#define MAX_SIGNATURES	(32 * 1024)
#define MAX_FILE	(16 * 1024 * 1024)	/* one file of a bundle */
#define MAX_FUNCTIONS	4096
#define MAX_KEYS	64
#define MAX_VECTORS	4096
#define MAX_PKCS7	1024
#define MAX_KEYID	64			/* subjectKeyIdentifier */
#define MAX_PACKET	16384
#define MAX_BYTES	65536			/* of a vector, and of its answer */
#define MAX_SCOPE	255			/* encoded: a file name of bpffs */
#define DIGEST_LEN	64			/* sha256 in lowercase hex */
#define KERNEL_TAG_SIZE	8			/* bpf_prog_info.tag */
#define FLOW_KEYS_SIZE	56			/* struct bpf_flow_keys, linux/bpf.h */

struct buf {
	unsigned char *data;			/* one NUL follows data[len - 1] */
	size_t len;
};

/* CLOCK_MONOTONIC: nanoseconds since the machine started. */
static inline uint64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1000000000ull + at.tv_nsec;
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
void buf_free(struct buf *buf);
static inline void json_put(json_t **value) { json_decref(*value); }
#define __close	__attribute__((cleanup(close_fd)))
#define __json	__attribute__((cleanup(json_put)))
#define __buf	__attribute__((cleanup(buf_free)))

/* errors.c: the first fail() of a run is what the caller is told; later ones follow from it. */
int fail(enum load_code code, const char *hint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int fail_errno(enum load_code code, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void fail_detail(const char *key, json_t *value);	/* belongs to the last fail(); takes the reference */
const char *last_failure(void);				/* the last message, also one that was not the first */
void fail_undone(json_t *failed);			/* what could not be undone, into details; takes the reference */
void plain(char *text);
int answer(json_t *fields);				/* prints {"ok":true,…}; takes the reference */
bool failed_with(enum load_code code);			/* the first fail() of this run, or since the last was taken */
json_t *failure_take(void);				/* as JSON, and there is none any more; NULL: it is not one function's alone */
json_t *failure_clear(void);				/* the same, whatever it is */
int answer_failure(void);				/* prints {"ok":false,…}; returns the exit code */
json_t *errors_json(void);

/* json.c */
json_t *json_open(const struct buf *buf, enum load_code code, const char *what);
int unpack(enum load_code code, const char *what, json_t *value, const char *fmt, ...);

/* grammar.c: the small languages of the formats */
bool is_digest(const char *text);
bool is_tag(const char *text);
bool is_name(const char *text);
bool is_path(const char *text);
bool is_text(const char *text, size_t max);
void sha256_hex(const void *data, size_t len, char out[DIGEST_LEN + 1]);
json_t *hex_json(const void *data, size_t len);
int hex_read(const char *text, size_t max, unsigned char *out, size_t *len);

/* scope.c: what a scope says */
#define ROOT_NETNS "/proc/1/ns/net"
enum scope_kind { SCOPE_NONE, SCOPE_NETNS, SCOPE_NETNS_PATTERN, SCOPE_DEV, SCOPE_DEV_DRIVER, SCOPE_DEV_BUS };
struct scope {
	enum scope_kind kind;
	char netns[MAX_SCOPE + 1];			/* the namespace's file; of a pattern, all before the star */
	char name[MAX_SCOPE + 1];			/* of the device, driver or bus */
};
bool scope_parse(const char *text, struct scope *out);
bool is_scope(const char *text);
bool scope_is_one(const char *text);
bool scope_covers(const char *pattern, const char *one);
bool scope_overlaps(const char *a, const char *b);
bool hook_takes(const char *hook, const char *scope);

/* file.c */
extern const char *root_dir;				/* --root */
int file_read(const char *path, size_t max, struct buf *out);
int stdin_read(size_t max, struct buf *out);
int store_open(const char *sha256);			/* a descriptor of the bundle's folder */
int store_read(int store, const char *path, size_t max, struct buf *out);

/* plan.c */
struct function_spec {
	const char *function, *scope, *planned, *bundle, *version, *sha256, *manifest_sha256, *tag;
	json_t *config;
	long long abi;
	bool experimental;				/* wanted although the manifest calls it that */
	bool may_stay;					/* --leave: if it fails, it stays as it is, and the others go on */
	bool may_miss;					/* the same where only its place cannot take it */
};
/* As it is read, an entry's scope may stand for many places; after plan_expand() it is one, and `planned` what the plan says. */
struct plan {
	json_t *root, *names;				/* own every string below */
	size_t count;
	struct function_spec functions[MAX_FUNCTIONS];
};
int plan_read(const char *path, char **leave_args, size_t leave_count, struct plan *plan);	/* "-" is stdin */
struct function_spec *plan_find(const struct plan *plan, const char *function, const char *scope);
void plan_free(struct plan *plan);

/* expand.c */
int plan_expand(struct plan *plan);
int cmd_scopes(char **scopes, size_t count);

/* trust.c: who may sign a bundle name, and whether a revoked key's signature over this manifest goes on */
struct publisher {
	long long threshold;
	size_t count;
	struct {
		char keyid[DIGEST_LEN + 1];
		unsigned char bytes[32];
		bool revoked;
	} keys[2 * MAX_KEYS];
};
int publisher_for(const char *name, const char *manifest_sha256, struct publisher *out);
/* `sets/<n>-<sha256>`, what tuf/current names; longer targets are none. Empty where nothing was verified yet. */
#define SET_LEN	90
int trust_set(char target[SET_LEN + 1]);

/* revoked.c: what this host remembers of revocations */
#define REVOKED_FILE "/var/lib/kfn/recall/revoked.json"
#define MAX_REVOKED	(16 * 1024 * 1024)
int revoked_find(const char *name, const char *tag, const char *manifest_sha256, const char **id, const char **reason);	/* id NULL: not */
int revoked_check(const struct function_spec *spec);
bool revoked_in(long long generation);

/* verify.c: DSSE over the exact manifest bytes */
int verify_signatures(const struct buf *manifest, const struct buf *signatures, const struct publisher *publisher);

/* manifest.c: read only after verify_signatures() */
struct program_spec {
	const char *name, *section, *type, *hook;
	const char *insns_digest;			/* NULL: CO-RE changes the instructions */
	long long insns;
};
struct variant {
	const char *name, *object, *kernel;
	json_t *features, *maps;			/* maps NULL: it has none */
	struct program_spec program;
};
struct manifest {
	json_t *root, *variants, *vectors, *files, *config;
	const char *function, *tag;
	const char *experimental;			/* why; NULL: it is not */
	long long abi;
};
int manifest_parse(const struct buf *bytes, const struct function_spec *spec, struct manifest *out);
int manifest_variant(const struct manifest *manifest, size_t index, struct variant *out);
int manifest_file(const struct manifest *manifest, int store, const char *path, struct buf *out);

struct place;					/* place.c */

/* probe.c */
#define KFN_BPF_F_BEFORE	(1u << 3)
#define KFN_BPF_LINK_TYPE_TCX	11
#define KFN_BPF_TCX_INGRESS	((enum bpf_attach_type)46)
#define KFN_BPF_TCX_EGRESS	((enum bpf_attach_type)47)	/* linux/bpf.h of Linux 6.6, newer than libbpf 1.1's */
enum have { HAVE_NO, HAVE_YES, HAVE_UNKNOWN };
struct probe {
	enum have have;
	int err;					/* the errno behind an unknown */
	char reason[160];
};
struct kernel_version { unsigned int part[3]; };
struct kernel_version kernel_running(void);
int kernel_compare(struct kernel_version a, struct kernel_version b);
int kernel_range(const char *range, bool *fits);	/* -1 without fail(): not a range */
struct probe probe_feature(const char *feature);
int variant_choose(const struct manifest *manifest, struct variant *out);
struct probe probe_signatures(void);
json_t *probe_json(struct probe probe);
int cmd_probe(void);

/* kernel-symbols.c */
struct probe probe_kernel_function(const char *name);
struct probe probe_kernel_object(const char *name);
bool kernel_symbol_asked(const struct variant *variant, int32_t id);	/* by a feature: id is of the kernel's BTF */

/* config.c: parameters as immediates in the instructions */
struct bpf_program;
bool config_is_default(const struct manifest *manifest, json_t *config);
int config_apply(const struct manifest *manifest, json_t *config, struct bpf_program *program);	/* NULL: the defaults */

/* kernel-signature.c: what the kernel itself can check */
struct kernel_signature {
	size_t len;					/* 0: there is none */
	unsigned char pkcs7[MAX_PKCS7];
	char keyid[2 * MAX_KEYID + 1];
};
int kernel_signature_file(int store, struct buf *out);	/* data NULL: the bundle has none */
int kernel_signature_read(int store, const char *insns_digest, struct kernel_signature *out);

/* keyring.c */
#define SYSTEM_KEYRINGS 3
#define HOST_KEYRING "kernel-keys"
#define HOST_CERTIFICATES "etc/kfn/trust/kernel-keys"
struct system_keyring {
	const char *name;
	int32_t id;					/* what BPF_PROG_LOAD calls it: include/linux/verification.h */
};
extern const struct system_keyring system_keyrings[SYSTEM_KEYRINGS];
struct host_keyring {
	bool asked;
	int32_t serial;
	size_t keys;
	char problem[200];				/* the last certificate that could not be used, and why */
};
struct dirent;
int certificates_list(struct dirent ***names);
const struct host_keyring *host_keyring(void);		/* made once a run */
int cmd_kernel_keys(void);

/* signed-load.c */
union bpf_attr;
struct kernel_check {
	const char *keyring;				/* NULL: not checked by the kernel, and the reason says why */
	char reason[400];
};
int signed_prog_load(const union bpf_attr *attr, const void *signature, uint32_t size, int32_t keyring);
int signed_load(const struct bpf_program *program, const char *license, const struct kernel_signature *signature,
		struct kernel_check *check, int *fd);	/* fd -1 and no failure: it must be loaded without the signature */

/* object.c */
struct bpf_object;
struct loaded {
	struct bpf_object *object;
	int prog_fd;					/* borrowed from object, unless it is signed_fd */
	int signed_fd;					/* 0 or less: none */
	struct kernel_check check;
	unsigned char tag[KERNEL_TAG_SIZE];
	uint32_t id, verified_insns;
};
int object_load(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant,
		json_t *config, struct loaded *out);	/* config NULL: the defaults */
int object_load_signed(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant,
		       const struct kernel_signature *signature, struct loaded *out);	/* with its defaults */
void loaded_close(struct loaded *loaded);
int libbpf_start(void);					/* once, before anything else of libbpf */
int object_fail(enum load_code code, const char *text);	/* with what libbpf said of it */

/* object-elf.c, object-maps.c */
int elf_check(const struct buf *bytes, const struct manifest *manifest, const struct variant *variant, const char **license);
int maps_prepare(struct bpf_object *object, const struct variant *variant);

/* image.c: a loaded program as far as the kernel shows it */
#define MAX_MAPS 8
struct image;
struct image *image_read(int prog_fd);			/* NULL after fail() */
const char *image_compare(const struct image *running, const struct image *copy, const char **reason);
json_t *image_json(const struct image *image);
void image_free(struct image *image);

/* test-run.c: BPF_PROG_TEST_RUN; -errno without fail() */
struct test_run {
	bool flow_keys;					/* a flow dissector: keys with flags go in, keys come out */
	const void *data;				/* 14 bytes (an Ethernet header) at least; at most is the kernel's */
	size_t len;
	uint32_t flags;
	json_t *context, *wanted;			/* of __sk_buff: fields that go in; that are asked for. NULL: none */
};
struct test_answer {
	uint32_t retval;
	unsigned char bytes[MAX_BYTES];
	size_t len;
	json_t *context;				/* the caller's; NULL: none was asked for */
};
bool context_valid(json_t *fields, bool back);		/* back: as what comes out */
int test_run(int prog_fd, const struct test_run *run, struct test_answer *out);
int packet_run(int prog_fd, const void *data, size_t len, uint32_t flags, uint32_t *retval,
	       unsigned char out[FLOW_KEYS_SIZE]);

/* vectors.c */
int vectors_run(const struct buf *file, const char *path, const struct program_spec *program, int prog_fd, json_t *names);

/* check.c: one function of a plan, from store to loaded and proved, not attached */
struct checked {
	struct manifest manifest;
	struct variant variant;
	struct loaded loaded;
	size_t vectors;
};
int manifest_open(const struct function_spec *spec, int store, struct manifest *out);
/* The last entry that was proved in this run: the next one, if it is of the same program, needs only a link of its own. */
struct proved {
	const struct function_spec *spec;		/* NULL: none yet */
	const struct checked *checked;
	struct checked own;
};
int function_check(const struct proved *before, const struct function_spec *spec, struct checked *out);
int device_check(const struct function_spec *spec, const struct checked *checked, const struct place *place);	/* of what is attached */
void proved_keep(struct proved *before, const struct function_spec *spec, struct checked *checked);	/* takes it */
const char *planned_otherwise(const struct function_spec *spec);	/* the plan's scope, where it is another; else NULL */
json_t *checked_json(const struct function_spec *spec, const struct checked *checked);
void checked_free(struct checked *checked);
json_t *left_json(const struct function_spec *spec, json_t *why);
int cmd_check(const char *plan, char **leave_args, size_t leave_count);	/* leave_args: pairs of function and scope */

/* place.c: where a hook is */
struct place {
	int fd;						/* the namespace's file */
	uint64_t inode;					/* of the namespace; 0: nowhere */
	uint32_t ifindex;				/* 0: the namespace itself */
	bool ingress;					/* of the device: where it receives */
};
int place_open(const char *scope, struct place *out);	/* of a scope that is one place */
bool place_look(const char *scope, struct place *out);	/* for those who only look: without fail() */
bool place_exists(const char *scope);			/* of one that can match many: whether something could be there */
bool netns_look(const char *path, struct place *out);	/* without fail() */
void place_close(struct place *place);
int place_enter(const struct place *place, int *back);	/* its namespace; -errno without fail() */
void place_leave(int back);				/* ends the process rather than stay */
bool place_same(const struct place *a, const struct place *b);
int netns_path_open(const char *path, struct place *out);
int netns_attached(const struct place *netns, uint32_t *prog_id);	/* 0: nothing holds the hook */
uint64_t netns_root_inode(void);

/* hook.c: what a program hangs on. All return 0 or -errno without fail(), but for hook_choose(). */
enum hook_kind { HOOK_NONE, HOOK_NETNS, HOOK_TCX, HOOK_CLSACT };
#define MAX_TCX	64					/* BPF_MPROG_MAX, include/linux/bpf_mprog.h */
struct tcx_program { uint32_t prog_id, link_id; };	/* link_id 0: attached without a link */
bool hook_is_ingress(const char *hook);
int hook_choose(const char *hook, enum hook_kind *out);	/* of a manifest's hook, as this kernel has it */
int hook_attach(enum hook_kind kind, const struct place *place, int prog_fd, int *link);	/* link -1: there is none to hold */
int hook_replace(enum hook_kind kind, const struct place *place, int link, int from, uint32_t from_id, int to);	/* EPERM: runs another */
int hook_detach(enum hook_kind kind, const struct place *place, int link, uint32_t prog_id);
int hook_filter(const struct place *place, uint32_t *prog_id);	/* what kfn's filter at a device runs; 0: there is none */
int hook_xdp(const struct place *place, uint32_t *prog_id);	/* 0: a device has none */
int hook_tcx(const struct place *place, struct tcx_program out[MAX_TCX], size_t *count);	/* in the order in which they run */

/* backlog.c */
#define DEVICE_BACKLOG "device:backlog"
int backlog_check(const struct place *place, const char *scope);

/* device.c */
struct device {
	uint32_t ifindex;
	char name[16], driver[32], bus[32];		/* "": the kernel does not say */
};
int netns_socket(const struct place *place, int domain, int type, int protocol);	/* a socket of that namespace */
int device_index(const struct place *place, const char *name, uint32_t *ifindex);	/* 0: there is none */
int devices_list(const struct place *place, struct device **out, size_t *count);

/* pin.c: <root>/sys/fs/bpf/kfn/<function>/<scope>/{link,prog,prog-new,verified} */
struct pin {
	char function[65], scope[MAX_SCOPE + 1];
	int link_fd, prog_fd, new_fd;			/* -1: no such pin */
	enum hook_kind hook;				/* HOOK_NONE: it hangs on nothing */
	uint32_t link_id, link_prog_id, netns_inode;	/* link_id 0: a filter; netns_inode 0: the link is dead */
	uint32_t ifindex;				/* 0: it is the namespace's */
	bool ingress;					/* it hangs where the device receives */
	uint32_t prog_id, new_id;
	char keyring[32];				/* of the key by which the kernel checked the link's program; "": it did not */
};
bool scope_encode(const char *scope, char out[MAX_SCOPE + 1]);
bool bpffs_mounted(void);
int bpffs_check(void);
int pin_open(const char *function, const char *scope, struct pin *out);
int pin_walk(struct pin **pins, size_t *count);
bool pin_at(const struct pin *pin, const struct place *place);	/* its link is alive in that namespace, or at that device, on whichever side */
int pin_current(const struct pin *pin);			/* the fd of the pinned program that the link runs; -1: neither */
int pin_dir_make(const struct pin *pin);
int pin_put(const struct pin *pin, int fd, const char *leaf);
int pin_rename(const struct pin *pin, const char *from, const char *to);
int pin_unlink(const struct pin *pin, const char *leaf);
int pin_mark(const struct pin *pin, uint32_t prog_id, const char *keyring);	/* keyring NULL: not checked by the kernel */
int pin_dir_drop(const struct pin *pin);
void pin_close(struct pin *pin);
int function_runs(const char *function, const char *scope);	/* its link is alive in that very namespace, with a pinned program */

/* durable.c: below root_dir; whole and synced when it returns, or as before */
int bytes_put(int fd, const void *bytes, size_t len);	/* all of them; -1 without fail() */
int state_write(const char *path, json_t *document);	/* takes the reference */
int state_link(const char *path, const char *target);
int folder_make(const char *path);			/* with its parents */

/* boot-state.c: what counts boots and says which generation is current and good */
struct boot_state {
	char boot_id[37], last_id[37];			/* of this boot; of the boot that wrote the counter */
	long long current, good;			/* 0: none; -1: what stands there is no generation */
	long long booted;				/* the last with which a boot came up; 0: none did */
	long long fallback;				/* that one, or else the good one; 0: none is there */
	long long last_current, last_generation;	/* as they were in that boot */
	size_t count;
	struct { long long generation, boots; } unfinished[2];	/* boots in a row that did not reach good */
};
int boot_state_read(struct boot_state *out);
int boot_state_write(const struct boot_state *state);
bool boot_allowed(const struct boot_state *state, long long generation);
void boot_count(struct boot_state *state, long long generation);
void boot_uncount(struct boot_state *state, long long generation);
json_t *boot_unfinished_json(const struct boot_state *state);
json_t *health_open(long long generation);		/* health.json; NULL, without fail(), where there is none that can be read */
int health_mark(long long generation);			/* good on this kernel, by a boot */
int host_lock(void);					/* waits; a host without a writable state folder has no lock */

/* again.c */
void namespaces_wait(const struct plan *plan);
int pins_tidy(const struct plan *plan);

/* boot.c, boot-good.c, boot-copy.c */
enum boot_stage { BOOT_INITRAMFS, BOOT_SYSTEM, BOOT_AGAIN };
int cmd_boot(enum boot_stage stage);
int cmd_boot_good(void);
int cmd_boot_copy(const char *folder, const char *release);

/* owner.c: whom a program belongs to, as far as the kernel tells */
json_t *owner_json(uint32_t prog_id, uint32_t uid, json_int_t loaded_at);

/* lockdown.c: which programs this kernel lets in */
#define LOCKDOWN_FOLDER "_lockdown"			/* beside the functions' pins; none of them has such a name */
int cmd_lockdown(const char *verb);			/* status, apply, off */
json_t *lockdown_boot(bool off);

/* apply.c, prove.c, watch.c, inspect.c, replay.c, observe.c, lock.c */
int plan_apply(const struct plan *plan, json_t **out);
int cmd_apply(const char *plan, char **leave_args, size_t leave_count);
int cmd_prove(const char *plan);
int cmd_watch(char **args, size_t count);		/* pairs of function and scope */
int cmd_inspect(char **netns_paths, size_t count);
int cmd_replay(const char *function, const char *scope);
int cmd_observe(const char *plan, const char *out, const char *in, const char *seed);
int cmd_lock(void);

/* fault.c: nothing but `return 0` unless built with -DKFN_FAULTS */
#ifdef KFN_FAULTS
int fault(const char *point);
json_t *faults_json(void);
#else
static inline int fault(const char *point) { (void)point; return 0; }
#endif

#endif
