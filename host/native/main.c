/* SPDX-License-Identifier: Apache-2.0 */
/* kfn-load: the only code of kfn that calls bpf(). Reads its arguments here; docs/formats/loader.md says what it answers. */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sodium.h>
#include "kfn-load.h"

#define VERSION "0.1.0"

static int usage(const char *problem)
{
	return fail(LOAD_USAGE, "kfn-load [--root DIR] version | errors | lock | probe | kernel-keys | check PLAN [--leave FUNCTION SCOPE]… | "
		    "apply PLAN [--leave FUNCTION SCOPE]… | prove PLAN | watch FUNCTION SCOPE [FUNCTION SCOPE]… | scopes SCOPE… | inspect [--netns PATH]… | replay FUNCTION SCOPE | observe PLAN DEVICE PEER SEED | "
		    "boot [--stage initramfs|system|again] | boot-good | boot-copy FOLDER [--release RELEASE] | lockdown status|apply|off", "%s", problem);
}

static int inspect_args(int argc, char **argv)
{
	int i;

	for (i = 0; 2 * i < argc; i++) {
		if (strcmp(argv[2 * i], "--netns") || 2 * i + 1 == argc)
			return usage("inspect takes only --netns PATH");
		argv[i] = argv[2 * i + 1];
	}
	return cmd_inspect(argv, i);
}

/* PLAN [--leave FUNCTION SCOPE]…: the pairs are moved together, in place. */
static int plan_args(int (*cmd)(const char *, char **, size_t), int argc, char **argv)
{
	int i;

	for (i = 0; 3 * i + 1 < argc; i++) {
		if (strcmp(argv[3 * i + 1], "--leave") || 3 * i + 3 >= argc)
			return usage("check and apply take only --leave FUNCTION SCOPE after the plan");
		argv[2 * i + 1] = argv[3 * i + 2];
		argv[2 * i + 2] = argv[3 * i + 3];
	}
	return cmd(argv[0], argv + 1, i);
}

static int boot_args(int argc, char **argv)
{
	static const char *const stages[] = { [BOOT_INITRAMFS] = "initramfs", [BOOT_SYSTEM] = "system", [BOOT_AGAIN] = "again" };
	int i;

	if (!argc)
		return cmd_boot(BOOT_SYSTEM);
	for (i = 0; argc == 2 && !strcmp(argv[0], "--stage") && i <= BOOT_AGAIN; i++)
		if (!strcmp(argv[1], stages[i]))
			return cmd_boot(i);
	return usage("boot takes only --stage initramfs, system or again");
}

static int command(const char *name, int argc, char **argv)
{
	if (!strcmp(name, "inspect"))
		return inspect_args(argc, argv);
	if (!strcmp(name, "check") && argc)
		return plan_args(cmd_check, argc, argv);
	if (!strcmp(name, "apply") && argc)
		return plan_args(cmd_apply, argc, argv);
	if (!strcmp(name, "prove") && argc == 1)
		return cmd_prove(argv[0]);
	if (!strcmp(name, "watch") && argc && argc % 2 == 0)
		return cmd_watch(argv, argc / 2);
	if (!strcmp(name, "scopes") && argc)
		return cmd_scopes(argv, argc);
	if (!strcmp(name, "replay") && argc == 2)
		return cmd_replay(argv[0], argv[1]);
	if (!strcmp(name, "observe") && argc == 4)
		return cmd_observe(argv[0], argv[1], argv[2], argv[3]);
	if (!strcmp(name, "boot"))
		return boot_args(argc, argv);
	if (!strcmp(name, "boot-good") && !argc)
		return cmd_boot_good();
	if (!strcmp(name, "boot-copy") && (argc == 1 || (argc == 3 && !strcmp(argv[1], "--release"))))
		return cmd_boot_copy(argv[0], argc == 3 ? argv[2] : NULL);
	if (!strcmp(name, "lockdown") && argc == 1 && (!strcmp(*argv, "status") || !strcmp(*argv, "apply") || !strcmp(*argv, "off")))
		return cmd_lockdown(*argv);
	if (!strcmp(name, "version") && !argc)
		return answer(json_pack("{s:s}", "version", VERSION));
	if (!strcmp(name, "errors") && !argc)
		return answer(errors_json());
	if (!strcmp(name, "lock") && !argc)
		return cmd_lock();
	if (!strcmp(name, "probe") && !argc)
		return cmd_probe();
	if (!strcmp(name, "kernel-keys") && !argc)
		return cmd_kernel_keys();
#ifdef KFN_FAULTS
	if (!strcmp(name, "faults") && !argc)
		return answer(faults_json());
#endif
	return usage("no such command, or not with these arguments");
}

static int run(int argc, char **argv)
{
	int i = 1;

	if (argc > 2 && !strcmp(argv[1], "--root")) {
		if (argv[2][0] != '/' || strlen(argv[2]) > 1024)
			return usage("--root takes an absolute path of at most 1024 bytes");
		root_dir = strcmp(argv[2], "/") ? argv[2] : "";
		i = 3;
	}
	return i < argc ? command(argv[i], argc - i - 1, argv + i + 1) : usage("no command");
}

/* A function takes about six descriptors while a plan is applied. */
static void open_files_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	umask(077);
	open_files_raise();
	if (sodium_init() < 0)
		fail(LOAD_INTERNAL, NULL, "libsodium does not start");
	else if (!libbpf_start() && !run(argc, argv))
		return 0;
	return answer_failure();
}
