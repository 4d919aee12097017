/* Every ActiveSync command, in alphabetical order; OPTIONS lists exactly these (hard case 35). */
#pragma once

#define EAS_COMMANDS(X) \
    X(find) \
    X(folder_create) \
    X(folder_delete) \
    X(folder_sync) \
    X(folder_update) \
    X(get_attachment) \
    X(get_hierarchy) \
    X(get_item_estimate) \
    X(item_operations) \
    X(meeting_response) \
    X(move_items) \
    X(ping) \
    X(provision) \
    X(resolve_recipients) \
    X(search) \
    X(send_mail) \
    X(settings) \
    X(smart_forward) \
    X(smart_reply) \
    X(sync) \
    X(validate_cert)
