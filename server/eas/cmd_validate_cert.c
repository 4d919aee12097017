#include "protocol/eas/base64.h"
#include "server/eas/eas_internal.h"

// OpenSSL's async API uses this name for something else.
#define ERR_STATE OPENSSL_ERR_STATE
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#undef ERR_STATE

/* MS-ASCMD 2.2.3.177.18 (Status, ValidateCert) */
enum certificate_status {
    CERTIFICATE_OK = 1,
    CERTIFICATE_PROTOCOL_ERROR = 2,
    CERTIFICATE_SIGNATURE = 3,
    CERTIFICATE_UNTRUSTED = 4,
    CERTIFICATE_CHAIN = 5,
    CERTIFICATE_PURPOSE = 6,
    CERTIFICATE_TIME = 7,
    CERTIFICATE_MISUSED = 9,
    CERTIFICATE_INCOMPLETE = 10,
    CERTIFICATE_CA_MISUSE = 11,
    CERTIFICATE_REVOCATION_UNKNOWN = 16,
    CERTIFICATE_UNKNOWN_ERROR = 17,
};

#define CERTIFICATES_MAX 100u // of one list
#define CHAIN_DEPTH_MAX 10

/* A certificate in base64 of DER; NULL when it is none. */
static X509 *read_certificate(struct slice text, struct arena *arena)
{
    struct slice octets;
    struct buf packed = { 0 };
    for (size_t i = 0; i < text.len; i++) { // line breaks are no part of it
        if (text.at[i] != '\r' && text.at[i] != '\n' && text.at[i] != ' ')
            buf_add_byte(&packed, text.at[i]);
    }
    enum err err = base64_take(buf_slice(&packed), arena, &octets);
    buf_free(&packed);
    if (err || octets.len == 0)
        return NULL;
    const unsigned char *at = (const unsigned char *)octets.at;
    return d2i_X509(NULL, &at, (long)octets.len);
}

/* The authorities that are trusted; NULL when they cannot be read. */
static X509_STORE *open_trusted(const struct eas_request *req)
{
    const char *file = settings_text(req->app->server->settings, SETTING_EAS_CA_FILE);
    X509_STORE *trusted = X509_STORE_new();
    if (trusted && (*file ? X509_STORE_load_file(trusted, file) : X509_STORE_set_default_paths(trusted)) != 1) {
        X509_STORE_free(trusted);
        trusted = NULL;
    }
    return trusted;
}

static int status_of(int error)
{
    switch (error) {
    case X509_V_OK: return CERTIFICATE_OK;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE: return CERTIFICATE_SIGNATURE;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED: return CERTIFICATE_UNTRUSTED;
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    case X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: return CERTIFICATE_CHAIN;
    case X509_V_ERR_INVALID_PURPOSE: return CERTIFICATE_PURPOSE;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_CERT_HAS_EXPIRED: return CERTIFICATE_TIME;
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED: return CERTIFICATE_MISUSED;
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_INVALID_EXTENSION: return CERTIFICATE_INCOMPLETE;
    case X509_V_ERR_INVALID_CA: return CERTIFICATE_CA_MISUSE;
    default: return CERTIFICATE_UNKNOWN_ERROR;
    }
}

/* Whether the certificate is good for signing mail, from an authority that is trusted. Revocation lists are not
 * fetched: who asks for them is told that it could not be found out. */
static int check(X509 *certificate, X509_STORE *trusted, STACK_OF(X509) *chain, bool check_revoked)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int status = CERTIFICATE_UNKNOWN_ERROR;
    if (ctx && X509_STORE_CTX_init(ctx, trusted, certificate, chain) == 1) {
        X509_STORE_CTX_set_depth(ctx, CHAIN_DEPTH_MAX);
        X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SMIME_SIGN);
        bool good = X509_verify_cert(ctx) == 1;
        status = good ? CERTIFICATE_OK : status_of(X509_STORE_CTX_get_error(ctx));
        if (good && check_revoked)
            status = CERTIFICATE_REVOCATION_UNKNOWN;
    }
    X509_STORE_CTX_free(ctx);
    return status;
}

static bool is_good(const struct wbxml_node *root)
{
    const struct wbxml_node *certificates = wbxml_child(root, WB_ValidateCert_Certificates);
    size_t count = wbxml_count(certificates, WB_ValidateCert_Certificate);
    return count > 0 && count <= CERTIFICATES_MAX &&
           wbxml_count(wbxml_child(root, WB_ValidateCert_CertificateChain), WB_ValidateCert_Certificate) <=
               CERTIFICATES_MAX;
}

static STACK_OF(X509) *read_chain(const struct wbxml_node *root, struct arena *arena)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    const struct wbxml_node *node =
        wbxml_child(wbxml_child(root, WB_ValidateCert_CertificateChain), WB_ValidateCert_Certificate);
    for (; node && chain; node = wbxml_same(node)) {
        X509 *certificate = read_certificate(node->text, arena);
        if (certificate && sk_X509_push(chain, certificate) == 0)
            X509_free(certificate);
    }
    return chain;
}

static void write_certificates(struct eas_request *req, X509_STORE *trusted, STACK_OF(X509) *chain)
{
    bool check_revoked = wbxml_bool(wbxml_child(req->root, WB_ValidateCert_CheckCRL), false);
    const struct wbxml_node *node =
        wbxml_child(wbxml_child(req->root, WB_ValidateCert_Certificates), WB_ValidateCert_Certificate);
    for (; node; node = wbxml_same(node)) {
        X509 *certificate = read_certificate(node->text, req->arena);
        int status = certificate ? check(certificate, trusted, chain, check_revoked) : CERTIFICATE_INCOMPLETE;
        X509_free(certificate);
        wbxml_start(&req->writer, WB_ValidateCert_Certificate);
        wbxml_u64(&req->writer, WB_ValidateCert_Status, (uint64_t)status);
        wbxml_end(&req->writer, WB_ValidateCert_Certificate);
    }
}

static void validate_cert_run(struct eas_request *req)
{
    if (!is_good(req->root)) {
        eas_answer_status(req, CERTIFICATE_PROTOCOL_ERROR);
        return;
    }
    X509_STORE *trusted = open_trusted(req);
    STACK_OF(X509) *chain = read_chain(req->root, req->arena);
    if (trusted && chain) {
        eas_begin(req, WB_ValidateCert_ValidateCert);
        wbxml_u64(&req->writer, WB_ValidateCert_Status, CERTIFICATE_OK);
        write_certificates(req, trusted, chain);
        wbxml_end(&req->writer, WB_ValidateCert_ValidateCert);
        req->status = CERTIFICATE_OK;
        eas_answer(req);
    } else {
        eas_answer_status(req, CERTIFICATE_UNKNOWN_ERROR);
    }
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_free(trusted);
}

const struct eas_command eas_validate_cert = {
    .name = "ValidateCert",
    .source = "MS-ASCMD 2.2.1.22",
    .root = WB_ValidateCert_ValidateCert,
    .status = WB_ValidateCert_Status,
    .run = validate_cert_run,
};
