/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a command to its end and prints its milliseconds and the KiB that the largest of its processes held at most. A program of its own,
 * because a child's peak begins with what its parent held: node's or Python's would hide a small loader's. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	double start = now(), end;
	struct rusage usage;
	int status;
	pid_t pid = argc > 1 ? fork() : -1;

	if (!pid) {
		if (freopen("/dev/null", "w", stdout))
			execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 1;
	end = now();
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("%.3f %ld\n", end - start, usage.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
