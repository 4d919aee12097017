/* SHA-256 in steps, by OpenSSL. This header and its .c know no base/err.h: OpenSSL has an ERR_STATE of its own. */
#pragma once

#include <stddef.h>

#define DIGEST_LEN 32u

struct digest;

struct digest *digest_open(void);
void digest_add(struct digest *digest, const void *at, size_t len);
/* Writes the sum of what was added and releases the digest. */
void digest_close(struct digest **digest, unsigned char sum[DIGEST_LEN]);
