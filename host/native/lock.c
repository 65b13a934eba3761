/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flock() for callers that have none (Node). The lock belongs to the open file description that the caller passed as
 * descriptor 3, so it outlives this process and ends with the caller's last copy of it.
 */
#include <errno.h>
#include <sys/file.h>
#include "kfn-load.h"

int cmd_lock(void)
{
	if (!flock(3, LOCK_EX | LOCK_NB))
		return answer(json_object());
	if (errno == EWOULDBLOCK)
		return fail(LOAD_LOCK_HELD, "wait for it, or see who holds it in the lock file", "the lock is held");
	if (errno == EBADF)
		return fail(LOAD_USAGE, "open the lock file as descriptor 3", "descriptor 3 is not open");
	return fail_errno(LOAD_INTERNAL, errno, "descriptor 3 cannot be locked");
}
