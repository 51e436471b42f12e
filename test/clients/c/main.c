// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Services and clients in C, on libgbinder. main.c has their common parts.

#include "gb_test.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Uses two devices in one process, each with its own protocol.
static int run_both(int argc, char **argv)
{
	return call_all(argv[0], argv[1]) && run_hidl_client(argc - 2, argv + 2) == 0 ? 0 : 1;
}

typedef struct {
	const char *name, *arguments, *does;
	int (*run)(int argc, char **argv);
	int least;
} Command;

static const Command commands[] = {
	{ "manager", "DEVICE aidl|aidl2|aidl3|aidl4|aidl5|hidl", "be the device's service manager", run_manager, 2 },
	{ "service", "NAME", "offer IEcho", run_service, 1 },
	{ "client", "NAME SERVER", "make each of IEcho's calls", run_client, 2 },
	{ "soak-server", "NAME", "offer IEcho, quietly", run_soak_server, 1 },
	{ "soak-client", "SECONDS NAME:SERVER...", "make random calls", run_soak_client, 2 },
	{ "watch", "NAME", "say when a service dies", run_watch, 1 },
	{ "dump", "NAME", "print a service's dump", run_dump, 1 },
	{ "await", "NAME", "say when a service is registered", run_await, 1 },
	{ "presence", "", "say when the service manager comes and goes", run_presence, 0 },
	{ "hidl-service", "INSTANCE", "offer the HIDL IEcho", run_hidl_service, 1 },
	{ "hidl-client", "INSTANCE SERVER", "make each of the HIDL IEcho's calls", run_hidl_client, 2 },
	{ "both", "NAME SERVER INSTANCE SERVER", "run client and hidl-client", run_both, 4 },
};

typedef struct {
	const char *server, *kind;
	guint64 calls, failures;
} Row;

static Row rows[64];
static guint row_count, checks_passed, checks_failed;

const char *device(void)
{
	const char *path = getenv("BINDER_DEVICE");

	return path ? path : GBINDER_DEFAULT_BINDER;
}

GBinderServiceManager *manager_of(const char *path)
{
	GBinderServiceManager *sm = gbinder_servicemanager_new(path);

	if (!sm) {
		fprintf(stderr, "%s can't be opened\n", path);
		exit(1);
	}
	return sm;
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

void check(const char *name, gboolean passed, const char *format, ...)
{
	va_list args;

	if (passed) {
		checks_passed++;
		say("ok     %s", name);
		return;
	}
	checks_failed++;
	printf("FAILED %s\n       ", name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	say("%s", "");
}

void count(const char *server, const char *kind, gboolean right)
{
	guint i;

	for (i = 0; i < row_count; i++) {
		if (!strcmp(rows[i].server, server) && !strcmp(rows[i].kind, kind)) {
			break;
		}
	}
	if (i == row_count) {
		g_assert(row_count < G_N_ELEMENTS(rows));
		rows[row_count++] = (Row) { server, kind, 0, 0 };
	}
	rows[i].calls++;
	rows[i].failures += !right;
}

void print_counts(const char *members)
{
	GString *out = g_string_new("{\"calls\": [");
	guint i;

	for (i = 0; i < row_count; i++) {
		g_string_append_printf(out, "%s[\"c\", \"%s\", \"%s\", %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT "]",
			i ? ", " : "", rows[i].server, rows[i].kind, rows[i].calls, rows[i].failures);
	}
	say("%s], \"passed\": %u, \"failed\": %u%s%s}", out->str, checks_passed, checks_failed, *members ? ", " : "", members);
	g_string_free(out, TRUE);
}

guint failures(void)
{
	guint64 n = checks_failed;
	guint i;

	for (i = 0; i < row_count; i++) {
		n += rows[i].failures;
	}
	return n;
}

int main(int argc, char **argv)
{
	guint i;

	// Writers to closed pipes get an error.
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++) {
		if (!strcmp(argv[1], commands[i].name) && argc - 2 >= commands[i].least) {
			return commands[i].run(argc - 2, argv + 2);
		}
	}
	for (i = 0; i < G_N_ELEMENTS(commands); i++) {
		fprintf(stderr, "gb_test %s %s\n\t%s\n", commands[i].name, commands[i].arguments, commands[i].does);
	}
	return 2;
}
