#define C 2
