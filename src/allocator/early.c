/* The allocator stands in for malloc in the whole program, and is set up by its first allocation. A library that is preloaded
 * (libfaketime, for one) may free what the loader allocated before that, which the allocator has to tell from its own: so it
 * is set up before any library is. */

#include <stdlib.h>

static void set_up(void) {
	/* Volatile, or else the compiler leaves the pair out. */
	void *volatile block = malloc(1);
	free(block);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = set_up;
