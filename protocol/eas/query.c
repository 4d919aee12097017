#include "protocol/eas/query.h"

#include "protocol/eas/base64.h"

enum query_tag { // MS-ASHTTP 2.2.1.1.1.1.3 (Command Parameters)
    TAG_ATTACHMENT_NAME = 0,
    TAG_COLLECTION_ID = 1,
    TAG_ITEM_ID = 3,
    TAG_LONG_ID = 4,
    TAG_OPTIONS = 7,
    TAG_USER = 8,
};

#define OPTION_SAVE_IN_SENT 0x01u
#define OPTION_ACCEPT_MULTIPART 0x02u

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err decode_percent(struct slice raw, bool plus_is_blank, struct arena *arena, struct slice *out)
{
    char *to = arena_alloc(arena, raw.len + 1);
    size_t at = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.at[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex_value(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_value(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return ERR_SYNTAX;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[at++] = c;
    }
    *out = slice_make(to, at);
    return ERR_OK;
}

static enum err parse_plain(struct slice raw, struct arena *arena, struct eas_query *query)
{
    while (raw.len) {
        struct slice value = slice_cut(&raw, '&'), name = slice_cut(&value, '=');
        enum err err = decode_percent(value, true, arena, &value);
        if (err)
            return err;
        const struct {
            struct slice name, *to;
        } places[] = {
            { SLICE_LIT("Cmd"), &query->command },
            { SLICE_LIT("DeviceId"), &query->device_id },
            { SLICE_LIT("DeviceType"), &query->device_type },
            { SLICE_LIT("User"), &query->user },
            { SLICE_LIT("AttachmentName"), &query->attachment_name },
            { SLICE_LIT("CollectionId"), &query->collection_id },
            { SLICE_LIT("ItemId"), &query->item_id },
            { SLICE_LIT("LongId"), &query->long_id },
        };
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            if (slice_eq_nocase(name, places[i].name))
                *places[i].to = value;
        }
        if (slice_eq_nocase(name, SLICE_LIT("SaveInSent")))
            query->save_in_sent = slice_eq_nocase(value, SLICE_LIT("T"));
    }
    return query->command.len ? ERR_OK : ERR_SYNTAX;
}

static bool take_octet(struct slice *in, uint8_t *octet)
{
    if (in->len == 0)
        return false;
    *octet = (uint8_t)in->at[0];
    *in = slice_tail(*in, 1);
    return true;
}

/* A field with its length in front. */
static bool take_field(struct slice *in, struct slice *field)
{
    uint8_t len;
    if (!take_octet(in, &len) || len > in->len)
        return false;
    *field = slice_head(*in, len);
    *in = slice_tail(*in, len);
    return true;
}

static struct slice command_name(uint8_t code)
{
    switch (code) {
#define X(number, name) \
    case number: \
        return SLICE_LIT(#name);
        EAS_COMMAND_CODES(X)
#undef X
    default:
        return SLICE_LIT("");
    }
}

/* Windows Phone sends its id as 32 hex digits in the plain form and as the same 16 octets here. */
static struct slice readable_device_id(struct slice id, struct arena *arena)
{
    bool printable = true;
    for (size_t i = 0; i < id.len; i++)
        printable &= id.at[i] > 0x20 && id.at[i] < 0x7F;
    if (printable)
        return id;
    char *hex = arena_alloc(arena, id.len * 2 + 1);
    for (size_t i = 0; i < id.len; i++) {
        hex[2 * i] = "0123456789ABCDEF"[(uint8_t)id.at[i] >> 4];
        hex[2 * i + 1] = "0123456789ABCDEF"[(uint8_t)id.at[i] & 15];
    }
    return slice_make(hex, id.len * 2);
}

static enum err parse_parameters(struct slice in, struct eas_query *query)
{
    while (in.len) {
        uint8_t tag;
        struct slice value;
        if (!take_octet(&in, &tag) || !take_field(&in, &value))
            return ERR_SYNTAX;
        switch (tag) {
        case TAG_ATTACHMENT_NAME:
            query->attachment_name = value;
            break;
        case TAG_COLLECTION_ID:
            query->collection_id = value;
            break;
        case TAG_ITEM_ID:
            query->item_id = value;
            break;
        case TAG_LONG_ID:
            query->long_id = value;
            break;
        case TAG_USER:
            query->user = value;
            break;
        case TAG_OPTIONS:
            if (value.len != 1)
                return ERR_SYNTAX;
            query->save_in_sent = value.at[0] & OPTION_SAVE_IN_SENT;
            query->accept_multipart = value.at[0] & OPTION_ACCEPT_MULTIPART;
            break;
        default: // unknown ones are skipped
            break;
        }
    }
    return ERR_OK;
}

static enum err parse_base64(struct slice raw, struct arena *arena, struct eas_query *query)
{
    struct slice in, locale, key;
    enum err err = decode_percent(raw, false, arena, &in);
    if (!err)
        err = base64_take(in, arena, &in);
    if (err)
        return err;
    uint8_t version, code;
    query->is_base64 = true;
    if (!take_octet(&in, &version) || !take_octet(&in, &code) || in.len < 2)
        return ERR_SYNTAX;
    locale = slice_head(in, 2);
    in = slice_tail(in, locale.len);
    if (!take_field(&in, &query->device_id) || query->device_id.len == 0 || !take_field(&in, &key) ||
        !take_field(&in, &query->device_type))
        return ERR_SYNTAX;
    if (key.len != 0 && key.len != 4)
        return ERR_SYNTAX;
    for (size_t i = 0; i < key.len; i++)
        query->policy_key |= (uint32_t)(uint8_t)key.at[i] << (8 * i);
    query->has_policy_key = key.len == 4;
    query->version = version;
    query->command = command_name(code);
    query->device_id = readable_device_id(query->device_id, arena);
    return parse_parameters(in, query);
}

static bool has_cmd(struct slice raw)
{
    while (raw.len) {
        if (slice_starts_nocase(slice_cut(&raw, '&'), SLICE_LIT("Cmd=")))
            return true;
    }
    return false;
}

enum err eas_query_parse(struct slice raw, struct arena *arena, struct eas_query *query)
{
    *query = (struct eas_query){ 0 };
    if (raw.len > EAS_QUERY_MAX)
        return ERR_LIMIT;
    return has_cmd(raw) ? parse_plain(raw, arena, query) : parse_base64(raw, arena, query);
}

static bool is_word(struct slice s, size_t max)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.{}";
    return s.len >= 1 && s.len <= max && slice_span(s, letters) == s.len;
}

bool eas_device_id_is_good(struct slice id)
{
    return is_word(id, EAS_DEVICE_ID_MAX);
}

bool eas_device_type_is_good(struct slice type)
{
    return is_word(type, EAS_DEVICE_TYPE_MAX);
}
