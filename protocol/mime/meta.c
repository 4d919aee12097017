#include "protocol/mime/meta.h"

#include <glib.h>
#include <gmime/gmime.h>

#include "protocol/mime/mime_internal.h"
#include "protocol/mime/render.h"

#define REFERENCES_MAX 50u
#define REFERENCES_SEEN_MAX 2000u // ids of a References field that are looked at
#define SUBJECT_STORED_MAX 8192u  // octets of the decoded subject that are kept
#define LIST_STORED_MAX 65536u    // octets of a decoded address list that are kept

static bool is_type(const struct mime_part *part, const char *type, const char *subtype)
{
    return slice_eq(part->type, slice_of(type)) && slice_eq(part->subtype, slice_of(subtype));
}

static bool is_signature(const struct mime_part *part)
{
    return is_type(part, "application", "pkcs7-signature") || is_type(part, "application", "x-pkcs7-signature") ||
           is_type(part, "application", "pgp-signature");
}

static bool is_attachment(const struct mime_part *part, const struct mime_node *node, bool inside_message)
{
    if (part->is_multipart || inside_message || is_signature(part))
        return false;
    if (slice_eq_nocase(node->disposition, SLICE_LIT("attachment")))
        return true;
    if (slice_eq(part->type, SLICE_LIT("text")))
        return false;
    // Named or not: what is no text, and is not shown inside of it, would else be out of reach.
    return part->filename.len > 0 || (!part->inline_disposition && !part->content_id.len);
}

static bool says(const struct mime_params *params, const char *name, const char *value)
{
    const struct mime_param *param = mime_param_find(params, name);
    return param && slice_eq_nocase(slice_trim(param->value), slice_of(value));
}

static void look_at_parts(const struct mime_tree *tree, struct mime_meta *meta)
{
    bool *inside = arena_new(tree->arena, bool, tree->count);
    for (size_t i = 0; i < tree->count; i++) {
        struct mime_part *part = &tree->parts[i];
        const struct mime_node *node = &tree->nodes[i];
        if (i)
            inside[i] = inside[part->parent] || tree->parts[part->parent].is_message;
        part->is_attachment = is_attachment(part, node, inside[i]);
        meta->has_attachments = meta->has_attachments || part->is_attachment;
        if (inside[i])
            continue;
        bool smime = is_type(part, "application", "pkcs7-mime") || is_type(part, "application", "x-pkcs7-mime");
        bool signed_data = smime && says(&node->params, "smime-type", "signed-data");
        meta->is_signed = meta->is_signed || signed_data || is_type(part, "multipart", "signed");
        meta->is_encrypted =
            meta->is_encrypted || (smime && !signed_data) || is_type(part, "multipart", "encrypted");
        if (!meta->is_meeting && is_type(part, "text", "calendar") &&
            (!part->is_attachment || mime_param_find(&node->params, "method"))) {
            meta->is_meeting = true;
            meta->meeting_part = (uint32_t)i;
        }
    }
}

static uint8_t importance_of(const struct mime_fields *fields)
{
    struct slice importance = fields->value[FIELD_IMPORTANCE];
    if (slice_starts_nocase(importance, SLICE_LIT("high")))
        return 2;
    if (slice_starts_nocase(importance, SLICE_LIT("low")))
        return 0;
    struct slice number = fields->value[FIELD_X_PRIORITY];
    if (!importance.len && number.len && number.at[0] >= '1' && number.at[0] <= '5')
        return number.at[0] <= '2' ? 2 : number.at[0] >= '4' ? 0 : 1;
    struct slice priority = fields->value[FIELD_PRIORITY];
    if (!importance.len && slice_starts_nocase(priority, SLICE_LIT("urgent")))
        return 2;
    if (!importance.len && slice_starts_nocase(priority, SLICE_LIT("non-urgent")))
        return 0;
    return 1;
}

static void read_date(struct slice value, struct arena *arena, struct mime_meta *meta)
{
    if (!value.len || value.len > 200)
        return;
    mime_library();
    char *text = arena_text(arena, value);
    GDateTime *date = g_mime_utils_header_decode_date(text);
    if (!date) // RFC 3339, which some programs write into mail
        date = g_date_time_new_from_iso8601(text, NULL);
    char *leap = strstr(text, ":60");
    if (!date && leap) { // GMime knows no leap seconds
        memcpy(leap, ":59", 3);
        date = g_mime_utils_header_decode_date(text);
    }
    if (!date)
        return;
    meta->date_us = g_date_time_to_unix(date) * 1000000;
    meta->date_zone_min = (int16_t)(g_date_time_get_utc_offset(date) / (60 * 1000000LL));
    g_date_time_unref(date);
}

static struct slice clean_copy(struct slice s, struct arena *arena)
{
    return s.len ? mime_decode_text(s, arena) : SLICE_LIT("");
}

static struct slice join_ids(const struct slice *ids, size_t count, struct arena *arena)
{
    struct buf out = { 0 };
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_byte(&out, ' ');
        buf_add(&out, ids[i]);
    }
    struct slice joined = buf_len(&out) ? arena_copy(arena, buf_slice(&out)) : SLICE_LIT("");
    buf_free(&out);
    return joined;
}

/* The conversation: the first of References, else In-Reply-To, else the message itself. */
static void read_ids(const struct mime_fields *fields, struct arena *arena, struct mime_meta *meta)
{
    struct slice id[1];
    struct slice *refs = arena_new(arena, struct slice, REFERENCES_SEEN_MAX);
    if (mime_message_ids(fields->value[FIELD_MESSAGE_ID], id, 1))
        meta->message_id = clean_copy(id[0], arena);
    if (mime_message_ids(fields->value[FIELD_IN_REPLY_TO], id, 1))
        meta->in_reply_to = clean_copy(id[0], arena);
    size_t count = 0;
    if (fields->value[FIELD_REFERENCES].len)
        count = mime_message_ids(fields->value[FIELD_REFERENCES], refs, REFERENCES_SEEN_MAX);
    struct slice root = count ? clean_copy(refs[0], arena) : meta->in_reply_to.len ? meta->in_reply_to : meta->message_id;
    size_t first = count > REFERENCES_MAX ? count - REFERENCES_MAX : 0;
    if (count)
        meta->references = clean_copy(join_ids(refs + first, count - first, arena), arena);
    // Without any id a message is a conversation of its own, told apart by all that its envelope says.
    meta->thread = (int64_t)mime_hash(root.len ? root : meta->envelope);
}

static struct slice first_mailbox(const struct mime_addresses *list, struct arena *arena)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == ADDRESS_MAILBOX)
            return mime_upper(clean_copy(list->items[i].mailbox, arena), arena);
    return SLICE_LIT("");
}

static struct slice read_list(struct slice value, struct arena *arena, struct slice *sort_key)
{
    struct mime_addresses list = { 0 };
    if (!value.len)
        return SLICE_LIT("");
    mime_addresses_read(value, arena, &list);
    if (sort_key)
        *sort_key = first_mailbox(&list, arena);
    return mime_cut_utf8(mime_addresses_text(&list, arena), LIST_STORED_MAX);
}

static void look_at_header(const struct mime_fields *fields, struct arena *arena, struct mime_meta *meta)
{
    meta->subject = mime_cut_utf8(clean_copy(fields->value[FIELD_SUBJECT], arena), SUBJECT_STORED_MAX);
    meta->sort_subject = mime_base_subject(meta->subject, arena);
    meta->from = read_list(fields->value[FIELD_FROM], arena, &meta->sort_from);
    meta->to = read_list(fields->value[FIELD_TO], arena, &meta->sort_to);
    meta->cc = read_list(fields->value[FIELD_CC], arena, &meta->sort_cc);
    meta->bcc = read_list(fields->value[FIELD_BCC], arena, NULL);
    meta->reply_to = read_list(fields->value[FIELD_REPLY_TO], arena, NULL);
    meta->sender = read_list(fields->value[FIELD_SENDER], arena, NULL);
    meta->importance = importance_of(fields);
    read_date(fields->value[FIELD_DATE], arena, meta);
    read_ids(fields, arena, meta);
}

void mime_describe(struct slice raw, struct arena *arena, struct mime_meta *meta)
{
    struct mime_tree tree;
    *meta = (struct mime_meta){ .size = raw.len };
    if (!raw.at)
        raw = SLICE_LIT("");
    mime_tree_scan(raw, arena, &tree);
    struct slice *envelopes = arena_new(arena, struct slice, tree.count);
    for (size_t i = 0; i < tree.count; i++)
        if (i == 0 || tree.parts[tree.parts[i].parent].is_message)
            envelopes[i] = mime_wire_envelope(&tree.nodes[i].fields, arena);
    meta->parts = tree.parts;
    meta->part_count = tree.count;
    meta->header_len = tree.parts[0].header_len;
    meta->envelope = envelopes[0];
    meta->bodystructure = mime_wire_structure(&tree, envelopes, true);
    meta->body = mime_wire_structure(&tree, envelopes, false);
    look_at_parts(&tree, meta);
    look_at_header(&tree.nodes[0].fields, arena, meta);
    mime_preview(raw, meta, arena, &meta->preview);
}
