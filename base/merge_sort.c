#include "base/merge_sort.h"

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void begin_pair(struct merge_sort *s, size_t at)
{
    s->at = s->left = s->out = at;
    s->right = lesser(at + s->width, s->count);
}

static void next_width(struct merge_sort *s)
{
    uint32_t *from = s->from;
    s->from = s->to;
    s->to = from;
    s->width *= 2;
    begin_pair(s, 0);
}

void merge_sort_init(struct merge_sort *s, uint32_t *items, uint32_t *room, size_t count)
{
    *s = (struct merge_sort){ .from = items, .to = room, .count = count, .width = 1 };
    begin_pair(s, 0);
}

bool merge_sort_step(struct merge_sort *s, size_t moves, merge_sort_fn compare, void *ctx)
{
    while (s->width < s->count) {
        size_t middle = lesser(s->at + s->width, s->count), end = lesser(s->at + 2 * s->width, s->count);
        if (s->out == end) {
            if (end == s->count)
                next_width(s);
            else
                begin_pair(s, end);
            continue;
        }
        if (moves-- == 0)
            return false;
        bool take_left = s->left < middle && (s->right == end || compare(s->from[s->left], s->from[s->right], ctx) <= 0);
        s->to[s->out++] = s->from[take_left ? s->left++ : s->right++];
    }
    return true;
}
