/* Every operation of the admin API; tests/api/openapi_test.c holds this list against openapi.yaml.
 * X(operationId, "METHOD", "path template", scope, function): scope 0 needs no token. */
#pragma once

#define API_ROUTES(X) \
    X(getHealth, "GET", "/api/v1/health", 0, api_get_health) \
    X(getVersion, "GET", "/api/v1/version", ADMIN_READ, api_get_version) \
    X(listAccounts, "GET", "/api/v1/accounts", ADMIN_READ, api_list_accounts) \
    X(createAccount, "POST", "/api/v1/accounts", ADMIN_MANAGE, api_create_account) \
    X(setPassword, "PUT", "/api/v1/accounts/{login}/password", ADMIN_MANAGE, api_set_password) \
    X(setName, "PUT", "/api/v1/accounts/{login}/name", ADMIN_MANAGE, api_set_name) \
    X(listAppPasswords, "GET", "/api/v1/accounts/{login}/app-passwords", ADMIN_READ, api_list_app_passwords) \
    X(createAppPassword, "POST", "/api/v1/accounts/{login}/app-passwords", ADMIN_MANAGE, api_create_app_password) \
    X(revokeAppPassword, "DELETE", "/api/v1/accounts/{login}/app-passwords/{name}", ADMIN_MANAGE, \
      api_revoke_app_password) \
    X(deleteAccount, "DELETE", "/api/v1/accounts/{login}", ADMIN_MANAGE, api_delete_account) \
    X(listDeleted, "GET", "/api/v1/accounts/{login}/deleted", ADMIN_READ, api_list_deleted) \
    X(restoreDeleted, "POST", "/api/v1/accounts/{login}/deleted/restore", ADMIN_RESTORE, api_restore_deleted) \
    X(listDevices, "GET", "/api/v1/accounts/{login}/devices", ADMIN_READ, api_list_devices) \
    X(getDevice, "GET", "/api/v1/accounts/{login}/devices/{device}", ADMIN_READ, api_get_device) \
    X(setDeviceAccess, "PUT", "/api/v1/accounts/{login}/devices/{device}/access", ADMIN_MANAGE, api_set_device_access) \
    X(resetDevice, "POST", "/api/v1/accounts/{login}/devices/{device}/reset", ADMIN_MANAGE, api_reset_device) \
    X(wipeDevice, "POST", "/api/v1/accounts/{login}/devices/{device}/wipe", ADMIN_MANAGE, api_wipe_device) \
    X(traceDevice, "PUT", "/api/v1/accounts/{login}/devices/{device}/trace", ADMIN_MANAGE, api_trace_device) \
    X(setEas, "PUT", "/api/v1/accounts/{login}/eas", ADMIN_MANAGE, api_set_eas)
