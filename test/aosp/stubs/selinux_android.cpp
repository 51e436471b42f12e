// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The functions of Android's libselinux that Debian's lacks and the service managers use.

#include <selinux/android.h>
#include <selinux/label.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

namespace {

// Debian's libselinux is built without the files of Android's services. Those of media
// have the same format: a name and its context per line, and "*" for all other names.
struct selabel_handle* open(const char* path) {
    const struct selinux_opt options[] = {{SELABEL_OPT_PATH, path}};
    return selabel_open(SELABEL_CTX_MEDIA, options, 1);
}

int log(const char* format, va_list args) {
    return vfprintf(stderr, format, args);
}

}  // namespace

extern "C" {

struct selabel_handle* selinux_android_service_context_handle() {
    return open("/system/etc/selinux/plat_service_contexts");
}

struct selabel_handle* selinux_android_vendor_service_context_handle() {
    return open("/vendor/etc/selinux/vndservice_contexts");
}

int selinux_log_callback(int, const char* format, ...) {
    va_list args;
    va_start(args, format);
    int written = log(format, args);
    va_end(args);
    return written;
}

int selinux_vendor_log_callback(int, const char* format, ...) {
    va_list args;
    va_start(args, format);
    int written = log(format, args);
    va_end(args);
    return written;
}

// logd has the event log.
int __android_log_error_write(int, const char*, int32_t, const char*, uint32_t) {
    return 0;
}
}
