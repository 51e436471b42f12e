// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Services and clients in C++ on AOSP's libbinder.

#include "cpp_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <future>
#include <thread>

#include <android/log.h>
#include <binder/IPCThreadState.h>
#include <binder/IServiceManager.h>
#include <binder/ProcessState.h>
#include <org/sentrybinder/test/IServiceManager16.h>

namespace sentrybinder {

using android::IBinder;
using android::IPCThreadState;
using android::IServiceManager;
using android::ProcessState;
using android::String16;
using org::sentrybinder::test::IServiceManager16;

namespace {

// Returns whether the service manager is the one that this libbinder supports, Android
// 14's, and not rsb_hub, which speaks Android 16's protocol.
bool isOwnManager() {
    const char* manager = getenv("SERVICE_MANAGER");
    return manager != nullptr && std::string(manager) == "aosp";
}

// Returns the service manager if it is Android 16's.
sp<IServiceManager16> android16() {
    return android::interface_cast<IServiceManager16>(ProcessState::self()->getContextObject(nullptr));
}

}  // namespace

void open() {
    const char* device = getenv("BINDER_DEVICE");
    ProcessState::initWithDriver(device != nullptr ? device : "/dev/binder")->startThreadPool();
}

bool addService(const std::string& name, const sp<IBinder>& service) {
    if (isOwnManager()) {
        return android::defaultServiceManager()->addService(String16(name.c_str()), service) == android::OK;
    }
    const sp<IServiceManager16> manager = android16();
    return manager != nullptr &&
            manager->addService(name, service, false, IServiceManager::DUMP_FLAG_PRIORITY_DEFAULT).isOk();
}

sp<IBinder> checkService(const std::string& name) {
    if (isOwnManager()) return android::defaultServiceManager()->checkService(String16(name.c_str()));
    const sp<IServiceManager16> manager = android16();
    sp<IBinder> service;
    if (manager != nullptr) manager->getService(name, &service);
    return service;
}

sp<IBinder> findService(const std::string& name) {
    if (isOwnManager()) return android::defaultServiceManager()->waitForService(String16(name.c_str()));
    const auto end = Clock::now() + kHung;
    sp<IBinder> service;
    while ((service = checkService(name)) == nullptr && Clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return service;
}

void serve() {
    IPCThreadState::self()->joinThreadPool();
    abort();
}

void say(const std::string& line) {
    puts(line.c_str());
    fflush(stdout);
}

int64_t caller() {
    const IPCThreadState* ipc = IPCThreadState::self();
    return static_cast<int64_t>(ipc->getCallingPid()) << 32 | ipc->getCallingUid();
}

std::pair<unique_fd, unique_fd> newPipe() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) perror("pipe2");
    return {unique_fd(ends[0]), unique_fd(ends[1])};
}

bool writeAll(int fd, const std::string& text) {
    return TEMP_FAILURE_RETRY(write(fd, text.data(), text.size())) == static_cast<ssize_t>(text.size());
}

std::string readAll(const unique_fd& fd) {
    std::string all;
    char buffer[512];
    ssize_t n;
    while ((n = TEMP_FAILURE_RETRY(read(fd.get(), buffer, sizeof(buffer)))) > 0) {
        all.append(buffer, static_cast<size_t>(n));
    }
    return all;
}

std::string Random::text(size_t most) {
    std::string text(below(most + 1), ' ');
    for (char& c : text) c = static_cast<char>(' ' + below('~' - ' ' + 1));
    return text;
}

std::vector<uint8_t> Random::bytes(size_t size) {
    std::vector<uint8_t> bytes(size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(mEngine());
    return bytes;
}

Wrong inThreads(int count, const std::function<Wrong(int)>& f) {
    std::vector<std::future<Wrong>> threads;
    for (int i = 0; i < count; i++) threads.push_back(std::async(std::launch::async, f, i));
    Wrong wrong;
    for (auto& thread : threads) {
        const Wrong its = thread.get();
        if (wrong.empty()) wrong = its;
    }
    return wrong;
}

void Report::add(const std::string& server, const std::string& kind, uint64_t calls, uint64_t failures) {
    auto& row = mCalls[{server, kind}];
    row.first += calls;
    row.second += failures;
}

void Report::check(const std::string& server, const std::string& kind, const std::string& name, uint64_t calls,
                   const Wrong& wrong) {
    add(server, kind, calls, !wrong.empty());
    const std::string what = "C++ calls " + server + ": " + name;
    if (wrong.empty()) {
        mPassed++;
        say("ok     " + what);
    } else {
        mFailed++;
        say("FAILED " + what + "\n       " + wrong);
    }
}

int Report::finish(const std::string& members) const {
    std::string rows;
    uint64_t failures = mFailed;
    for (const auto& [key, row] : mCalls) {
        rows += std::string(rows.empty() ? "" : ", ") + "[\"" + kCpp + "\", \"" + key.first + "\", \"" + key.second +
                "\", " + std::to_string(row.first) + ", " + std::to_string(row.second) + "]";
        failures += row.second;
    }
    say("{\"calls\": [" + rows + "], \"passed\": " + std::to_string(mPassed) +
        ", \"failed\": " + std::to_string(mFailed) + members + "}");
    return failures > 0;
}

}  // namespace sentrybinder

using namespace sentrybinder;

int main(int argc, char** argv) {
    // Writers to closed pipes get an error.
    signal(SIGPIPE, SIG_IGN);
    // libbinder logs failures, even expected ones.
    if (getenv("ANDROID_LOG_TAGS") == nullptr) __android_log_set_minimum_priority(ANDROID_LOG_FATAL);
    const std::vector<std::string> args(argv + 1, argv + argc);
    const std::string command = args.empty() ? "" : args[0];
    if (command == "service" && argc == 3) return runService(args[1], true);
    if (command == "soak-server" && argc == 3) return runService(args[1], false);
    if (command == "client" && argc == 4) return runClient(args[1], args[2]);
    if (command == "freeze" && argc == 5) return runFreeze(args[1], args[2], std::stoi(args[3]));
    if (command == "watch" && argc == 3) return runWatch(args[1]);
    if (command == "soak-client" && argc > 3) {
        return runSoakClient(std::stoi(args[1]), {args.begin() + 2, args.end()});
    }
    if (command == "suite" && argc == 3) return runSuite(args[1]);
    if (command == "suite-client" && argc == 4) return runSuiteClient(args[1], args[2]);
    fputs("cpp_test service NAME\n\toffer IEcho\n"
          "cpp_test client NAME SERVER\n\tmake each of IEcho's calls; SERVER is the language of the service\n"
          "cpp_test freeze NAME SERVER PID\n\tfreeze and thaw the process with an IEcho\n"
          "cpp_test watch NAME\n\tsay when a service dies\n"
          "cpp_test soak-server NAME\n\toffer IEcho, quietly\n"
          "cpp_test soak-client SECONDS NAME:SERVER...\n\tmake random calls\n"
          "cpp_test suite NAME\n\toffer ISuite\n"
          "cpp_test suite-client NAME SERVER\n\tcall an ISuite\n"
          "BINDER_DEVICE names another device than /dev/binder; if SERVICE_MANAGER is aosp, the service manager is Android 14's.\n",
          stderr);
    return 2;
}
