// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Shared by the parts of gb_test.

#ifndef GB_TEST_H
#define GB_TEST_H

#include <gbinder.h>
#include <glib.h>

// The interface that services in all languages implement. Its requests and
// replies are those of an AIDL interface; echo.c says which.
#define ECHO_INTERFACE "org.sentrybinder.test.IEcho"
#define LISTENER_INTERFACE "org.sentrybinder.test.IListener"

enum {
	ECHO_UPPER = 2,
	ECHO_ADD = 3,
	ECHO_NOTE = 6,
	ECHO_CALL_BACK = 7,
	ECHO_REVERSE = 10,
	ECHO_WRITE_FILE = 11,
	ECHO_OPEN_FILE = 12,
	ECHO_CALLER = 13,
	ECHO_FAIL = 14,
	ECHO_NOTES = 15,
	ECHO_HEARD = 16,
};

// The one method of LISTENER_INTERFACE.
#define LISTENER_ON_EVENT 2

// AIDL's exception for service-specific errors.
#define EX_SERVICE_SPECIFIC (-8)

// Returns the binder device to use: BINDER_DEVICE in the environment, or
// the default.
const char *device(void);

// Returns a device's service manager, or exits.
GBinderServiceManager *manager_of(const char *path);

// Prints a line of output and flushes it.
void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

// Prints whether a check passed, and what was wrong if it did not.
void check(const char *name, gboolean passed, const char *format, ...) G_GNUC_PRINTF(3, 4);

// Counts a call in the table of calls. server names the language of the
// server, kind the sort of call.
void count(const char *server, const char *kind, gboolean right);

// Prints the table of calls and the number of checks as a line of JSON.
// members, if not empty, is added to the object.
void print_counts(const char *members);

// Returns how many checks and calls have failed.
guint failures(void);

// Makes each of an IEcho's calls. Returns FALSE if there is none.
gboolean call_all(const char *name, const char *server);

// The commands. Each returns the exit status of the process.
int run_manager(int argc, char **argv);
int run_service(int argc, char **argv);
int run_soak_server(int argc, char **argv);
int run_client(int argc, char **argv);
int run_soak_client(int argc, char **argv);
int run_watch(int argc, char **argv);
int run_hidl_service(int argc, char **argv);
int run_hidl_client(int argc, char **argv);
int run_dump(int argc, char **argv);
int run_await(int argc, char **argv);
int run_presence(int argc, char **argv);

#endif
