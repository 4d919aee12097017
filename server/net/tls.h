/* TLS for every listener: one OpenSSL server context per certificate, SNI, reload without dropping connections. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct tls;          // the certificates now in force
struct ssl_st;

struct tls_settings {
    const char *cert, *key;      // PEM files; the default certificate
    const char *sni_dir;         // further ones as NAME.crt / NAME.key, chosen by SNI; NULL: none
    const char *min_version;     // "1.2" or "1.3"
};
MUST_USE enum err tls_open(const struct tls_settings *settings, struct trace *trace, struct tls **tls);
void tls_close(struct tls **tls);
/* Reads the files again; on error the old ones stay in force. Any thread. */
MUST_USE enum err tls_reload(struct tls *tls, struct trace *trace);
/* A server SSL object on the current context; the caller sets its fd and frees it. */
struct ssl_st *tls_new(struct tls *tls);
