#include "storage/digest.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/mem.h"

struct digest {
    EVP_MD_CTX *context;
};

struct digest *digest_open(void)
{
    struct digest *digest = mem_new(struct digest);
    digest->context = EVP_MD_CTX_new();
    int good = digest->context && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL);
    assert(good); // fails only without memory
    (void)good;
    return digest;
}

void digest_add(struct digest *digest, const void *at, size_t len)
{
    EVP_DigestUpdate(digest->context, at, len);
}

void digest_close(struct digest **handle, unsigned char sum[DIGEST_LEN])
{
    struct digest *digest = *handle;
    *handle = NULL;
    EVP_DigestFinal_ex(digest->context, sum, NULL);
    EVP_MD_CTX_free(digest->context);
    free(digest);
}
