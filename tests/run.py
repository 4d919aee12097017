#!/usr/bin/env python3
"""Runs the whole suite and ends with the counts: tests/run.py BUILD [--only WORD] [--jobs N] [--skip-e2e]

C tests are Criterion programs BUILD/tests/*_test; those of storage and races get a fresh database each. Fuzz targets
replay their corpora. tests/e2e/test_*.py start the real server. GODWIT_TEST_ADMIN_URL names the scratch cluster.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import secrets
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM_LIMIT_S = int(os.environ.get("GODWIT_PROGRAM_LIMIT_S", "900"))  # one test program may take so long


def psql(sql):
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", os.environ["GODWIT_TEST_ADMIN_URL"], "-c", sql], check=True)


def run(command, env, cwd):
    start = time.monotonic()
    try:
        done = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=PROGRAM_LIMIT_S)
        code, out = done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        code, out = -1, (late.stdout or b"").decode("utf-8", "replace") + "\nstopped: took too long\n"
    return code, out, time.monotonic() - start


def run_c(path):
    """A Criterion program: returns (name, passed, failed, output, seconds)."""
    name = os.path.basename(path)
    env, database = dict(os.environ), None
    if name.startswith(("storage_", "races_")) or "needs_database" in name:
        database = "c_" + secrets.token_hex(6)
        psql(f"create database {database}")
        env["GODWIT_TEST_DATABASE_URL"] = os.environ["GODWIT_TEST_ADMIN_URL"] + " dbname=" + database
    code, out, seconds = run([path, "--jobs", "1"] if database else [path], env, HERE)
    if database:
        psql(f"drop database if exists {database} with (force)")
    counts = re.search(r"Tested: (\d+).*?Passing: (\d+).*?Failing: (\d+).*?Crashing: (\d+)",
                       re.sub(r"\x1b\[[0-9;]*m", "", out))
    passed, failed = (int(counts.group(2)), int(counts.group(3)) + int(counts.group(4))) if counts else (0, 1)
    if not failed and (code or "Assertion Failed" in out):
        failed = 1  # a sanitizer report at exit, for example, or a check behind a test, which Criterion prints but does not count
    if counts and int(counts.group(1)) == 0:
        failed = 1  # a program without tests proves nothing
    return name, passed, failed, out, seconds


def run_fuzz(path):
    name = os.path.basename(path)
    corpus = os.path.join(HERE, "fuzz", "corpus", name[:-len("_fuzz")])
    code, out, seconds = run([path, corpus], dict(os.environ), HERE)
    return name, int(code == 0), int(code != 0), out, seconds


def run_python(path, store):
    name = f"e2e/{os.path.basename(path)} ({store})"
    env = dict(os.environ, GODWIT_TEST_STORE=store)
    code, out, seconds = run([sys.executable, "-W", "ignore::ResourceWarning", "-m", "unittest", "-v",
                              os.path.basename(path)[:-3]], env, os.path.join(HERE, "e2e"))
    ran = re.search(r"^Ran (\d+) tests? in", out, re.M)
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", out))
    skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", out))
    total = int(ran.group(1)) if ran else 0
    failed = bad + skipped if (code == 0 or bad) else 1  # nothing may be skipped: that would hide a failure
    if total == 0 and not failed:
        failed = 1
    return name, max(total - bad - skipped, 0), failed, out, seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", default="", help="only programs whose name holds this word")
    parser.add_argument("--only-any", default="", help="only programs whose name holds one of these words")
    parser.add_argument("--stores", default=os.environ.get("GODWIT_TEST_STORE", "embedded"),
                        help="run the end-to-end tests against each of these: embedded, url")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kinds", default="c,fuzz,e2e")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    os.environ.setdefault("GODWIT_BIN", os.path.join(build, "godwit"))
    kinds = options.kinds.split(",")
    work = []
    if "c" in kinds:
        work += [(run_c, p) for p in sorted(glob.glob(build + "/tests/*_test"))]
    if "fuzz" in kinds:
        work += [(run_fuzz, p) for p in sorted(glob.glob(build + "/tests/*_fuzz"))]
    if "e2e" in kinds:
        work += [(lambda p, s=store: run_python(p, s), p) for store in options.stores.split(",")
                 for p in sorted(glob.glob(HERE + "/e2e/test_*.py"))]
    words = [w for w in options.only_any.split(",") if w]
    work = [(fn, p) for fn, p in work if options.only in os.path.basename(p) and
            (not words or any(w in os.path.basename(p) for w in words))]
    work.sort(key=lambda item: "model" not in item[1])  # the longest first
    passed = failed = 0
    broken = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(fn, p) for fn, p in work]):
            name, good, bad, out, seconds = done.result()
            passed, failed = passed + good, failed + bad
            print(f"{'FAIL' if bad else 'ok  '} {name:45} {good:5} passed {bad:3} failed {seconds:7.1f} s", flush=True)
            if bad:
                broken.append(name)
                print("\n".join(out.splitlines()[-150:]), flush=True)
    if broken:
        print("failed: " + " ".join(sorted(broken)))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
