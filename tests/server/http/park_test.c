#include "server/http/front_internal.h"
#include "tests/server/http/fixture.h"

/* A waiting client costs this and a slot (16 bytes). */
_Static_assert(sizeof(struct http_client) + sizeof(struct http_park) <= 320,
               "parked clients are many");

#define MANY 300 // crosses the 128 events at which libmicrohttpd's own thread would stall

struct wait {
    struct park_id id;
    int number;
};

static struct world world;
static sem_t parked, timed_out, freed, dropped, rerun;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct park_id ids[MANY]; // guarded by lock
static atomic_int park_count;

/* ---- the app: parks, named by ?n= ---- */

static void answer_text(struct http_park *park, const char *text)
{
    http_unpark(park, 200, "text/plain", SLICE_LIT("X-Woken: yes\r\n"), slice_of(text));
}

static void on_parked(struct http_park *park, void *ctx)
{
    struct wait *wait = ctx;
    wait->id = park_id(park);
    pthread_mutex_lock(&lock);
    ids[wait->number] = wait->id;
    pthread_mutex_unlock(&lock);
    cr_assert_eq(park_find(wait->id), park);
    cr_assert_eq(park_loop(park), wait->id.loop);
    if (wait->number == 99) // news while it registered
        answer_text(park, "at once");
    sem_post(&parked);
}

static void on_ended(struct http_park *park, void *ctx, enum park_end why)
{
    (void)ctx;
    cr_assert_eq(why, PARK_TIMEOUT);
    answer_text(park, "heartbeat");
    sem_post(&timed_out);
}

static void on_freed(void *ctx)
{
    struct wait *wait = ctx;
    cr_assert_null(wait->id.loop ? park_find(wait->id) : NULL);
    free(wait);
    sem_post(&freed);
}

static const struct park_ops ops = { on_parked, on_ended, on_freed };

static void on_run(struct http_request *req, struct worker *worker);

static void on_dropped(struct http_request *req)
{
    (void)req;
    sem_post(&dropped);
}

static enum http_head_result on_head(struct http_request *req, struct worker *worker)
{
    (void)worker;
    http_set_data(req, &world);
    return HTTP_READ_BODY;
}

static const struct http_app app = {
    .path = "/p",
    .prefix = true,
    .head = on_head,
    .run = on_run,
    .dropped = on_dropped,
};

static enum err stream_piece(void *ctx, struct worker *worker, uint64_t offset, struct buf *out)
{
    (void)ctx;
    (void)worker;
    buf_add(out, slice_tail(SLICE_LIT("0123456789"), offset));
    buf_truncate(out, buf_len(out) > offset + 3 ? offset + 3 : buf_len(out));
    return ERR_OK;
}

static void run_again(struct http_request *req)
{
    struct buf out = { 0 };
    cr_assert_eq(http_data(req), &world);
    if (slice_eq(http_query_arg(req, "then"), SLICE_LIT("stream"))) {
        http_answer_stream(req, 200, NULL, 10, stream_piece, NULL, NULL);
    } else {
        http_answer_header(req, "X-Again", "yes");
        buf_printf(&out, "%.*s %.*s", SLICE_ARG(http_header(req, "X-Mine")),
                   SLICE_ARG(http_body(req)));
        http_answer(req, 200, "text/plain", &out);
    }
    sem_post(&rerun);
}

static void on_run(struct http_request *req, struct worker *worker)
{
    (void)worker;
    uint64_t number = 0, heartbeat_s = 3000;
    if (slice_eq(http_path(req), SLICE_LIT("/p/now"))) {
        http_answer(req, 200, NULL, NULL);
        return;
    }
    bool twice = slice_eq(http_query_arg(req, "then"), SLICE_LIT("park")) &&
                 atomic_fetch_add(&park_count, 1) < 2;
    if (http_is_rerun(req) && !twice) {
        run_again(req);
        return;
    }
    slice_to_u64(http_query_arg(req, "n"), MANY - 1, &number);
    slice_to_u64(http_query_arg(req, "hb"), 3000, &heartbeat_s);
    if (http_query_arg(req, "then").at)
        http_keep_request(req);
    struct wait *wait = calloc(1, sizeof *wait);
    wait->number = (int)number;
    http_park(req, &ops, wait, (uint32_t)heartbeat_s);
}

static void set_up(void)
{
    sem_init(&parked, 0, 0);
    sem_init(&timed_out, 0, 0);
    sem_init(&freed, 0, 0);
    sem_init(&dropped, 0, 0);
    sem_init(&rerun, 0, 0);
    world_open(&world, &app, (struct http_front_settings){ .active_max = 64 });
}

static void tear_down(void)
{
    world_close(&world);
}

TestSuite(park, .init = set_up, .fini = tear_down, .timeout = 240);

/* ---- waking from outside ---- */

struct call {
    struct park_id id;
    const char *text; // NULL: run again
};

static void wake_here(void *ctx)
{
    struct call *call = ctx;
    struct http_park *park = park_find(call->id);
    if (park && call->text)
        answer_text(park, call->text);
    else if (park)
        http_unpark_rerun(park);
    free(call);
}

static void wake(int number, const char *text)
{
    struct call *call = malloc(sizeof *call);
    pthread_mutex_lock(&lock);
    *call = (struct call){ ids[number], text };
    pthread_mutex_unlock(&lock);
    loop_call(call->id.loop, wake_here, call);
}

static void ping(struct guest *guest, int number, const char *more)
{
    char text[256];
    snprintf(text, sizeof text,
             "POST /p?n=%d%s HTTP/1.1\r\nHost: h\r\nX-Mine: %d\r\nContent-Length: 4\r\n\r\nbody",
             number, more, number);
    guest_send(guest, text);
}

/* ---- tests ---- */

Test(park, woken_again_and_again)
{
    for (int tls = 0; tls < 2; tls++) {
        struct guest guest = guest_open(&world, tls);
        for (int i = 0; i < 3; i++) {
            ping(&guest, 1, "");
            EXPECT_EVENT(&parked);
            EXPECT_EVENT(&dropped); // nothing of the request stays
            struct http_stats stats;
            http_front_stats(world.front, &stats);
            cr_expect_eq(stats.parked, 1);
            wake(1, "news");
            guest_expect(&guest, 200, "news");
            EXPECT_EVENT(&freed);
        }
        guest_close(&guest);
    }
}

Test(park, bytes_behind_a_waiting_request_are_kept)
{
    for (int tls = 0; tls < 2; tls++) {
        struct guest guest = guest_open(&world, tls);
        guest_send(&guest, "POST /p?n=2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
                           "GET /other HTTP/1.1\r\nHost: h\r\n\r\nGET /p/now HT");
        EXPECT_EVENT(&parked);
        guest_send(&guest, "TP/1.1\r\nHost: h\r\n\r\n");
        wake(2, "news");
        guest_expect(&guest, 200, "news");
        guest_expect(&guest, 404, NULL);
        guest_expect(&guest, 200, "");
        guest_close(&guest);
    }
}

Test(park, answers_before_a_waiting_request_go_out)
{
    struct guest guest = guest_open(&world, false);
    guest_send(
        &guest,
        "GET /other HTTP/1.1\r\nHost: h\r\n\r\n"
        "POST /p?n=2 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody");
    guest_expect(&guest, 404, NULL);
    guest_expect(&guest, 100, NULL);
    EXPECT_EVENT(&parked);
    wake(2, "news");
    guest_expect(&guest, 200, "news");
    guest_close(&guest);
}

Test(park, news_while_it_parks)
{
    struct guest guest = guest_open(&world, false);
    for (int i = 0; i < 3; i++) {
        ping(&guest, 99, "");
        guest_expect(&guest, 200, "at once");
        EXPECT_EVENT(&freed);
    }
    guest_close(&guest);
}

Test(park, heartbeat_ends)
{
    struct guest guest = guest_open(&world, false);
    ping(&guest, 3, "&hb=1");
    guest_expect(&guest, 200, "heartbeat");
    EXPECT_EVENT(&timed_out);
    EXPECT_EVENT(&freed);
    ping(&guest, 3, "&hb=1");
    guest_expect(&guest, 200, "heartbeat");
    guest_close(&guest);
}

Test(park, clients_that_asked_to_close_are_closed)
{
    struct guest guest = guest_open(&world, false);
    guest_send(&guest, "GET /p?n=4 HTTP/1.0\r\n\r\n");
    EXPECT_EVENT(&parked);
    wake(4, "news");
    guest_expect(&guest, 200, "news");
    cr_expect(guest_at_end(&guest));
    guest_close(&guest);
}

Test(park, many_at_once)
{
    struct guest *guests = calloc(MANY, sizeof *guests);
    for (int i = 0; i < MANY; i++)
        guests[i] = guest_open(&world, i % 10 == 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++)
            if (i != 99)
                ping(&guests[i], i, "");
        for (int i = 1; i < MANY; i++)
            EXPECT_EVENT(&parked);
        for (int i = 0; i < MANY; i++)
            if (i != 99)
                wake(i, "news");
        for (int i = 0; i < MANY; i++)
            if (i != 99)
                guest_expect(&guests[i], 200, "news");
        for (int i = 1; i < MANY; i++)
            EXPECT_EVENT(&freed);
    }
    for (int i = 0; i < MANY; i++)
        guest_close(&guests[i]);
    free(guests);
}

static const struct {
    const char *name;
    bool tls, reset, unread;
} goodbyes[] = {
    { "end", false, false, false },
    { "reset", false, true, false },
    { "end, TLS", true, false, false },
    { "end with unread bytes", false, false, true },
    { "reset with unread bytes", false, true, true },
    { "end with unread bytes, TLS", true, false, true },
};

Test(park, client_that_goes_is_freed_at_once)
{
    for (size_t i = 0; i < sizeof goodbyes / sizeof *goodbyes; i++) {
        struct guest guest = guest_open(&world, goodbyes[i].tls);
        ping(&guest, 5, "");
        EXPECT_EVENT(&parked);
        if (goodbyes[i].unread)
            guest_send(&guest, "GET /p/now HTTP/1.1\r\n");
        if (goodbyes[i].reset)
            guest_reset(&guest);
        else
            guest_close(&guest);
        cr_assert(wait_for(&freed, WAIT_S * 1000), "%s", goodbyes[i].name);
        wake(5, "nobody is there"); // a stale id finds nothing
    }
    struct guest guest = guest_open(&world, false);
    ping(&guest, 6, "");
    EXPECT_EVENT(&parked);
    wake(5, "wrong park");
    wake(6, "right park");
    guest_expect(&guest, 200, "right park");
    guest_close(&guest);
}

static const struct {
    const char *more, *body;
    int wakes;
} reruns[] = {
    { "&then=answer", "7 body", 1 },
    { "&then=stream", "0123456789", 1 },
    { "&then=park", "7 body", 2 },
};

Test(park, request_runs_again)
{
    for (size_t i = 0; i < sizeof reruns / sizeof *reruns; i++) {
        struct guest guest = guest_open(&world, i == 1);
        ping(&guest, 7, reruns[i].more);
        for (int k = 0; k < reruns[i].wakes; k++) {
            EXPECT_EVENT(&parked);
            wake(7, NULL);
            EXPECT_EVENT(&freed);
        }
        guest_expect(&guest, 200, reruns[i].body);
        EXPECT_EVENT(&rerun);
        EXPECT_EVENT(&dropped);
        cr_expect_not(wait_for(&dropped, 0), "dropped twice");
        guest_send(&guest, "GET /p/now HTTP/1.1\r\nHost: h\r\n\r\n");
        guest_expect(&guest, 200, "");
        EXPECT_EVENT(&dropped);
        guest_close(&guest);
    }
}

Test(park_stop, parked_clients_are_sent_away_spread_over_a_minute, .timeout = 240)
{
    set_up();
    struct guest guests[60];
    bool seen[61] = { false };
    int different = 0;
    for (int i = 0; i < 60; i++) {
        guests[i] = guest_open(&world, i % 7 == 0);
        ping(&guests[i], i, i % 2 ? "" : "&then=answer");
        EXPECT_EVENT(&parked);
    }
    http_front_stop(world.front);
    for (int i = 0; i < 60; i++) {
        struct reply reply;
        uint64_t after = 0;
        guest_answer(&guests[i], &reply);
        cr_expect_eq(reply.status, 503);
        cr_assert(slice_to_u64(reply_header(&reply, "Retry-After"), 60, &after));
        cr_assert_geq(after, 1);
        different += !seen[after];
        seen[after] = true;
        cr_expect(guest_at_end(&guests[i]));
        reply_free(&reply);
        guest_close(&guests[i]);
        EXPECT_EVENT(&freed);
    }
    cr_expect_geq(different, 25, "only %d different times", different);
    world_close(&world);
}

Test(park_stop, close_with_parked_clients, .timeout = 240)
{
    set_up();
    struct guest guest = guest_open(&world, false);
    ping(&guest, 8, "&then=answer");
    EXPECT_EVENT(&parked);
    http_front_close(&world.front, 0);
    EXPECT_EVENT(&freed);
    EXPECT_EVENT(&dropped);
    guest_close(&guest);
    world_close(&world);
}
