// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// What AOSP's tests assume in addition to compat.h.

#ifndef SENTRYBINDER_TEST_H_
#define SENTRYBINDER_TEST_H_

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <iostream>

#ifndef PAGE_SIZE
#define PAGE_SIZE 4096
#endif

// bionic's writes to standard error, where death tests look; the NDK header's, where
// there is none, to the system's log. glibc's takes other arguments.
#define __assert(file, line, expression)                                                    \
    do {                                                                                    \
        fprintf(stderr, "%s:%d: assertion \"%s\" failed\n", file, line, expression); \
        abort();                                                                            \
    } while (false)

#endif  // SENTRYBINDER_TEST_H_
