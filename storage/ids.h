/* Ids are types, so that a mailbox is never passed for an account. 0 is never a valid id ("none"). */
#pragma once

#include <stdint.h>

struct account_id {
    int64_t n;
};
struct mailbox_id { // unique within its account, never reused; the EAS FolderId
    int64_t n;
};
struct message_id { // unique within its account: immutable content (envelope, octets)
    int64_t n;
};
struct device_id { // unique within its account: an EAS device
    int64_t n;
};
struct blob_id { // time-ordered, made by the node
    int64_t n;
};
