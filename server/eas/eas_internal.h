/* What the commands of ActiveSync share: the request on its way, answers, status words. */
#pragma once

#include "protocol/eas/query.h"
#include "protocol/eas/version.h"
#include "protocol/wbxml/wbxml.h"
#include "server/eas/commands.h"
#include "server/eas/devices.h"
#include "server/eas/eas.h"
#include "server/server.h"
#include "storage/outbox.h"
#include "storage/sync.h"

#define EAS_CONTENT_TYPE "application/vnd.ms-sync.wbxml"

/* Common status codes: MS-ASCMD 2.2.2 (Common Status Codes), 14.0 and later. */
enum eas_status {
    EAS_INVALID_CONTENT = 101,
    EAS_INVALID_WBXML = 102,
    EAS_INVALID_XML = 103,
    EAS_INVALID_DATE = 104,
    EAS_INVALID_COMBINATION = 105,
    EAS_INVALID_IDS = 106,
    EAS_INVALID_MIME = 107,
    EAS_DEVICE_ID_INVALID = 108,
    EAS_DEVICE_TYPE_INVALID = 109,
    EAS_SERVER_ERROR = 110,
    EAS_SERVER_ERROR_RETRY = 111,
    EAS_QUOTA_EXCEEDED = 113,
    EAS_RECIPIENT_UNRESOLVED = 116,
    EAS_PREVIOUSLY_SENT = 118,
    EAS_NO_RECIPIENT = 119,
    EAS_SUBMISSION_FAILED = 120,
    EAS_TOO_LARGE = 122,
    EAS_USER_DISABLED = 126,
    EAS_DEVICE_BLOCKED = 129,
    EAS_COMMAND_NOT_SUPPORTED = 137,
    EAS_VERSION_NOT_SUPPORTED = 138,
    EAS_NOT_FULLY_PROVISIONABLE = 139,
    EAS_WIPE_REQUESTED = 140,
    EAS_DEVICE_NOT_PROVISIONED = 142,
    EAS_POLICY_REFRESH = 143,
    EAS_INVALID_POLICY_KEY = 144,
    EAS_EXTERNALLY_MANAGED = 145,
    EAS_NOT_RECURRING = 146,
    EAS_ITEM_NOT_FOUND = 150,
    EAS_BODY_PART_TYPE = 164,
    EAS_DEVICE_INFORMATION_REQUIRED = 165,
    EAS_INVALID_ACCOUNT_ID = 166,
    EAS_NO_PICTURE = 173,
    EAS_RIGHTS_DISABLED = 168,
    EAS_MAX_DEVICES = 177,
    EAS_FORWARDEES_COMBINATION = 178,
    EAS_FORWARDEES_INVALID = 179,
    EAS_INVALID_RECIPIENTS = 183,
};

struct eas_loops;
struct eas_throttle;
struct eas_trace;

struct eas_app {
    struct http_app http; // first: the front hands it back
    struct server *server;
    struct eas_devices *devices;
    struct found *found; // searches of late, for their further pages
    struct eas_throttle *throttle;
    struct eas_loops *loops;
    struct eas_trace *trace;
    uint64_t policy_hash; // of the settings' policy
};

struct eas_command;

/* What is done about a loop, one after another (server/eas/loop.h). */
enum eas_heal { HEAL_NOTHING, HEAL_SMALL_WINDOW, HEAL_DEGRADED, HEAL_NEW_KEY, HEAL_PAUSE };

/* One HTTP request, in its arena. Touched by the loop or by one worker, never both. */
struct eas_request {
    struct http_request *http;
    struct eas_app *app;
    struct arena *arena;
    const struct eas_command *command;
    struct eas_query query;
    int version;
    bool has_policy_key;
    uint32_t policy_key;
    uint64_t serial;   // order of arrival among all requests
    int64_t started_us; // monotonic

    bool logged_in;
    struct auth_result login;
    struct slice user, password; // until logged in
    int hold_ms, denied_ms;      // slow logins: waits before the look, or before the 401

    /* while it runs on a worker */
    struct worker *worker;
    struct db *db;
    struct device device;
    struct wbxml_node *root; // the request; NULL when the body was empty
    struct buf out;
    struct wbxml_writer writer; // the answer, into out
    int status;                 // for the log: 0 until a command sets it
    bool worked;                // it gave out items, folders or a policy: doing the same again is no progress
    enum eas_heal heal;         // what a phone that loops is given instead
    uint64_t loop_print;        // of the request
    int64_t deadline_us;        // hanging Sync: 0 until it waits
};

enum { // eas_command.flags
    EAS_WRITES = 1,          // belongs to the account's queue of writes
    EAS_EMPTY_BODY = 2,      // an empty body means something
    EAS_NO_POLICY = 4,       // runs without a policy key
    EAS_BIG_BODY = 8,        // up to eas.request_max
    EAS_RAW_AT_12 = 16,      // message/rfc822 at 12.1
};

struct eas_command {
    const char *name;
    const char *source;
    uint16_t root;        // tag of the answer, for errors of a general kind; 0: none
    uint16_t status;      // its Status tag
    int since, until;     // first and last version that have it; 0: all
    unsigned flags;
    void (*run)(struct eas_request *req); // on a worker; ends in one of the answers below, or parks
};

#define X(name) extern const struct eas_command eas_##name;
EAS_COMMANDS(X)
#undef X

/* ---- answers; each ends the request ---- */

void eas_answer(struct eas_request *req);                // 200 with what the writer wrote
void eas_answer_empty(struct eas_request *req);          // 200 without a body
void eas_answer_http(struct eas_request *req, int status);
/* An error of a general kind: Status under the command's root from 14.0 on, an HTTP code before (MS-ASCMD 2.2.2). */
void eas_answer_error(struct eas_request *req, int status);
/* The command's own Status under its root: HTTP 200 at all versions. */
void eas_answer_status(struct eas_request *req, int status);
void eas_answer_unavailable(struct eas_request *req); // 503, Retry-After
void eas_answer_retry(struct eas_request *req, int64_t after_s); // the same, with the time
/* Begins the answer: writer ready, root open. */
void eas_begin(struct eas_request *req, uint16_t root);
int eas_http_of_status(int status);
/* A header that goes with every answer. */
void eas_add_headers(struct eas_request *req);
/* The versions and commands on offer (MS-ASHTTP 2.2.1.2.2). */
void eas_add_offer(struct eas_request *req);

/* ---- helpers ---- */

static inline struct account_id eas_account(const struct eas_request *req)
{
    return req->login.account;
}
/* Publishes what a commit changed. */
void eas_publish(struct eas_request *req, const struct change_set *changes);
/* The phone as the one who does it; told: the device knows the outcome, so that it is not echoed (hard case 5). */
struct actor eas_actor(const struct eas_request *req, bool told);
/* The mailbox with a role; ERR_NOT_FOUND when the account has none. */
MUST_USE enum err eas_find_role(struct eas_request *req, enum mailbox_role role, struct mailbox *mailbox);
/* Takes login and password from the Authorization header; false when there are none. */
bool eas_take_credentials(struct eas_request *req);
/* Head phase of login: answered, on to a worker, or logged in (HTTP_READ_BODY). */
enum http_head_result eas_login_head(struct eas_request *req, struct worker *worker);
/* Run phase: true when logged in; else the request has been answered or waits. */
bool eas_login_run(struct eas_request *req);
void eas_answer_denied(struct eas_request *req);
