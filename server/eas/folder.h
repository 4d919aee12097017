/* What the folder commands share: status words and the Type of a mailbox. */
#pragma once

#include "server/eas/eas_internal.h"

/* MS-ASCMD 2.2.3.177.4 to 2.2.3.177.7 (Status of FolderCreate, FolderDelete, FolderSync, FolderUpdate) */
enum folder_status {
    FOLDER_OK = 1,
    FOLDER_EXISTS = 2,       // or it is special
    FOLDER_SPECIAL = 3,      // FolderDelete
    FOLDER_NOT_FOUND = 4,
    FOLDER_NO_PARENT = 5,
    FOLDER_SERVER_ERROR = 6,
    FOLDER_KEY_INVALID = 9,
    FOLDER_MALFORMED = 10,
};

/* Type: MS-ASCMD 2.2.3.186.3 (Type, FolderSync). */
enum folder_type { FOLDER_TYPE_USER = 1, FOLDER_TYPE_OUTBOX = 6, FOLDER_TYPE_USER_MAIL = 12 };
int eas_folder_type(enum mailbox_role role);
#define FOLDER_NAME_MAX 256u // characters

/* The key of the request, when it has one of a possible form; else answers and gives false. */
bool eas_folder_key(struct eas_request *req, struct slice *key);
/* "0" or a mailbox's number. */
bool eas_folder_parent(struct slice text, struct mailbox_id *parent);
/* Answer of FolderCreate (id), FolderUpdate and FolderDelete (id NULL). */
void eas_folder_answer(struct eas_request *req, const char *key, const struct mailbox_id *id);
/* A refusal of storage in the words of the three commands. */
int eas_folder_status(enum err err);
