#include "storage/change.h"

void change_set_add(struct change_set *set, struct change change)
{
    struct change *same_account = NULL;
    for (size_t i = 0; i < set->count; i++) {
        struct change *item = &set->items[i];
        if (item->account.n != change.account.n)
            continue;
        if (item->mailbox.n == change.mailbox.n) {
            item->kinds |= change.kinds;
            if (item->modseq < change.modseq)
                item->modseq = change.modseq;
            return;
        }
        same_account = item;
    }
    if (set->count < CHANGES_MAX) {
        set->items[set->count++] = change;
        return;
    }
    if (!same_account) {
        set->overflow = true;
        return;
    }
    same_account->mailbox.n = 0;
    same_account->kinds |= change.kinds;
    if (same_account->modseq < change.modseq)
        same_account->modseq = change.modseq;
}
