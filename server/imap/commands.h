/* Every IMAP command, in alphabetical order: a constant imap_NAME in a cmd_*.c file. */
#pragma once

#define IMAP_COMMANDS(X) \
    X(append) \
    X(authenticate) \
    X(capability) \
    X(check) \
    X(close) \
    X(compress) \
    X(copy) \
    X(create) \
    X(delete) \
    X(enable) \
    X(examine) \
    X(expunge) \
    X(fetch) \
    X(getmetadata) \
    X(getquota) \
    X(getquotaroot) \
    X(id) \
    X(idle) \
    X(list) \
    X(login) \
    X(logout) \
    X(lsub) \
    X(move) \
    X(namespace) \
    X(noop) \
    X(rename) \
    X(replace) \
    X(search) \
    X(select) \
    X(setmetadata) \
    X(sort) \
    X(starttls) \
    X(status) \
    X(store) \
    X(subscribe) \
    X(thread) \
    X(unauthenticate) \
    X(unselect) \
    X(unsubscribe)
