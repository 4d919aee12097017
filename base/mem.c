#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void mem_exhausted(size_t size)
{
    fprintf(stderr, "godwit: out of memory for %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *at = calloc(1, size ? size : 1);
    if (!at)
        mem_exhausted(size);
    return at;
}

void *mem_realloc(void *at, size_t size)
{
    void *grown = realloc(at, size ? size : 1);
    if (!grown)
        mem_exhausted(size);
    return grown;
}

char *mem_text(const char *text)
{
    if (!text)
        return NULL;
    size_t len = strlen(text) + 1;
    return memcpy(mem_alloc(len), text, len);
}
