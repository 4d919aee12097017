/* malloc and friends that end the process instead of returning NULL. Memory is freed with free(). */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size);                 // zeroed
void *mem_realloc(void *at, size_t size);     // new bytes are not zeroed
char *mem_text(const char *text);             // strdup; NULL gives NULL
_Noreturn void mem_exhausted(size_t size);
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))
