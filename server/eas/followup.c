#include "server/eas/followup.h"

#include <jansson.h>
#include <stdlib.h>

struct slice eas_followup_pack(struct arena *arena, const struct eas_flag *flag)
{
    json_t *object = json_object();
    json_object_set_new(object, "status", json_integer(flag->status));
#define X(member, tag, is_date) \
    if (flag->member.len) \
        json_object_set_new(object, #member, json_stringn(flag->member.at, flag->member.len));
    EAS_FLAG_CHILDREN(X)
#undef X
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    struct slice packed = arena_copy(arena, slice_of(text ? text : "{}"));
    free(text);
    return packed;
}

static void unpack_details(struct arena *arena, json_t *object, struct eas_flag *flag)
{
    flag->status = (uint8_t)json_integer_value(json_object_get(object, "status"));
#define X(member, tag, is_date) \
    if (json_is_string(json_object_get(object, #member))) \
        flag->member = arena_copy(arena, slice_of(json_string_value(json_object_get(object, #member))));
    EAS_FLAG_CHILDREN(X)
#undef X
}

void eas_followup_unpack(struct arena *arena, struct slice extra, bool flagged, struct eas_flag *flag)
{
    *flag = (struct eas_flag){ 0 };
    json_t *all = extra.len ? json_loadb(extra.at, extra.len, 0, NULL) : NULL;
    json_t *object = json_object_get(all, "flag");
    if (json_is_object(object))
        unpack_details(arena, object, flag);
    json_decref(all);
    if (flagged && flag->status != EAS_FLAG_ACTIVE)
        *flag = (struct eas_flag){ .status = EAS_FLAG_ACTIVE }; // set by an IMAP client
    if (!flagged && flag->status != EAS_FLAG_COMPLETE)
        *flag = (struct eas_flag){ 0 };
}

void eas_verb_unpack(struct arena *arena, struct slice extra, struct eas_email *email)
{
    json_t *all = extra.len ? json_loadb(extra.at, extra.len, 0, NULL) : NULL;
    json_t *object = json_object_get(all, "verb");
    json_int_t verb = json_integer_value(json_object_get(object, "n"));
    const char *at = json_string_value(json_object_get(object, "at"));
    int64_t us;
    if (verb >= 1 && verb <= 3) {
        email->verb = (uint8_t)verb;
        if (at && eas_date_parse(slice_of(at), &us))
            email->verb_time = arena_copy(arena, slice_of(at));
    }
    json_decref(all);
}
