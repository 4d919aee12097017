#include <criterion/criterion.h>

#include "server/eas/found.h"

static struct account_id account = { 1 };

static bool has(struct found *found, int64_t device, const char *key, size_t expected)
{
    struct arena *arena = arena_open();
    struct found_hit *hits;
    size_t count;
    bool got = found_get(found, account, (struct device_id){ device }, slice_of(key), arena, &hits, &count);
    if (got)
        cr_expect_eq(count, expected);
    if (got && count)
        cr_expect_eq(hits[count - 1].item, (uint32_t)count);
    arena_close(&arena);
    return got;
}

Test(eas_found, keeps_the_last_search_of_each_device)
{
    struct found *found = found_open();
    struct found_hit hits[] = { { 5, 1 }, { 5, 2 }, { 6, 3 } };
    cr_expect_not(has(found, 1, "a", 0));
    found_put(found, account, (struct device_id){ 1 }, SLICE_LIT("a"), hits, 3);
    found_put(found, account, (struct device_id){ 2 }, SLICE_LIT("a"), hits, 2);
    cr_expect(has(found, 1, "a", 3));
    cr_expect(has(found, 2, "a", 2));
    cr_expect_not(has(found, 1, "b", 0), "another search");
    found_put(found, account, (struct device_id){ 1 }, SLICE_LIT("b"), NULL, 0);
    cr_expect(has(found, 1, "b", 0));
    cr_expect_not(has(found, 1, "a", 0), "one search per device");
    struct arena *arena = arena_open();
    struct found_hit *list;
    size_t count;
    cr_expect_not(
        found_get(found, (struct account_id){ 2 }, (struct device_id){ 1 }, SLICE_LIT("b"), arena, &list, &count),
        "another account");
    arena_close(&arena);
    found_close(&found);
}

Test(eas_found, forgets_the_oldest_beyond_its_limit)
{
    struct found *found = found_open();
    struct found_hit hit = { 5, 1 };
    for (int64_t device = 1; device <= FOUND_KEPT_MAX + 1; device++)
        found_put(found, account, (struct device_id){ device }, SLICE_LIT("a"), &hit, 1);
    cr_expect(has(found, 2, "a", 1) && has(found, FOUND_KEPT_MAX + 1, "a", 1));
    cr_expect_not(has(found, 1, "a", 1));
    found_close(&found);
}
