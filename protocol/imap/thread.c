#include "protocol/imap/thread.h"

#include <stdlib.h>

#define THREAD_WALK_MAX 10000u // steps up a chain of replies when a link is made

/* ---- ORDEREDSUBJECT ---- */

static int compare_text(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int by = len ? memcmp(a.at, b.at, len) : 0;
    return by ? by : (a.len > b.len) - (a.len < b.len);
}

static int by_date(const struct thread_message *a, const struct thread_message *b)
{
    if (a->date_us != b->date_us)
        return a->date_us < b->date_us ? -1 : 1;
    return (a->place > b->place) - (a->place < b->place);
}

static int by_subject(const void *a, const void *b)
{
    const struct thread_message *x = a, *y = b;
    int by = compare_text(x->subject, y->subject);
    return by ? by : by_date(x, y);
}

struct subject_thread {
    const struct thread_message *first;
    size_t count;
};

static int by_first(const void *a, const void *b)
{
    const struct subject_thread *x = a, *y = b;
    return by_date(x->first, y->first);
}

/* "(1)", "(1 2)", "(1 (2)(3))": all but the first are its children. */
static void write_subject_thread(const struct subject_thread *thread, struct buf *out)
{
    buf_add_byte(out, '(');
    buf_add_u64(out, thread->first->number);
    for (size_t i = 1; i < thread->count; i++) {
        if (i == 1)
            buf_add_byte(out, ' ');
        if (thread->count > 2)
            buf_add_byte(out, '(');
        buf_add_u64(out, thread->first[i].number);
        if (thread->count > 2)
            buf_add_byte(out, ')');
    }
    buf_add_byte(out, ')');
}

void thread_by_subject(struct thread_message *messages, size_t count, struct buf *out)
{
    struct arena *arena = arena_open();
    struct subject_thread *threads = arena_new(arena, struct subject_thread, count + 1);
    size_t thread_count = 0;
    if (count)
        qsort(messages, count, sizeof *messages, by_subject);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !slice_eq(messages[i].subject, messages[i - 1].subject))
            threads[thread_count++] = (struct subject_thread){ &messages[i], 0 };
        threads[thread_count - 1].count++;
    }
    qsort(threads, thread_count, sizeof *threads, by_first);
    for (size_t i = 0; i < thread_count; i++)
        write_subject_thread(&threads[i], out);
    arena_close(&arena);
}

/* ---- REFERENCES ---- */

struct node { // a message, or a dummy for one that is spoken of
    struct slice id;
    const struct thread_message *message; // NULL: dummy
    struct node *parent, *children, *next, *prev; // children are linked by next, the newest link first
    struct node *in_table;                 // of the same hash
    const struct thread_message *oldest;   // decides its place among its siblings
    uint32_t rank;                         // in the order it was made: settles what the dates do not
};

struct forest {
    struct arena *arena;
    struct node **table;
    size_t table_size; // a power of two
    struct node **all; // in the order they were made
    size_t count;
    struct node root; // its children are the threads
};

static size_t hash_of(struct slice id)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < id.len; i++)
        h = (h ^ (unsigned char)id.at[i]) * UINT64_C(1099511628211);
    return (size_t)(h ^ h >> 29);
}

static struct node *find(struct forest *f, struct slice id)
{
    struct node *node = f->table[hash_of(id) & (f->table_size - 1)];
    while (node && !slice_eq(node->id, id))
        node = node->in_table;
    return node;
}

static struct node *make(struct forest *f, struct slice id)
{
    struct node *node = arena_new(f->arena, struct node, 1);
    node->id = id;
    node->rank = (uint32_t)f->count;
    f->all[f->count++] = node;
    if (id.len) {
        struct node **slot = &f->table[hash_of(id) & (f->table_size - 1)];
        node->in_table = *slot;
        *slot = node;
    }
    return node;
}

static bool take_id(struct slice *ids, struct slice *id)
{
    size_t open = slice_find(*ids, '<');
    if (open == SIZE_MAX)
        return false;
    *ids = slice_tail(*ids, open);
    size_t close = slice_find(*ids, '>');
    if (close == SIZE_MAX)
        return false;
    *id = slice_head(*ids, close + 1);
    *ids = slice_tail(*ids, close + 1);
    return true;
}

/* Whether `above` is the node or above it. A walk that takes too long says yes: then no link is made. */
static bool is_above(const struct node *above, const struct node *node)
{
    if (!above->children)
        return above == node;
    for (size_t steps = 0; node; node = node->parent)
        if (node == above || ++steps > THREAD_WALK_MAX)
            return true;
    return false;
}

static void unlink_node(struct node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else
        node->parent->children = node->next;
    if (node->next)
        node->next->prev = node->prev;
    node->parent = node->next = node->prev = NULL;
}

static void link_node(struct node *parent, struct node *node)
{
    node->parent = parent;
    node->next = parent->children;
    if (node->next)
        node->next->prev = node;
    parent->children = node;
}

/* Steps 1 A and B: each reference is the parent of the next, unless that has one already or it would make a loop. */
static void add_message(struct forest *f, const struct thread_message *message)
{
    struct slice ids = message->references, id;
    struct node *before = NULL, *node = message->message_id.len ? find(f, message->message_id) : NULL;
    if (!node || node->message) // no id, or one that another message has: it gets one of its own
        node = make(f, !node ? message->message_id : SLICE_LIT(""));
    node->message = message;
    while (take_id(&ids, &id)) {
        struct node *one = find(f, id);
        if (!one)
            one = make(f, id);
        if (before && !one->parent && !is_above(one, before))
            link_node(before, one);
        before = one;
    }
    if (before && is_above(node, before))
        return; // the last reference is the message itself or a reply to it: the link it has stays
    if (node->parent)
        unlink_node(node);
    if (before)
        link_node(before, node);
}

static void replace_by_children(struct node *dummy)
{
    struct node *parent = dummy->parent, *child, *next;
    unlink_node(dummy);
    for (child = dummy->children; child; child = next) {
        next = child->next;
        link_node(parent, child);
    }
    dummy->children = NULL;
}

/* Children before their parents, without recursion: the order in which nodes are left. */
static struct node **leaving_order(struct forest *f, size_t *count)
{
    struct node **order = arena_new(f->arena, struct node *, f->count + 1), *node = f->root.children;
    *count = 0;
    while (node) {
        while (node->children)
            node = node->children;
        for (;;) {
            order[(*count)++] = node;
            if (node->next) {
                node = node->next;
                break;
            }
            node = node->parent;
            if (node == &f->root || !node)
                return order;
        }
    }
    return order;
}

/* Steps 2 and 3: the threads; dummies without children go, those with children are replaced by them, but at the root only
 * when there is one. */
static void prune(struct forest *f)
{
    size_t count;
    for (size_t i = 0; i < f->count; i++)
        if (!f->all[i]->parent)
            link_node(&f->root, f->all[i]);
    struct node **order = leaving_order(f, &count);
    for (size_t i = 0; i < count; i++) {
        struct node *node = order[i];
        if (node->message)
            continue;
        bool one = node->children && !node->children->next;
        if (!node->children)
            unlink_node(node);
        else if (node->parent != &f->root || one)
            replace_by_children(node);
    }
}

/* ---- order ---- */

static int by_oldest(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int by = by_date(x->oldest, y->oldest);
    return by ? by : (x->rank > y->rank) - (x->rank < y->rank);
}

static void sort_children(struct forest *f, struct node *parent)
{
    size_t count = 0, i = 0;
    for (struct node *child = parent->children; child; child = child->next)
        count++;
    if (count < 2)
        return;
    struct node **list = arena_new(f->arena, struct node *, count);
    for (struct node *child = parent->children; child; child = child->next)
        list[i++] = child;
    qsort(list, count, sizeof *list, by_oldest);
    for (i = 0; i < count; i++) {
        list[i]->next = i + 1 < count ? list[i + 1] : NULL;
        list[i]->prev = i ? list[i - 1] : NULL;
    }
    parent->children = list[0];
}

/* Steps 4 and 6: siblings by date; a dummy stands where its first child would. */
static void sort_all(struct forest *f)
{
    size_t count;
    struct node **order = leaving_order(f, &count);
    for (size_t i = 0; i < count; i++) {
        sort_children(f, order[i]);
        order[i]->oldest = order[i]->message ? order[i]->message : order[i]->children->oldest;
    }
    sort_children(f, &f->root);
}

/* ---- step 5: threads of the same subject ---- */

struct subject_row {
    struct slice subject;
    struct node *thread;
    struct subject_row *next;
};

static const struct thread_message *speaker(const struct node *thread)
{
    return thread->message ? thread->message : thread->children->message;
}

static struct subject_row *subject_of(struct subject_row **table, size_t size, struct slice subject)
{
    struct subject_row *row = table[hash_of(subject) & (size - 1)];
    while (row && !slice_eq(row->subject, subject))
        row = row->next;
    return row;
}

/* Which thread is the head of its subject: a dummy before a message, an original before a reply. */
static void choose_heads(struct forest *f, struct subject_row **table, size_t size)
{
    for (struct node *thread = f->root.children; thread; thread = thread->next) {
        const struct thread_message *message = speaker(thread);
        if (!message->subject.len)
            continue;
        struct subject_row *row = subject_of(table, size, message->subject);
        if (!row) {
            struct subject_row **slot = &table[hash_of(message->subject) & (size - 1)];
            row = arena_new(f->arena, struct subject_row, 1);
            *row = (struct subject_row){ message->subject, thread, *slot };
            *slot = row;
        } else if ((!thread->message && row->thread->message) ||
                   (row->thread->message && row->thread->message->is_reply && !message->is_reply)) {
            row->thread = thread;
        }
    }
}

static void move_children(struct node *from, struct node *to)
{
    while (from->children) {
        struct node *child = from->children;
        unlink_node(child);
        link_node(to, child);
    }
}

/* The thread joins the head of its subject. A head that becomes one of two under a new dummy is replaced by that. */
static void join(struct forest *f, struct subject_row *row, struct node *thread)
{
    struct node *head = row->thread;
    unlink_node(thread);
    if (!head->message && !thread->message) {
        move_children(thread, head);
    } else if (!head->message || (thread->message && thread->message->is_reply && !head->message->is_reply)) {
        link_node(head, thread);
    } else {
        struct node *dummy = arena_new(f->arena, struct node, 1);
        dummy->rank = head->rank;
        unlink_node(head);
        link_node(dummy, head);
        link_node(dummy, thread);
        link_node(&f->root, dummy);
        row->thread = dummy;
        f->count++; // leaving_order has room for it
    }
}

static void join_subjects(struct forest *f)
{
    size_t size = f->table_size, count = 0, i = 0;
    struct subject_row **table = arena_new(f->arena, struct subject_row *, size);
    choose_heads(f, table, size);
    for (struct node *thread = f->root.children; thread; thread = thread->next)
        count++;
    struct node **threads = arena_new(f->arena, struct node *, count + 1);
    struct slice *subjects = arena_new(f->arena, struct slice, count + 1); // read before any thread changes
    for (struct node *thread = f->root.children; thread; thread = thread->next) {
        subjects[i] = speaker(thread)->subject;
        threads[i++] = thread;
    }
    for (i = 0; i < count; i++) {
        struct subject_row *row = subjects[i].len ? subject_of(table, size, subjects[i]) : NULL;
        if (row && row->thread != threads[i] && threads[i]->parent == &f->root)
            join(f, row, threads[i]);
    }
}

/* ---- the answer ---- */

/* A chain goes on in its parentheses, branches each have their own. */
static void write_thread(const struct node *thread, const struct node *root, struct buf *out)
{
    const struct node *node = thread;
    for (;;) {
        bool alone = node->parent != root && node->parent->children == node && !node->next;
        if (alone && node->parent->message)
            buf_add_byte(out, ' ');
        if (!alone) {
            if (node->parent != root && node->parent->children == node && node->parent->message)
                buf_add_byte(out, ' ');
            buf_add_byte(out, '(');
        }
        if (node->message)
            buf_add_u64(out, node->message->number);
        if (node->children) {
            node = node->children;
            continue;
        }
        for (;;) {
            bool was_alone = node->parent != root && node->parent->children == node && !node->next;
            if (!was_alone)
                buf_add_byte(out, ')');
            if (node == thread)
                return;
            if (node->next) {
                node = node->next;
                break;
            }
            node = node->parent;
        }
    }
}

void thread_by_references(const struct thread_message *messages, size_t count, struct arena *arena, struct buf *out)
{
    struct forest f = { .arena = arena, .table_size = 64 };
    size_t most = count;
    for (size_t i = 0; i < count; i++)
        most += slice_count(messages[i].references, '<');
    while (f.table_size < most)
        f.table_size *= 2;
    f.table = arena_new(arena, struct node *, f.table_size);
    f.all = arena_new(arena, struct node *, most + 1);
    for (size_t i = 0; i < count; i++)
        add_message(&f, &messages[i]);
    prune(&f);
    sort_all(&f);
    join_subjects(&f);
    sort_all(&f);
    for (const struct node *thread = f.root.children; thread; thread = thread->next)
        write_thread(thread, &f.root, out);
}
