#include "server/net/tls.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/slice.h"

// OpenSSL's async API uses this name for something else.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#undef ERR_STATE

#define SNI_NAMES_MAX 1000

struct named {
    char *name; // "mail.example.test", or "*.example.test"
    SSL_CTX *ctx;
};

/* One set of certificates; replaced as a whole by a reload. SSL objects hold their context, so old ones live on. */
struct certificates {
    SSL_CTX *fallback;
    struct named *named;
    size_t count;
};

struct tls {
    char *cert, *key, *sni_dir;
    int min_version;
    pthread_mutex_t lock;
    struct certificates *current; // guarded by lock
};

static enum err fail_ssl(struct trace *trace, const char *what, const char *file)
{
    char reason[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return fail(trace, ERR_NOT_FOUND, "%s %s: %s", what, file, reason);
}

/* OpenSSL compares a key with the certificate as it takes it. */
static bool is_mismatch(void)
{
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    bool mismatch = reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
    if (mismatch)
        ERR_clear_error();
    return mismatch;
}

static void certificates_free(struct certificates *set)
{
    if (!set)
        return;
    SSL_CTX_free(set->fallback);
    for (size_t i = 0; i < set->count; i++) {
        free(set->named[i].name);
        SSL_CTX_free(set->named[i].ctx);
    }
    free(set->named);
    free(set);
}

static bool name_matches(const char *pattern, const char *name)
{
    if (pattern[0] == '*' && pattern[1] == '.') {
        const char *dot = strchr(name, '.');
        return dot && strcasecmp(pattern + 1, dot) == 0;
    }
    return strcasecmp(pattern, name) == 0;
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    struct tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    pthread_mutex_lock(&tls->lock);
    const struct certificates *set = tls->current;
    for (size_t i = 0; set && i < set->count; i++)
        if (name_matches(set->named[i].name, name)) {
            SSL_set_SSL_CTX(ssl, set->named[i].ctx);
            break;
        }
    pthread_mutex_unlock(&tls->lock);
    return SSL_TLSEXT_ERR_OK;
}

static enum err make_context(struct tls *tls, const char *cert, const char *key, struct trace *trace, SSL_CTX **made)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return fail_ssl(trace, "cannot make a TLS context for", cert);
    SSL_CTX_set_min_proto_version(ctx, tls->min_version);
    // RELEASE_BUFFERS halves the memory of a waiting client (30 KB to 14 KB measured).
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); // tickets only: no state per client
    SSL_CTX_set_read_ahead(ctx, 0);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(ctx, tls);
    enum err err = ERR_OK;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        err = fail_ssl(trace, "cannot read the certificate", cert);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        err = is_mismatch() ? fail(trace, ERR_DENIED, "the private key %s does not fit the certificate %s", key, cert)
                            : fail_ssl(trace, "cannot read the private key", key);
    if (err)
        SSL_CTX_free(ctx);
    else
        *made = ctx;
    return err;
}

static enum err add_named(struct tls *tls, struct certificates *set, const char *file, struct trace *trace)
{
    size_t len = strlen(file) - strlen(".crt");
    char cert[4096], key[4096];
    snprintf(cert, sizeof cert, "%s/%s", tls->sni_dir, file);
    snprintf(key, sizeof key, "%s/%.*s.key", tls->sni_dir, (int)len, file);
    SSL_CTX *ctx;
    enum err err = make_context(tls, cert, key, trace, &ctx);
    if (err)
        return err;
    set->named = mem_realloc(set->named, (set->count + 1) * sizeof *set->named);
    char *name = mem_text(file);
    name[len] = '\0';
    if (name[0] == '_') // "_.example.test.crt": a wildcard's file name without a star
        name[0] = '*';
    set->named[set->count++] = (struct named){ name, ctx };
    return ERR_OK;
}

static enum err read_named(struct tls *tls, struct certificates *set, struct trace *trace)
{
    DIR *dir = opendir(tls->sni_dir);
    enum err err = ERR_OK;
    if (!dir)
        return fail(trace, ERR_NOT_FOUND, "cannot read the certificate directory %s", tls->sni_dir);
    for (struct dirent *entry; !err && (entry = readdir(dir));) {
        struct slice name = slice_of(entry->d_name);
        if (name.len <= 4 || !slice_ends_nocase(name, SLICE_LIT(".crt")))
            continue;
        err = set->count == SNI_NAMES_MAX
                  ? fail(trace, ERR_LIMIT, "more than %d certificates in %s", SNI_NAMES_MAX, tls->sni_dir)
                  : add_named(tls, set, entry->d_name, trace);
    }
    closedir(dir);
    return err;
}

enum err tls_reload(struct tls *tls, struct trace *trace)
{
    struct certificates *set = mem_new(struct certificates);
    enum err err = make_context(tls, tls->cert, tls->key, trace, &set->fallback);
    if (!err && tls->sni_dir)
        err = read_named(tls, set, trace);
    if (err) {
        certificates_free(set);
        return err;
    }
    pthread_mutex_lock(&tls->lock);
    struct certificates *old = tls->current;
    tls->current = set;
    pthread_mutex_unlock(&tls->lock);
    certificates_free(old);
    return ERR_OK;
}

enum err tls_open(const struct tls_settings *settings, struct trace *trace, struct tls **tls)
{
    struct tls *made = mem_new(struct tls);
    pthread_mutex_init(&made->lock, NULL);
    made->cert = mem_text(settings->cert);
    made->key = mem_text(settings->key);
    made->sni_dir = settings->sni_dir && *settings->sni_dir ? mem_text(settings->sni_dir) : NULL;
    made->min_version = settings->min_version && strcmp(settings->min_version, "1.3") == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    enum err err = tls_reload(made, trace);
    if (err)
        tls_close(&made);
    *tls = made;
    return err;
}

void tls_close(struct tls **tls)
{
    if (!*tls)
        return;
    certificates_free((*tls)->current);
    pthread_mutex_destroy(&(*tls)->lock);
    free((*tls)->cert);
    free((*tls)->key);
    free((*tls)->sni_dir);
    free(*tls);
    *tls = NULL;
}

struct ssl_st *tls_new(struct tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->current->fallback);
    pthread_mutex_unlock(&tls->lock);
    if (!ssl)
        mem_exhausted(sizeof(void *));
    SSL_set_accept_state(ssl);
    return ssl;
}
