/* Every command, in the order of the help: a row here, a constant in a cmd_*.c file. */
#pragma once

#define CLI_COMMANDS(X) \
    X(serve) \
    X(config_show) \
    X(account_add) \
    X(account_list) \
    X(account_name) \
    X(account_password) \
    X(account_eas) \
    X(account_delete) \
    X(account_app_password_add) \
    X(account_app_password_list) \
    X(account_app_password_revoke) \
    X(deleted_list) \
    X(deleted_restore) \
    X(device_list) \
    X(device_show) \
    X(device_allow) \
    X(device_block) \
    X(device_quarantine) \
    X(device_wipe) \
    X(device_reset) \
    X(device_trace) \
    X(outbox_list) \
    X(outbox_drop) \
    X(vacation_show) \
    X(vacation_set) \
    X(vacation_clear) \
    X(doctor_messages) \
    X(token_add) \
    X(token_list) \
    X(token_revoke) \
    X(purge)
