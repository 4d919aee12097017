/* What the folder commands share: status words and the Type of a mailbox. */
#pragma once

#include "server/eas/eas_internal.h"

/* MS-ASCMD 2.2.3.177.4 to 2.2.3.177.7 (Status of FolderCreate, FolderDelete, FolderSync, FolderUpdate) */
enum folder_status {
    FOLDER_OK = 1,
    FOLDER_EXISTS = 2,       // or it is special
    FOLDER_SPECIAL = 3,      // FolderDelete; or it is about the recipient information cache
    FOLDER_NOT_FOUND = 4,
    FOLDER_NO_PARENT = 5,
    FOLDER_SERVER_ERROR = 6,
    FOLDER_KEY_INVALID = 9,
    FOLDER_MALFORMED = 10,
};

/* Type: MS-ASCMD 2.2.3.186.3 (Type, FolderSync). */
enum folder_type {
    FOLDER_TYPE_USER = 1,
    FOLDER_TYPE_OUTBOX = 6,
    FOLDER_TYPE_CALENDAR = 8,
    FOLDER_TYPE_CONTACTS = 9,
    FOLDER_TYPE_USER_MAIL = 12,
    FOLDER_TYPE_RECIPIENTS = 19,
};
int eas_folder_type(enum mailbox_role role);
/* As phones show it. */
const char *eas_folder_name(const struct mailbox *mailbox);

/* Folders that no mailbox stands for: always empty, never changed. The Outbox is listed because Windows clients look for
 * it; Calendar and Contacts by eas.empty_folders, and answered for without it, since phones may know them from before. */
struct eas_fixed_folder {
    const char *id, *name, *class;
    int type;
    bool optional;
};
#define EAS_FIXED_FOLDERS 3u
extern const struct eas_fixed_folder eas_fixed_folders[EAS_FIXED_FOLDERS];
/* The one with the id; NULL: none. */
const struct eas_fixed_folder *eas_fixed_folder(struct slice id);
bool eas_fixed_folder_is_listed(const struct eas_request *req, const struct eas_fixed_folder *folder);
/* Whether a name at the top level is one of theirs. */
bool eas_folder_name_is_fixed(const struct eas_request *req, struct slice name);
/* The id of the recipient information cache, which this server does not have. */
#define EAS_RECIPIENTS_ID "RI"

/* Whether a special folder (Sent and its like) lies below: what a phone may not delete it may not take away with another. */
MUST_USE enum err eas_folder_holds_special(struct eas_request *req, struct mailbox_id id, bool *holds);

/* The key of the request, when it has one of a possible form; else answers and gives false. */
bool eas_folder_key(struct eas_request *req, struct slice *key);
/* "0" or a mailbox's number. */
bool eas_folder_parent(struct slice text, struct mailbox_id *parent);
/* Answer of FolderCreate (id), FolderUpdate and FolderDelete (id NULL). */
void eas_folder_answer(struct eas_request *req, const char *key, const struct mailbox_id *id);
/* A refusal of storage in the words of the three commands. */
int eas_folder_status(enum err err);
