// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// A service that starts when somebody waits for it, and ends when it has no more
// clients.

#define LOG_TAG "greeter"

#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include <binder/IPCThreadState.h>
#include <binder/LazyServiceRegistrar.h>
#include <binder/ProcessState.h>
#include <example/BnGreeter.h>
#include <log/log.h>
#include <utils/String8.h>

using android::IPCThreadState;
using android::ProcessState;
using android::sp;
using android::status_t;
using android::String16;
using android::String8;

class Greeter : public example::BnGreeter {
  public:
    android::binder::Status greet(const String16& name, String16* greeting) override {
        std::string text = "Hello " + std::string(String8(name).c_str()) + ", user " +
                           std::to_string(IPCThreadState::self()->getCallingUid()) +
                           "! I am process " + std::to_string(getpid()) + ".";
        *greeting = String16(text.c_str());
        greeted_++;
        ALOGI("hello to %s", String8(name).c_str());
        return android::binder::Status::ok();
    }

    // dump is what dumpsys shows.
    status_t dump(int fd, const android::Vector<String16>&) override {
        dprintf(fd, "greeted: %d\n", greeted_.load());
        return android::OK;
    }

  private:
    std::atomic<int> greeted_ = 0;
};

int main() {
    auto greeter = sp<Greeter>::make();
    auto& registrar = android::binder::LazyServiceRegistrar::getInstance();
    if (status_t err = registrar.registerService(greeter, "example.IGreeter/default")) {
        fprintf(stderr, "greeter: cannot register: %d\n", err);
        return 1;
    }
    ProcessState::self()->startThreadPool();
    IPCThreadState::self()->joinThreadPool();
    return 0;
}
