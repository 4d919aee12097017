/* Runs Criterion tests without Criterion's own runner, whose shared arena and threads do not live with ThreadSanitizer:
 * linked into the test programs of the tsan build only, where it takes the place of the library's main and of what the
 * assertions call. A process per test, the same closing line. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak)), *__stop_cr_sts[] __attribute__((weak));

static const struct criterion_test *current;
static bool failed; // in the process of the test
static FILE *redirected;

static const struct criterion_suite *suite_of(const struct criterion_test *test)
{
    for (struct criterion_suite **suite = __start_cr_sts; suite != __stop_cr_sts; suite++)
        if (*suite && strcmp((*suite)->name, test->category) == 0)
            return *suite;
    return NULL;
}

static void call(void (*fn)(void))
{
    if (fn)
        fn();
}

void criterion_internal_test_setup(void)
{
    const struct criterion_suite *suite = suite_of(current);
    call(suite && suite->data ? suite->data->init : NULL);
    call(current->data->init);
}

void criterion_internal_test_main(void (*fn)(void))
{
    fn();
}

void criterion_internal_test_teardown(void)
{
    const struct criterion_suite *suite = suite_of(current);
    call(current->data->fini);
    call(suite && suite->data ? suite->data->fini : NULL);
}

void criterion_send_assert(struct criterion_assert_stats *stats)
{
    if (stats->passed)
        return;
    failed = true;
    fprintf(stderr, "%s:%u: %s/%s: %s\n", stats->file, stats->line, current->category, current->name, stats->message);
}

void criterion_continue_test(void)
{
}

void criterion_abort_test(void)
{
    exit(1);
}

void cri_asserts_passed_incr(void)
{
}

void cr_redirect_stderr(void)
{
    redirected = tmpfile();
    if (!redirected || dup2(fileno(redirected), STDERR_FILENO) < 0)
        exit(1);
}

FILE *cr_get_redirected_stderr(void)
{
    rewind(redirected);
    return redirected;
}

/* Exit codes: 0 passed, 1 failed, whatever a sanitizer's report ends the process with. */
static bool passes(const struct criterion_test *test)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        current = test;
        test->test();
        exit(failed);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && status == 0)
        return true;
    fprintf(stderr, "[FAIL] %s::%s: status %d\n", test->category, test->name, status);
    return false;
}

int main(void)
{
    size_t passed = 0, total = 0;
    for (struct criterion_test **test = __start_cr_tst; test != __stop_cr_tst; test++) {
        if (!*test)
            continue;
        total++;
        passed += passes(*test);
    }
    printf("Tested: %zu | Passing: %zu | Failing: %zu | Crashing: 0\n", total, passed, total - passed);
    return passed != total;
}
