#include "a/b.h"
int f(void) { return B; }
