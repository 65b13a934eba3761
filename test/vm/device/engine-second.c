// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The second engine: Kbuild says which bundle it is. */
#include "engine-source.h"
