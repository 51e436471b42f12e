// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The part of libselinux that cmd uses, on a system without SELinux. Debian's lacks
// selinux_check_access.

#include <errno.h>
#include <selinux/selinux.h>
#include <stdlib.h>

int is_selinux_enabled() {
    return 0;
}

int getfilecon(const char*, char**) {
    errno = ENOTSUP;
    return -1;
}

void freecon(char* context) {
    free(context);
}

int selinux_check_access(const char*, const char*, const char*, const char*, void*) {
    return 0;
}
