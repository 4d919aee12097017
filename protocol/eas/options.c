#include "protocol/eas/options.h"

#define PACK_VERSION 1
#define FILTER_MAX 7u // 6 and 7 are for calendars by the book, but real clients send them for mail

/* MS-ASAIRS 2.2.2.12: each child once, in this order. */
static bool is_in_order(const struct wbxml_node *node)
{
    static const uint16_t order[] = { WB_AirSyncBase_Type, WB_AirSyncBase_TruncationSize, WB_AirSyncBase_AllOrNone,
                                      WB_AirSyncBase_Preview };
    size_t at = 0, count = sizeof order / sizeof *order;
    for (const struct wbxml_node *child = node->child; child; child = child->next) {
        size_t place = 0;
        while (place < count && order[place] != child->tag)
            place++;
        if (place < count && place < at)
            return false;
        if (place < count)
            at = place + 1;
    }
    return true;
}

static enum err parse_preference(const struct wbxml_node *node, struct eas_body_preference *preference)
{
    *preference = (struct eas_body_preference){ 0 };
    uint64_t number;
    if (!is_in_order(node))
        return ERR_SYNTAX;
    if (!wbxml_number(wbxml_child(node, WB_AirSyncBase_Type), EAS_BODY_MIME, &number) || number < EAS_BODY_TEXT)
        return ERR_SYNTAX;
    preference->type = (uint8_t)number;
    const struct wbxml_node *truncation = wbxml_child(node, WB_AirSyncBase_TruncationSize);
    if (truncation) {
        if (!wbxml_number(truncation, UINT32_MAX, &number))
            return ERR_SYNTAX;
        preference->has_truncation = true;
        preference->truncation = (uint32_t)number;
    }
    const struct wbxml_node *all = wbxml_child(node, WB_AirSyncBase_AllOrNone);
    if (all && !wbxml_is_bool(all))
        return ERR_SYNTAX;
    preference->all_or_none = wbxml_bool(all, false) && preference->has_truncation;
    const struct wbxml_node *preview = wbxml_child(node, WB_AirSyncBase_Preview);
    if (preview) {
        if (!wbxml_number(preview, EAS_PREVIEW_MAX, &number))
            return ERR_SYNTAX;
        preference->preview = (uint8_t)number;
    }
    return ERR_OK;
}

static enum err add_preference(const struct wbxml_node *node, struct eas_options *options)
{
    struct eas_body_preference preference;
    enum err err = parse_preference(node, &preference);
    if (err)
        return err;
    for (uint8_t i = 0; i < options->preference_count; i++) {
        if (options->preferences[i].type == preference.type)
            return ERR_SYNTAX;
    }
    options->preferences[options->preference_count++] = preference; // at most one of each of four types
    return ERR_OK;
}

enum err eas_options_parse(const struct wbxml_node *node, struct eas_options *options)
{
    enum err err = ERR_OK;
    for (const struct wbxml_node *child = node ? node->child : NULL; child && !err; child = child->next) {
        const struct {
            uint16_t tag;
            uint8_t max, *to;
        } numbers[] = {
            { WB_AirSync_FilterType, FILTER_MAX, &options->filter },
            { WB_AirSync_MIMESupport, 2, &options->mime_support },
            { WB_AirSync_MIMETruncation, 8, &options->mime_truncation },
            { WB_AirSync_Conflict, 1, &options->conflict },
        };
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            uint64_t number;
            if (child->tag != numbers[i].tag)
                continue;
            if (!wbxml_number(child, numbers[i].max, &number))
                return ERR_SYNTAX;
            *numbers[i].to = (uint8_t)number;
        }
        if (child->tag == WB_AirSyncBase_BodyPreference)
            err = add_preference(child, options);
        if (child->tag == WB_AirSyncBase_BodyPartPreference) {
            err = parse_preference(child, &options->part);
            options->has_part = true;
            if (!err && options->part.type != EAS_BODY_HTML)
                err = ERR_DENIED;
        }
    }
    return err;
}

static void pack_preference(const struct eas_body_preference *preference, struct buf *out)
{
    uint8_t flags = (uint8_t)(preference->all_or_none | preference->has_truncation << 1);
    buf_add_byte(out, (char)preference->type);
    buf_add_byte(out, (char)flags);
    buf_add_byte(out, (char)preference->preview);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_add_byte(out, (char)(preference->truncation >> shift));
}

void eas_options_pack(const struct eas_options *options, struct buf *out)
{
    const uint8_t head[] = { PACK_VERSION,         options->filter,   options->mime_support,
                             options->mime_truncation, options->conflict, options->conversation_mode,
                             options->has_part,    options->preference_count };
    buf_add(out, slice_make(head, sizeof head));
    for (uint8_t i = 0; i < options->preference_count; i++)
        pack_preference(&options->preferences[i], out);
    if (options->has_part)
        pack_preference(&options->part, out);
}

static bool unpack_preference(struct slice *in, struct eas_body_preference *preference)
{
    if (in->len < 7)
        return false;
    const uint8_t *at = (const uint8_t *)in->at;
    *preference = (struct eas_body_preference){
        .type = at[0],
        .all_or_none = at[1] & 1,
        .has_truncation = at[1] & 2,
        .preview = at[2],
        .truncation = (uint32_t)at[3] << 24 | (uint32_t)at[4] << 16 | (uint32_t)at[5] << 8 | at[6],
    };
    *in = slice_tail(*in, 7);
    return preference->type >= EAS_BODY_TEXT && preference->type <= EAS_BODY_MIME;
}

static bool unpack(struct slice in, struct eas_options *options)
{
    const uint8_t *at = (const uint8_t *)in.at;
    if (in.len < 8 || at[0] != PACK_VERSION || at[7] > EAS_PREFERENCES_MAX)
        return false;
    *options = (struct eas_options){ .filter = at[1], .mime_support = at[2], .mime_truncation = at[3], .conflict = at[4],
                                     .conversation_mode = at[5], .has_part = at[6], .preference_count = at[7] };
    in = slice_tail(in, 8);
    for (uint8_t i = 0; i < options->preference_count; i++) {
        if (!unpack_preference(&in, &options->preferences[i]))
            return false;
    }
    return !options->has_part || unpack_preference(&in, &options->part);
}

void eas_options_unpack(struct slice packed, struct eas_options *options)
{
    if (!unpack(packed, options))
        *options = EAS_OPTIONS_DEFAULT;
}

int64_t eas_filter_age_s(uint8_t filter)
{
    static const int16_t days[] = { 0, 1, 3, 7, 14, 31, 92, 183 };
    return filter < sizeof days / sizeof *days ? days[filter] * INT64_C(86400) : 0;
}

uint32_t eas_mime_truncation_octets(uint8_t mime_truncation)
{
    static const uint32_t octets[] = { 0, 4096, 5120, 7168, 10240, 20480, 51200, 102400 };
    return mime_truncation < sizeof octets / sizeof *octets ? octets[mime_truncation] : UINT32_MAX;
}
