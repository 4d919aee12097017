#include "server/eas/eas_internal.h"

/* MS-ASCMD 2.2.2: what 14.0 and later say in Status, 12.x says in HTTP. Rows stand by number. */
static const struct {
    int first, last, http;
} rows[] = {
    { EAS_INVALID_CONTENT, 109, 400 },
    { EAS_SERVER_ERROR, EAS_SERVER_ERROR, 500 },
    { EAS_SERVER_ERROR_RETRY, EAS_SERVER_ERROR_RETRY, 503 },
    { 112, 112, 403 }, // the directory refuses a write
    { EAS_QUOTA_EXCEEDED, EAS_QUOTA_EXCEEDED, 507 },
    { 114, 114, 503 }, // the store is off
    { EAS_PREVIOUSLY_SENT, EAS_PREVIOUSLY_SENT, 200 },
    { EAS_SUBMISSION_FAILED, 121, 500 },
    { EAS_TOO_LARGE, EAS_TOO_LARGE, 413 },
    { 123, 131, 403 }, // who may not use this, or not with this device
    { 132, 132, 403 }, // no state
    { 133, 133, 503 }, // the state is locked
    { 134, 136, 500 },
    { EAS_COMMAND_NOT_SUPPORTED, EAS_COMMAND_NOT_SUPPORTED, 501 },
    { EAS_VERSION_NOT_SUPPORTED, EAS_VERSION_NOT_SUPPORTED, 400 },
    { EAS_NOT_FULLY_PROVISIONABLE, EAS_NOT_FULLY_PROVISIONABLE, 403 },
    { EAS_WIPE_REQUESTED, EAS_INVALID_POLICY_KEY, 449 },
    { EAS_ITEM_NOT_FOUND, EAS_ITEM_NOT_FOUND, 404 },
    { EAS_MAX_DEVICES, EAS_MAX_DEVICES, 403 },
};

int eas_http_of_status(int status)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (status >= rows[i].first && status <= rows[i].last)
            return rows[i].http;
    }
    return 400;
}
