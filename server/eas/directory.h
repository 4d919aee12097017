/* The address book as phones see it: people of the caller's own domain, and of those joined with it by
 * directory.joined_domains, nobody else (hard case 27). */
#pragma once

#include "server/eas/eas_internal.h"
#include "storage/directory.h"

/* People who match a text, at most limit. errors: ERR_UNAVAILABLE */
MUST_USE enum err eas_directory_find(struct eas_request *req, struct slice text, uint32_t limit, struct person **people,
                                     size_t *count);
/* The one person with an address. errors: ERR_NOT_FOUND, ERR_UNAVAILABLE */
MUST_USE enum err eas_directory_get(struct eas_request *req, struct slice address, struct person *person);
/* What is shown as the name: the display name, or the part of the address before the "@". */
struct slice eas_directory_name(const struct person *person);
/* The Properties of one person, with page GAL's elements (MS-ASCMD 2.2.3.139). picture: the tag of the Picture element
 * and its Status, when pictures were asked for; 0: not. There are none: Status 173 says so. */
void eas_directory_write(struct wbxml_writer *writer, const struct person *person, uint16_t picture, uint16_t status);

/* Splits "a b; c d" into the domains that see `own` (always with own itself); lower case, in the arena. */
void eas_joined_domains(struct slice setting, struct slice own, struct arena *arena, struct slice **domains,
                        size_t *count);
