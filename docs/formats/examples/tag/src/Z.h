#define Z 3
