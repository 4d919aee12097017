#include "server/eas/eas_internal.h"

/* MS-ASCMD 2.2.2: what 14.0 and later say in Status, 12.1 says in HTTP. */
int eas_http_of_status(int status)
{
    switch (status) {
    case EAS_SERVER_ERROR:
    case EAS_SUBMISSION_FAILED:
        return 500;
    case EAS_SERVER_ERROR_RETRY:
        return 503;
    case EAS_QUOTA_EXCEEDED:
        return 507;
    case EAS_TOO_LARGE:
        return 413;
    case EAS_COMMAND_NOT_SUPPORTED:
        return 501;
    case EAS_WIPE_REQUESTED:
    case EAS_DEVICE_NOT_PROVISIONED:
    case EAS_POLICY_REFRESH:
    case EAS_INVALID_POLICY_KEY:
        return 449;
    case EAS_USER_DISABLED:
    case EAS_DEVICE_BLOCKED:
    case EAS_NOT_FULLY_PROVISIONABLE:
    case EAS_MAX_DEVICES:
        return 403;
    case EAS_ITEM_NOT_FOUND:
        return 404;
    case EAS_PREVIOUSLY_SENT:
        return 200;
    default:
        return 400;
    }
}
