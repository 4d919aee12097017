#include <criterion/criterion.h>

#include "storage/directory.h"
#include "tests/support/rig.h"

static struct account_id add(struct db *db, const char *login, const char *name)
{
    struct account_id id;
    cr_assert_eq(account_create(db, slice_of(login), "", 0, &id), ERR_OK, "%s", login);
    cr_assert_eq(directory_set_name(db, id, slice_of(name)), ERR_OK);
    return id;
}

static const struct {
    const char *domains[2], *text, *found; // addresses without their domain, in order
} rows[] = {
    { { "one.test" }, "ann", "ann anna.b" },
    { { "one.test" }, "ANN", "ann anna.b" },
    { { "one.test" }, "ann lee", "ann" },
    { { "one.test" }, "lee  ann", "ann" },
    { { "one.test" }, "b", "bo anna.b" },
    { { "one.test" }, "ee", "" },
    { { "one.test" }, "ann@one", "ann" },
    { { "one.test" }, "%", "" },
    { { "one.test" }, " ", "" },
    { { "two.test" }, "ann", "ann" },
    { { "one.test", "two.test" }, "ann", "ann ann anna.b" },
    { { "three.test" }, "ann", "" },
    { { NULL }, "ann", "" },
};

static void show(const struct person *people, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct slice login = slice_of(people[i].login), local = slice_cut(&login, '@');
        buf_printf(out, "%s%.*s", i ? " " : "", SLICE_ARG(local));
    }
}

static void fill(struct db *db)
{
    struct change_set changes = { 0 };
    add(db, "ann@one.test", "Ann Lee");
    add(db, "anna.b@one.test", "Winter");
    add(db, "bo@one.test", "");
    add(db, "ann@two.test", "Ann Other");
    struct account_id off = add(db, "annoff@one.test", "Ann Off");
    cr_assert_eq(account_set_status(db, off, ACCOUNT_DISABLED, &changes), ERR_OK);
}

Test(directory, finds_people_of_the_domains)
{
    struct db *outer = rig_open(), *db = rig_open_scratch(outer, "directory");
    struct arena *arena = arena_open();
    fill(db);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct slice domains[2];
        size_t domain_count = 0, count;
        struct person *people;
        struct buf out = { 0 };
        for (; domain_count < 2 && rows[i].domains[domain_count]; domain_count++)
            domains[domain_count] = slice_of(rows[i].domains[domain_count]);
        cr_assert_eq(directory_find(db, arena, domains, domain_count, slice_of(rows[i].text), 100, &people, &count),
                     ERR_OK);
        show(people, count, &out);
        cr_expect(slice_eq(buf_slice(&out), slice_of(rows[i].found)), "%s: %.*s", rows[i].text,
                  SLICE_ARG(buf_slice(&out)));
        buf_free(&out);
    }
    struct slice one = SLICE_LIT("one.test");
    struct person *people, person;
    size_t count;
    cr_assert_eq(directory_find(db, arena, &one, 1, SLICE_LIT("ann"), 1, &people, &count), ERR_OK);
    cr_expect_eq(count, 1, "the limit");
    cr_assert_eq(directory_get(db, arena, &one, 1, SLICE_LIT("Ann@One.test"), &person), ERR_OK);
    cr_expect_str_eq(person.name, "Ann Lee");
    cr_expect_eq(directory_get(db, arena, &one, 1, SLICE_LIT("ann@two.test"), &person), ERR_NOT_FOUND,
                 "another domain");
    cr_expect_eq(directory_get(db, arena, &one, 1, SLICE_LIT("annoff@one.test"), &person), ERR_NOT_FOUND, "disabled");
    arena_close(&arena);
    db_close(&db);
    rig_drop_scratch(outer, "directory");
    db_close(&outer);
}

Test(directory, names)
{
    struct db *db = rig_open();
    struct account_id id = rig_account(db);
    char text[DIRECTORY_NAME_MAX + 1];
    memset(text, 'x', sizeof text);
    cr_expect_eq(directory_set_name(db, id, slice_make(text, DIRECTORY_NAME_MAX)), ERR_OK);
    cr_expect_eq(directory_set_name(db, id, slice_make(text, sizeof text)), ERR_SYNTAX);
    cr_expect_eq(directory_set_name(db, id, SLICE_LIT("a\nb")), ERR_SYNTAX);
    cr_expect_eq(directory_set_name(db, id, SLICE_LIT("\xff")), ERR_SYNTAX, "no UTF-8");
    cr_expect_eq(directory_set_name(db, (struct account_id){ 987654321 }, SLICE_LIT("x")), ERR_NOT_FOUND);
    db_close(&db);
}
