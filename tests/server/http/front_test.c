#include "tests/server/http/fixture.h"

#include <sys/resource.h>

#define UPLOAD_MAX (32u << 20)
#define STREAM_BYTES (50u << 20)

static struct world world;
static sem_t running, released, ended, dropped;
static atomic_uint_fast64_t produced;
static atomic_uint bodies; // how many requests reached `run`

/* ---- the app ---- */

static bool path_is(const struct http_request *req, const char *path)
{
    return slice_eq(http_path(req), slice_of(path));
}

static enum http_head_result on_head(struct http_request *req, struct worker *worker)
{
    http_set_data(req, req);
    if (path_is(req, "/t/refuse")) {
        http_answer(req, 401, NULL, NULL);
        return HTTP_ANSWERED;
    }
    if (path_is(req, "/t/upload"))
        http_set_body_max(req, UPLOAD_MAX);
    if (!path_is(req, "/t/gate"))
        return HTTP_READ_BODY;
    if (!worker)
        return HTTP_NEED_WORKER;
    http_set_body_max(req, UPLOAD_MAX);
    sem_post(&running);
    EXPECT_EVENT(&released);
    if (slice_eq(http_header(req, "X-Let"), SLICE_LIT("in")))
        return HTTP_READ_BODY;
    http_answer(req, 403, NULL, NULL);
    return HTTP_ANSWERED;
}

static enum err stream_piece(void *ctx, struct worker *worker, uint64_t offset, struct buf *out)
{
    (void)worker;
    uint64_t size = *(uint64_t *)ctx, n = size - offset < 200000 ? size - offset : 200000;
    if (size == 13)
        return ERR_UNAVAILABLE;
    char *to = buf_reserve(out, n);
    for (uint64_t i = 0; i < n; i++)
        to[i] = (char)((offset + i) % 251);
    buf_commit(out, n);
    if (atomic_fetch_add(&produced, n) + n == size)
        sem_post(&ended);
    return ERR_OK;
}

static void run_until_cancelled(struct http_request *req)
{
    sem_post(&running);
    while (!http_cancelled(req))
        sched_yield();
    http_answer(req, 200, NULL, NULL);
    sem_post(&ended);
}

static void on_run(struct http_request *req, struct worker *worker)
{
    (void)worker;
    struct buf out = { 0 };
    cr_assert_eq(http_data(req), req);
    atomic_fetch_add(&bodies, 1);
    if (path_is(req, "/t/stream")) {
        uint64_t *size = malloc(sizeof *size);
        slice_to_u64(http_query_arg(req, "size"), UINT64_MAX, size);
        http_answer_stream(req, 200, "application/octet-stream", *size, stream_piece, free, size);
        return;
    }
    if (path_is(req, "/t/hang")) {
        run_until_cancelled(req);
        return;
    }
    if (path_is(req, "/t/nothing"))
        return;
    if (path_is(req, "/t/say")) {
        buf_printf(&out, "%.*s|%.*s|%.*s|%s|%d", SLICE_ARG(http_method(req)),
                   SLICE_ARG(http_query(req)), SLICE_ARG(http_query_arg(req, "a")), http_peer(req),
                   http_peer_is_secure(req));
        http_answer_header(req, "X-Said", "yes");
    } else {
        buf_add(&out, http_body(req));
    }
    http_answer(req, 200, "text/plain", &out);
}

static struct account_id on_account(struct http_request *req, bool *writes)
{
    *writes = path_is(req, "/t/upload");
    return (struct account_id){ 7 };
}

static void on_dropped(struct http_request *req)
{
    cr_assert_eq(http_data(req), req);
    sem_post(&dropped);
}

static const struct http_app app = {
    .path = "/t",
    .prefix = true,
    .head = on_head,
    .run = on_run,
    .account = on_account,
    .dropped = on_dropped,
};

static void open_world(struct http_front_settings settings)
{
    sem_init(&running, 0, 0);
    sem_init(&released, 0, 0);
    sem_init(&ended, 0, 0);
    sem_init(&dropped, 0, 0);
    atomic_store(&bodies, 0);
    atomic_store(&produced, 0);
    world_open(&world, &app, settings);
}

static void set_up(void)
{
    open_world((struct http_front_settings){ .active_max = 64 });
}

static void tear_down(void)
{
    world_close(&world);
}

TestSuite(front, .init = set_up, .fini = tear_down, .timeout = 240);

/* ---- answers ---- */

static const struct {
    const char *name, *request;
    int status;
    const char *body; // NULL: any
    bool closes;
} rows[] = {
    { "GET", "GET /t/say?a=b%20c&x HTTP/1.1\r\nHost: h\r\n\r\n", 200,
      "GET|a=b%20c&x|b c|127.0.0.1|1", false },
    { "path without case", "GET /T/say HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, false },
    { "encoded path", "GET /t%2fsay HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, false },
    { "absolute form", "GET http://h/t/say HTTP/1.1\r\nHost: h\r\n\r\n", 200, NULL, false },
    { "unknown proxy on loopback",
      "GET /t/say HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", 200,
      "GET|||127.0.0.1|0", false },
    { "POST", "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 200, "hello",
      false },
    { "POST of nothing", "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 200, "",
      false },
    { "chunked",
      "POST /t/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
      200, "abcde", false },
    { "other path", "GET /other HTTP/1.1\r\nHost: h\r\n\r\n", 404, NULL, false },
    { "longer word, not below", "GET /tt HTTP/1.1\r\nHost: h\r\n\r\n", 404, NULL, false },
    { "TRACE", "TRACE /t HTTP/1.1\r\nHost: h\r\n\r\n", 501, NULL, false },
    { "no Host", "GET /t HTTP/1.1\r\n\r\n", 400, NULL, false },
    { "no HTTP", "EHLO example.test\r\n\r\n", 400, NULL, true },
    { "HTTP/1.0", "GET /t/say HTTP/1.0\r\n\r\n", 200, NULL, true },
    { "asked to close", "GET /t/say HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200, NULL,
      true },
    { "too long, announced", "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n",
      413, NULL, true },
    { "refused from the head",
      "POST /t/refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", 401, "", true },
    { "refused without body", "GET /t/refuse HTTP/1.1\r\nHost: h\r\n\r\n", 401, "", false },
    { "refused, Expect",
      "POST /t/refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
      401, "", true },
    { "app without an answer", "GET /t/nothing HTTP/1.1\r\nHost: h\r\n\r\n", 500, NULL, false },
};

static void ask_rows(bool tls)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guest guest = guest_open(&world, tls);
        struct reply reply;
        guest_send(&guest, rows[i].request);
        guest_answer(&guest, &reply);
        cr_expect_eq(reply.status, rows[i].status, "%s: %d", rows[i].name, reply.status);
        bool secure = tls && rows[i].body && strstr(rows[i].body, "|0"); // is so by its own TLS
        if (rows[i].body && !secure)
            cr_expect(slice_eq(buf_slice(&reply.body), slice_of(rows[i].body)), "%s: '%.*s'",
                      rows[i].name, SLICE_ARG(buf_slice(&reply.body)));
        reply_free(&reply);
        if (rows[i].closes) {
            cr_expect(guest_at_end(&guest), "%s", rows[i].name);
        } else {
            guest_send(&guest, "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n");
            guest_expect(&guest, 200, NULL);
        }
        guest_close(&guest);
    }
}

Test(front, answers_plain)
{
    ask_rows(false);
}

Test(front, answers_tls)
{
    ask_rows(true);
}

Test(front, head_has_no_body)
{
    struct guest guest = guest_open(&world, false);
    struct reply reply;
    guest_send(&guest, "HEAD /t/stream?size=1000000 HTTP/1.1\r\nHost: h\r\n\r\nGET /t/say "
                       "HTTP/1.1\r\nHost: h\r\n\r\n");
    guest_head(&guest, &reply);
    cr_expect(slice_eq(reply_header(&reply, "Content-Length"), SLICE_LIT("1000000")));
    reply_free(&reply);
    guest_answer(&guest, &reply);
    cr_expect_eq(reply.status, 200);
    cr_expect(slice_eq(reply_header(&reply, "X-Said"), SLICE_LIT("yes")));
    reply_free(&reply);
    guest_close(&guest);
}

Test(front, pipelined_requests_are_answered_in_order)
{
    struct guest guest = guest_open(&world, false);
    struct buf all = { 0 };
    for (int i = 0; i < 50; i++) {
        buf_printf(&all, "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n%03d", i);
        buf_printf(&all,
                   "POST /t/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\n%03d\r\n0\r\n\r\n",
                   i + 100);
    }
    guest_send_bytes(&guest, buf_slice(&all));
    for (int i = 0; i < 50; i++) {
        char text[16];
        snprintf(text, sizeof text, "%03d", i);
        guest_expect(&guest, 200, text);
        snprintf(text, sizeof text, "%03d", i + 100);
        guest_expect(&guest, 200, text);
    }
    buf_free(&all);
    guest_close(&guest);
}

Test(front, expect_100_continue)
{
    struct guest guest = guest_open(&world, true);
    struct reply reply;
    guest_send(
        &guest,
        "POST /t/echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    guest_head(&guest, &reply);
    cr_assert_eq(reply.status, 100);
    reply_free(&reply);
    guest_send(&guest, "body");
    guest_expect(&guest, 200, "body");
    guest_close(&guest);
}

Test(front, head_beyond_any_limit)
{
    struct guest guest = guest_open(&world, false);
    struct buf head = { 0 };
    buf_add_text(&head, "GET /t/say HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 4000; i++)
        buf_printf(&head, "X-Header-%d: some words of text\r\n", i);
    guest_send_bytes(&guest, buf_slice(&head));
    guest_expect(&guest, 431, NULL);
    cr_expect(guest_at_end(&guest));
    buf_free(&head);
    guest_close(&guest);
}

/* ---- bodies ---- */

static void echo_big(bool tls, bool chunked)
{
    size_t size = 8u << 20;
    char *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 2654435761u >> 24);
    struct guest guest = guest_open(&world, tls);
    struct buf head = { 0 };
    buf_add_text(&head, "POST /t/upload HTTP/1.1\r\nHost: h\r\n");
    if (chunked)
        buf_printf(&head, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", size);
    else
        buf_printf(&head, "Content-Length: %zu\r\n\r\n", size);
    guest_send_bytes(&guest, buf_slice(&head));
    guest_send_bytes(&guest, slice_make(body, size));
    if (chunked)
        guest_send(&guest, "\r\n0\r\n\r\n");
    struct reply reply;
    guest_answer(&guest, &reply);
    cr_assert_eq(reply.status, 200);
    cr_assert(slice_eq(buf_slice(&reply.body), slice_make(body, size)));
    reply_free(&reply);
    buf_free(&head);
    free(body);
    guest_close(&guest);
}

Test(front, big_bodies)
{
    echo_big(false, false);
    echo_big(false, true);
    echo_big(true, false);
}

/* The client keeps sending and must still be able to read why it is refused. */
Test(front, chunked_body_over_the_limit)
{
    struct guest guest = guest_open(&world, false);
    char *chunk = malloc(60000);
    memset(chunk, 'x', 60000);
    guest_send(&guest, "POST /t/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 10; i++) {
        guest_send(&guest, "ea60\r\n");
        guest_send_bytes(&guest, slice_make(chunk, 60000));
        guest_send(&guest, "\r\n");
    }
    guest_expect(&guest, 413, NULL);
    cr_expect(guest_at_end(&guest));
    free(chunk);
    guest_close(&guest);
}

/* Hard case: authenticate from the headers before the body is read. */
Test(front, body_waits_for_the_head)
{
    struct guest guest = guest_open(&world, false);
    int small = 65536;
    setsockopt(guest.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    guest_send(&guest, "POST /t/gate HTTP/1.1\r\nHost: h\r\nContent-Length: 33554432\r\n\r\n");
    EXPECT_EVENT(&running);
    char *bytes = calloc(1, 65536);
    size_t sent = 0;
    ssize_t n;
    struct timeval limit = { .tv_usec = 200000 };
    setsockopt(guest.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    while (sent < UPLOAD_MAX && (n = send(guest.fd, bytes, 65536, MSG_NOSIGNAL)) > 0)
        sent += (size_t)n;
    cr_expect_lt(sent, UPLOAD_MAX / 2, "%zu bytes were taken before the head was judged", sent);
    sem_post(&released);
    guest_expect(&guest, 403, "");
    cr_expect_eq(atomic_load(&bodies), 0);
    free(bytes);
    guest_close(&guest);
}

Test(front, head_on_a_worker_lets_in)
{
    struct guest guest = guest_open(&world, true);
    for (int i = 0; i < 3; i++) {
        guest_send(&guest,
                   "POST /t/gate HTTP/1.1\r\nHost: h\r\nX-Let: in\r\nContent-Length: 2\r\n\r\nok");
        EXPECT_EVENT(&running);
        sem_post(&released);
        guest_expect(&guest, 200, "ok");
    }
    guest_close(&guest);
}

/* ---- long answers ---- */

static void read_stream(struct guest *guest, uint64_t size)
{
    struct reply reply;
    guest_head(guest, &reply);
    cr_assert_eq(reply.status, 200);
    reply_free(&reply);
    for (uint64_t at = 0; at < size;) {
        if (buf_len(&guest->in) == 0)
            cr_assert(guest_more(guest), "closed at %llu", (unsigned long long)at);
        struct slice got = buf_slice(&guest->in);
        size_t n = got.len < size - at ? got.len : (size_t)(size - at);
        for (size_t i = 0; i < n; i += 997)
            cr_assert_eq(got.at[i], (char)((at + i) % 251));
        buf_consume(&guest->in, n);
        at += n;
    }
}

Test(front, stream_waits_for_a_slow_client)
{
    for (int tls = 0; tls < 2; tls++) {
        atomic_store(&produced, 0);
        struct guest guest = guest_open(&world, tls);
        guest_send(&guest, "GET /t/stream?size=52428800 HTTP/1.1\r\nHost: h\r\n\r\n");
        cr_expect_not(wait_for(&ended, 500), "50 MB were made for a client that reads nothing");
        cr_expect_lt(atomic_load(&produced), STREAM_BYTES / 2);
        read_stream(&guest, STREAM_BYTES);
        guest_send(&guest, "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n");
        guest_expect(&guest, 200, NULL);
        guest_close(&guest);
        EXPECT_EVENT(&ended);
    }
}

Test(front, stream_that_fails_closes)
{
    struct guest guest = guest_open(&world, false);
    struct reply reply;
    guest_send(&guest, "GET /t/stream?size=13 HTTP/1.1\r\nHost: h\r\n\r\n");
    guest_head(&guest, &reply);
    cr_expect(guest_at_end(&guest));
    reply_free(&reply);
    guest_close(&guest);
}

Test(front, stream_of_nothing)
{
    struct guest guest = guest_open(&world, false);
    guest_send(&guest, "GET /t/stream?size=0 HTTP/1.1\r\nHost: h\r\n\r\n");
    guest_expect(&guest, 200, "");
    guest_close(&guest);
}

/* ---- clients that go ---- */

Test(front, vanished_client_cancels_its_job)
{
    for (int how = 0; how < 3; how++) {
        struct guest guest = guest_open(&world, how == 2);
        guest_send(&guest, "GET /t/hang HTTP/1.1\r\nHost: h\r\n\r\n");
        EXPECT_EVENT(&running);
        if (how == 1)
            guest_reset(&guest);
        else
            guest_close(&guest);
        EXPECT_EVENT(&ended);
        EXPECT_EVENT(&dropped);
    }
}

Test(front, vanished_client_ends_its_stream)
{
    struct guest guest = guest_open(&world, false);
    guest_send(&guest, "GET /t/stream?size=52428800 HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert(guest_more(&guest));
    guest_close(&guest);
    EXPECT_EVENT(&dropped);
    cr_expect_lt(atomic_load(&produced), STREAM_BYTES);
}

Test(front, vanished_client_ends_its_upload)
{
    struct guest guest = guest_open(&world, false);
    guest_send(&guest,
               "POST /t/gate HTTP/1.1\r\nHost: h\r\nX-Let: in\r\nContent-Length: 1000\r\n\r\nhalf");
    EXPECT_EVENT(&running);
    sem_post(&released);
    guest_send(&guest, "and a little more");
    guest_close(&guest);
    EXPECT_EVENT(&dropped);
    cr_expect_eq(atomic_load(&bodies), 0);
}

/* ---- limits ---- */

#define CROWD 300

Test(front_limits, further_clients_wait_unread, .timeout = 240)
{
    open_world((struct http_front_settings){ .active_max = 3, .pair_idle_s = 3600 });
    struct guest *crowd = calloc(CROWD, sizeof *crowd);
    for (int i = 0; i < CROWD; i++)
        crowd[i] = guest_open(&world, i % 3 == 0);
    // Idle pairs of the first round must make way in the second and third.
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CROWD; i++)
            guest_send(&crowd[i],
                       "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
        struct http_stats stats;
        http_front_stats(world.front, &stats);
        cr_expect_leq(stats.active, 6);
        for (int i = 0; i < CROWD; i++)
            guest_expect(&crowd[i], 200, "hi");
    }
    for (int i = 0; i < CROWD; i++)
        guest_close(&crowd[i]);
    free(crowd);
    world_close(&world);
}

/* Polls without a pause: the front has nobody to tell that a pair is gone. */
static void wait_for_active(uint64_t active)
{
    struct http_stats stats;
    time_t until = time(NULL) + WAIT_S;
    do {
        http_front_stats(world.front, &stats);
        cr_assert_lt(time(NULL), until);
        sched_yield();
    } while (stats.active != active);
}

Test(front_limits, idle_client_keeps_its_connection_but_no_pair, .timeout = 240)
{
    open_world((struct http_front_settings){ .pair_idle_s = 1 });
    for (int tls = 0; tls < 2; tls++) {
        struct guest guest = guest_open(&world, tls);
        for (int i = 0; i < 2; i++) {
            guest_send(&guest, "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n");
            guest_expect(&guest, 200, NULL);
            wait_for_active(0);
        }
        guest_close(&guest);
    }
    world_close(&world);
}

#define FEW_DESCRIPTORS 160

/* The front shares out what there is when it opens; the test's own clients come on top. */
Test(front_limits, few_descriptors_lose_nobody, .timeout = 240)
{
    struct rlimit limit;
    struct http_stats stats;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = FEW_DESCRIPTORS;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    set_up();
    limit.rlim_cur = before;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

    struct guest *crowd = calloc(CROWD, sizeof *crowd);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = guest_open(&world, false);
        guest_send(&crowd[i], "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    for (int i = 0; i < CROWD; i++) {
        guest_expect(&crowd[i], 200, NULL);
        http_front_stats(world.front, &stats);
        cr_assert_lt(stats.clients + 2 * stats.active, FEW_DESCRIPTORS);
        guest_close(&crowd[i]);
    }
    free(crowd);
    world_close(&world);
}

static const struct {
    const char *name, *request;
    int status; // 0: closed without an answer
} slow_rows[] = {
    { "half a head", "GET /t/say HTTP/1.1\r\nHost:", 408 },
    { "half a body", "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345", 408 },
    { "half a chunk",
      "POST /t/echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12", 408 },
    { "nothing after an answer", "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n", 200 },
    { "takes no answer", "GET /t/stream?size=52428800 HTTP/1.1\r\nHost: h\r\n\r\n", 0 },
};

Test(front_limits, slow_clients_are_dropped, .timeout = 240)
{
    open_world((struct http_front_settings){
        .first_s = 1, .head_max_s = 1, .window_s = 1, .idle_s = 1, .pair_idle_s = 1 });
    for (size_t i = 0; i < sizeof slow_rows / sizeof *slow_rows; i++) {
        struct guest guest = guest_open(&world, false);
        guest_send(&guest, slow_rows[i].request);
        if (slow_rows[i].status) {
            guest_expect(&guest, slow_rows[i].status, NULL);
            cr_expect(guest_at_end(&guest), "%s", slow_rows[i].name);
        } else {
            for (int k = 0; k < 3; k++)
                EXPECT_EVENT(&dropped); // of the rows before
            EXPECT_EVENT(&dropped);
        }
        guest_close(&guest);
    }
    world_close(&world);
}

/* Polls without a pause: the front has nobody to tell that a client is gone. */
static void wait_for_no_client(const char *name)
{
    struct http_stats stats;
    time_t until = time(NULL) + WAIT_S;
    do {
        http_front_stats(world.front, &stats);
        cr_assert_lt(time(NULL), until, "%s", name);
        sched_yield();
    } while (stats.clients);
}

static const struct {
    const char *name, *request;
    bool tls;
    int status; // 0: no answer
} silent_rows[] = {
    { "says nothing", "", false, 0 },
    { "says nothing behind the handshake", "", true, 0 },
    { "refused, and neither sends nor closes", "POST /t/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\nx", false,
      413 },
};

Test(front_limits, silent_clients_are_dropped, .timeout = 240)
{
    open_world((struct http_front_settings){ .first_s = 1, .linger_s = 1 });
    for (size_t i = 0; i < sizeof silent_rows / sizeof *silent_rows; i++) {
        struct guest guest = guest_open(&world, silent_rows[i].tls);
        guest_send(&guest, silent_rows[i].request);
        if (silent_rows[i].status)
            guest_expect(&guest, silent_rows[i].status, NULL);
        cr_expect(guest_at_end(&guest), "%s", silent_rows[i].name);
        wait_for_no_client(silent_rows[i].name);
        guest_close(&guest);
    }
    world_close(&world);
}

/* BODY_MAX_DEFAULT where the app says nothing else, http_set_body_max where it does. */
static const struct {
    const char *path;
    size_t size;
    int status;
} body_rows[] = {
    { "/t/echo", 65536, 200 }, { "/t/echo", 65537, 413 }, { "/t/upload", UPLOAD_MAX, 200 }, { "/t/upload", UPLOAD_MAX + 1, 413 },
};

Test(front, bodies_up_to_the_limit)
{
    char *body = calloc(1, UPLOAD_MAX + 1);
    for (size_t i = 0; i < sizeof body_rows / sizeof *body_rows; i++) {
        struct guest guest = guest_open(&world, false);
        char head[128];
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n", body_rows[i].path,
                 body_rows[i].size);
        guest_send(&guest, head);
        if (body_rows[i].status == 200) // a refusal comes before the body
            guest_send_bytes(&guest, slice_make(body, body_rows[i].size));
        guest_expect(&guest, body_rows[i].status, NULL);
        guest_close(&guest);
    }
    free(body);
}

Test(front_limits, stop_lets_active_requests_finish, .timeout = 240)
{
    set_up();
    struct guest guest = guest_open(&world, false), idle = guest_open(&world, false);
    guest_send(&idle, "GET /t/say HTTP/1.1\r\nHost: h\r\n\r\n");
    guest_expect(&idle, 200, NULL);
    guest_send(&guest,
               "POST /t/gate HTTP/1.1\r\nHost: h\r\nX-Let: in\r\nContent-Length: 2\r\n\r\nok");
    EXPECT_EVENT(&running);
    http_front_stop(world.front);
    cr_expect(guest_at_end(&idle));
    sem_post(&released);
    struct reply reply;
    guest_answer(&guest, &reply);
    cr_expect_eq(reply.status, 200);
    cr_expect(slice_eq(reply_header(&reply, "Connection"), SLICE_LIT("close")));
    cr_expect(guest_at_end(&guest));
    reply_free(&reply);
    guest_close(&guest);
    guest_close(&idle);
    world_close(&world);
}

Test(front_limits, close_cancels_what_does_not_end, .timeout = 240)
{
    set_up();
    struct guest guest = guest_open(&world, false);
    guest_send(&guest, "GET /t/hang HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EVENT(&running);
    http_front_close(&world.front, 10);
    EXPECT_EVENT(&ended);
    EXPECT_EVENT(&dropped);
    cr_expect(guest_at_end(&guest));
    guest_close(&guest);
    world_close(&world);
}
