// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Clients of IEcho that check every answer: "client" makes each call once, "soak-client"
// makes random calls while services and clients are killed.

#define _GNU_SOURCE
#include "gb_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// How long a one-way call may take to arrive.
#define LOST_SECONDS 150

// The outcome of a call.
typedef enum {
	RIGHT,
	// The answer is wrong.
	WRONG,
	// The service has died.
	DEAD,
} Outcome;

// A client's view of a service.
typedef struct {
	const char *name;
	// The language it is written in.
	const char *server;
	GBinderRemoteObject *remote;
	GBinderClient *client;
	// The tag of this proxy's notes, and how many were sent.
	char tag[64];
	gint32 sent;
} Peer;

static GBinderServiceManager *manager;
static guint proxies, shown;

static gboolean find(Peer *peer)
{
	peer->remote = gbinder_remote_object_ref(gbinder_servicemanager_get_service_sync(manager, peer->name, NULL));
	if (!peer->remote) {
		return FALSE;
	}
	peer->client = gbinder_client_new(peer->remote, ECHO_INTERFACE);
	snprintf(peer->tag, sizeof(peer->tag), "c-%d-%u", getpid(), ++proxies);
	peer->sent = 0;
	return TRUE;
}

static void forget(Peer *peer)
{
	gbinder_client_unref(peer->client);
	gbinder_remote_object_unref(peer->remote);
	peer->client = NULL;
	peer->remote = NULL;
}

static Outcome wrong(const char *format, ...) G_GNUC_PRINTF(1, 2);

static Outcome wrong(const char *format, ...)
{
	va_list args;

	if (shown++ < 5) {
		printf("FAILED ");
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		say("%s", "");
	}
	return WRONG;
}

// Returns whether a call ended with its service's death. Once libgbinder knows of
// the death it makes no call, and leaves the status unchanged.
static gboolean is_dead(Peer *peer, int status)
{
	return status == GBINDER_STATUS_DEAD_OBJECT || gbinder_remote_object_is_dead(peer->remote);
}

// Judges a reply by its status and the exception that it starts with.
static Outcome replied(Peer *peer, guint code, int status, GBinderRemoteReply *reply, GBinderReader *reader,
	gint32 exception)
{
	gint32 got = 0;

	if (is_dead(peer, status)) {
		return DEAD;
	}
	if (status != GBINDER_STATUS_OK) {
		return wrong("call %u of %s: status %d", code, peer->name, status);
	}
	gbinder_remote_reply_init_reader(reply, reader);
	if (!gbinder_reader_read_int32(reader, &got) || got != exception) {
		return wrong("call %u of %s: exception %d", code, peer->name, got);
	}
	return RIGHT;
}

// Makes a call. The caller owns the reply, if any.
static Outcome call(Peer *peer, guint code, GBinderLocalRequest *req, GBinderRemoteReply **reply, GBinderReader *reader,
	gint32 exception)
{
	int status = GBINDER_STATUS_FAILED;

	*reply = gbinder_client_transact_sync_reply(peer->client, code, req, &status);
	gbinder_local_request_unref(req);
	return replied(peer, code, status, *reply, reader, exception);
}

typedef struct {
	GMainLoop *loop;
	GBinderRemoteReply *reply;
	int status;
} Waiting;

static void got_reply(GBinderClient *client, GBinderRemoteReply *reply, int status, void *data)
{
	Waiting *waiting = data;

	waiting->reply = gbinder_remote_reply_ref(reply);
	waiting->status = status;
	g_main_loop_quit(waiting->loop);
}

// Makes a call and meanwhile serves this process's objects, which libgbinder does
// in the main thread: this one. Services on libgbinder call back from another
// thread than the one that received the call, so the driver can't tell that the
// callback belongs to the call that waits here.
static Outcome call_and_serve(Peer *peer, guint code, GBinderLocalRequest *req, GBinderRemoteReply **reply,
	GBinderReader *reader)
{
	Waiting waiting = { .loop = g_main_loop_new(NULL, FALSE) };

	waiting.status = GBINDER_STATUS_DEAD_OBJECT;
	if (gbinder_client_transact(peer->client, code, 0, req, got_reply, NULL, &waiting)) {
		g_main_loop_run(waiting.loop);
	}
	gbinder_local_request_unref(req);
	g_main_loop_unref(waiting.loop);
	*reply = waiting.reply;
	return replied(peer, code, waiting.status, *reply, reader, 0);
}

static char *random_text(guint most)
{
	guint length = g_random_int_range(0, most + 1), i;
	char *text = g_malloc(length + 1);

	for (i = 0; i < length; i++) {
		text[i] = (char) g_random_int_range(' ', '~' + 1);
	}
	text[length] = 0;
	return text;
}

static Outcome expect_text(const char *what, char *got, char *want)
{
	Outcome outcome = RIGHT;

	if (g_strcmp0(got, want)) {
		outcome = wrong("%s: got %s, want %s", what, got, want);
	}
	g_free(got);
	g_free(want);
	return outcome;
}

static Outcome call_upper(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	char *text = random_text(200);
	Outcome outcome;

	gbinder_local_request_append_string16(req, text);
	outcome = call(peer, ECHO_UPPER, req, &reply, &reader, 0);
	if (outcome == RIGHT) {
		outcome = expect_text("upper", gbinder_reader_read_string16(&reader), g_ascii_strup(text, -1));
	}
	g_free(text);
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static Outcome call_add(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	guint32 a = g_random_int(), b = g_random_int(), sum = 0;
	Outcome outcome;

	gbinder_local_request_append_int32(req, a);
	gbinder_local_request_append_int32(req, b);
	outcome = call(peer, ECHO_ADD, req, &reply, &reader, 0);
	if (outcome == RIGHT && (!gbinder_reader_read_uint32(&reader, &sum) || sum != a + b)) {
		outcome = wrong("add: got %u, want %u", sum, a + b);
	}
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static GBinderLocalReply *on_event(GBinderLocalObject *object, GBinderRemoteRequest *req, guint code, guint flags,
	int *status, void *data)
{
	GBinderLocalReply *reply = gbinder_local_object_new_reply(object);
	GBinderReader reader;
	char *text;

	gbinder_remote_request_init_reader(req, &reader);
	text = gbinder_reader_read_string16(&reader);
	gbinder_local_reply_append_int32(reply, 0);
	gbinder_local_reply_append_string16(reply, g_strreverse(text));
	g_free(text);
	*status = code == LISTENER_ON_EVENT ? GBINDER_STATUS_OK : GBINDER_STATUS_FAILED;
	return reply;
}

// Each call passes a new object.
static Outcome call_call_back(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderLocalObject *listener = gbinder_servicemanager_new_local_object(manager, LISTENER_INTERFACE, on_event, NULL);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	char *text = random_text(100);
	Outcome outcome;

	gbinder_local_request_append_local_object(req, listener);
	gbinder_local_request_append_string16(req, text);
	outcome = call_and_serve(peer, ECHO_CALL_BACK, req, &reply, &reader);
	if (outcome == RIGHT) {
		outcome = expect_text("callBack", gbinder_reader_read_string16(&reader),
			g_strconcat(g_strreverse(text), "!", NULL));
	}
	g_free(text);
	gbinder_remote_reply_unref(reply);
	gbinder_local_object_drop(listener);
	return outcome;
}

static Outcome call_reverse_of(Peer *peer, gsize length)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	guint8 *bytes = g_malloc(length + 1);
	const guint8 *got;
	gsize i, size = 0;
	Outcome outcome;

	for (i = 0; i < length; i++) {
		bytes[i] = (guint8) g_random_int();
	}
	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_byte_array(&writer, bytes, (gint32) length);
	outcome = call(peer, ECHO_REVERSE, req, &reply, &reader, 0);
	if (outcome == RIGHT) {
		got = gbinder_reader_read_byte_array(&reader, &size);
		for (i = 0; got && i < size && size == length && got[i] == bytes[length - 1 - i]; i++) {
		}
		if (!got || size != length || i != length) {
			outcome = wrong("reverse of %zu bytes: got %zu, of which the first %zu are right", length, size, i);
		}
	}
	g_free(bytes);
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static Outcome call_reverse(Peer *peer)
{
	return call_reverse_of(peer, g_random_int_range(1, 64 << 10));
}

// Reads from a pipe until its writers are gone, and closes it.
static char *read_all(int fd)
{
	GString *all = g_string_new(NULL);
	char buffer[512];
	ssize_t n;

	while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0) {
		g_string_append_len(all, buffer, n);
	}
	if (fd >= 0) {
		close(fd);
	}
	return g_string_free(all, FALSE);
}

static Outcome call_write_file(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	GBinderWriter writer;
	char *text = random_text(300), *came;
	gint32 written = -1;
	int ends[2];
	Outcome outcome;

	g_assert(pipe2(ends, O_CLOEXEC) == 0);
	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_int32(&writer, 1);
	gbinder_writer_append_int32(&writer, 0);
	gbinder_writer_append_fd(&writer, ends[1]);
	gbinder_writer_append_string16(&writer, text);
	outcome = call(peer, ECHO_WRITE_FILE, req, &reply, &reader, 0);
	close(ends[1]);
	if (outcome == RIGHT && (!gbinder_reader_read_int32(&reader, &written) || written != (gint32) strlen(text))) {
		outcome = wrong("writeFile: got %d, want %zu", written, strlen(text));
	}
	// The pipe ends only once the service has closed its descriptor, too.
	came = read_all(ends[0]);
	if (outcome == RIGHT) {
		outcome = expect_text("writeFile", came, text);
	} else {
		g_free(came);
		g_free(text);
	}
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static Outcome call_open_file(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	char *text = random_text(300);
	gint32 present = 0, extra = 1;
	Outcome outcome;

	gbinder_local_request_append_string16(req, text);
	outcome = call(peer, ECHO_OPEN_FILE, req, &reply, &reader, 0);
	if (outcome == RIGHT) {
		int fd;

		gbinder_reader_read_int32(&reader, &present);
		gbinder_reader_read_int32(&reader, &extra);
		fd = gbinder_reader_read_dup_fd(&reader);
		if (present != 1 || extra != 0 || fd < 0) {
			outcome = wrong("openFile: got %d %d %d", present, extra, fd);
		} else {
			outcome = expect_text("openFile", read_all(fd), g_strdup(text));
		}
	}
	g_free(text);
	gbinder_remote_reply_unref(reply);
	return outcome;
}

// Sends notes and waits until the service has received all of them, in order.
static Outcome call_notes(Peer *peer)
{
	gint64 deadline = g_get_monotonic_time() + LOST_SECONDS * G_USEC_PER_SEC;
	int n = g_random_int_range(1, 9);
	gint64 pause = 2500;

	while (n--) {
		GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
		char *text = g_strdup_printf("%s %d", peer->tag, peer->sent + 1);
		int status;

		gbinder_local_request_append_string16(req, text);
		status = gbinder_client_transact_sync_oneway(peer->client, ECHO_NOTE, req);
		gbinder_local_request_unref(req);
		g_free(text);
		if (is_dead(peer, status)) {
			return DEAD;
		}
		if (status != GBINDER_STATUS_OK) {
			return wrong("note to %s: status %d", peer->name, status);
		}
		peer->sent++;
	}
	for (;;) {
		GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
		GBinderRemoteReply *reply;
		GBinderReader reader;
		gint64 asked = g_get_monotonic_time();
		gint32 heard = 0;
		Outcome outcome;

		gbinder_local_request_append_string16(req, peer->tag);
		outcome = call(peer, ECHO_HEARD, req, &reply, &reader, 0);
		if (outcome == RIGHT) {
			gbinder_reader_read_int32(&reader, &heard);
		}
		gbinder_remote_reply_unref(reply);
		if (outcome != RIGHT || heard == peer->sent) {
			return outcome;
		}
		if (heard < 0 || heard > peer->sent || g_get_monotonic_time() > deadline) {
			return wrong("%s of %s: sent %d, heard %d", peer->tag, peer->name, peer->sent, heard);
		}
		// Poll not much more often than needed, and less often if the service is busy:
		// all of these calls may precede each note, which waits until the previous one is
		// handled.
		pause = MIN(MAX(2 * pause, 10 * (g_get_monotonic_time() - asked)), 10 * G_USEC_PER_SEC);
		g_usleep(pause);
	}
}

static Outcome call_caller(Peer *peer)
{
	GBinderRemoteReply *reply;
	GBinderReader reader;
	guint64 got = 0, want = (guint64) getpid() << 32 | geteuid();
	Outcome outcome = call(peer, ECHO_CALLER, gbinder_client_new_request(peer->client), &reply, &reader, 0);

	if (outcome == RIGHT && (!gbinder_reader_read_uint64(&reader, &got) || got != want)) {
		outcome = wrong("caller: got %lx, want %lx", got, want);
	}
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static Outcome call_fail(Peer *peer)
{
	GBinderLocalRequest *req = gbinder_client_new_request(peer->client);
	GBinderRemoteReply *reply;
	GBinderReader reader;
	gint32 trace = -1, code = 0;
	Outcome outcome;

	gbinder_local_request_append_int32(req, 77);
	gbinder_local_request_append_string16(req, "no such luck");
	outcome = call(peer, ECHO_FAIL, req, &reply, &reader, EX_SERVICE_SPECIFIC);
	if (outcome == RIGHT) {
		outcome = expect_text("fail", gbinder_reader_read_string16(&reader), g_strdup("no such luck"));
	}
	if (outcome == RIGHT && (!gbinder_reader_read_int32(&reader, &trace) || trace != 0 ||
		!gbinder_reader_read_int32(&reader, &code) || code != 77)) {
		outcome = wrong("fail: got %d %d, want 0 77", trace, code);
	}
	gbinder_remote_reply_unref(reply);
	return outcome;
}

static Outcome call_reverse_most(Peer *peer)
{
	return call_reverse_of(peer, 400 << 10);
}

typedef struct {
	const char *name, *kind;
	Outcome (*call)(Peer *peer);
} Call;

static const Call calls[] = {
	{ "a string", "sync", call_upper },
	{ "numbers", "sync", call_add },
	{ "an object that the service calls back", "callback", call_call_back },
	{ "bytes", "large", call_reverse },
	{ "a file descriptor in a call", "fd", call_write_file },
	{ "a file descriptor in a reply", "fd", call_open_file },
	{ "one-way calls, in order", "oneway", call_notes },
	// A soak doesn't make the rest.
	{ "the caller's pid and uid", "sync", call_caller },
	{ "an exception of the service's own", "sync", call_fail },
	{ "400 KiB", "large", call_reverse_most },
};

#define SOAK_CALLS 7

gboolean call_all(const char *name, const char *server)
{
	Peer peer = { .name = name, .server = server };
	guint i;

	manager = manager_of(device());
	if (!find(&peer)) {
		say("FAILED %s not found", peer.name);
		return FALSE;
	}
	for (i = 0; i < G_N_ELEMENTS(calls); i++) {
		char *what = g_strdup_printf("C calls %s: %s", peer.server, calls[i].name);
		Outcome outcome = calls[i].call(&peer);

		check(what, outcome == RIGHT, "%s", outcome == DEAD ? "the service died" : "as above");
		count(peer.server, calls[i].kind, outcome == RIGHT);
		g_free(what);
	}
	return TRUE;
}

int run_client(int argc, char **argv)
{
	if (!call_all(argv[0], argv[1])) {
		return 1;
	}
	print_counts("");
	return failures() != 0;
}

static volatile sig_atomic_t ended;

static void on_sigterm(int signal)
{
	ended = 1;
}

// Runs until SIGTERM at the latest.
int run_soak_client(int argc, char **argv)
{
	gint64 start = g_get_monotonic_time(), end = start + atoll(argv[0]) * G_USEC_PER_SEC, report = start, now, took;
	gint64 longest = 0;
	guint n = argc - 1, dead = 0, i;
	Peer *peers = g_new0(Peer, n);
	char members[100];

	manager = manager_of(device());
	for (i = 0; i < n; i++) {
		char *colon = strchr(argv[1 + i], ':');

		g_assert(colon);
		*colon = 0;
		peers[i].name = argv[1 + i];
		peers[i].server = colon + 1;
	}
	signal(SIGTERM, on_sigterm);
	for (now = start; now < end && !ended; now = g_get_monotonic_time()) {
		Peer *peer = peers + g_random_int_range(0, n);
		const Call *next = calls + g_random_int_range(0, SOAK_CALLS);
		Outcome outcome = peer->remote || find(peer) ? next->call(peer) : DEAD;

		took = g_get_monotonic_time() - now;
		longest = MAX(longest, took);
		if (outcome == DEAD) {
			dead++;
			if (peer->remote) {
				forget(peer);
			}
			g_usleep(g_random_int_range(20, 100) * 1000);
		} else {
			count(peer->server, next->kind, outcome == RIGHT);
			g_usleep(5000);
		}
		// Handle death notifications, and freed nodes.
		while (g_main_context_iteration(NULL, FALSE)) {
		}
		if (g_get_monotonic_time() > report) {
			snprintf(members, sizeof(members), "\"dead\": %u, \"longest_ms\": %ld", dead, (long) (longest / 1000));
			print_counts(members);
			report = g_get_monotonic_time() + G_USEC_PER_SEC;
		}
	}
	snprintf(members, sizeof(members), "\"dead\": %u, \"longest_ms\": %ld", dead, (long) (longest / 1000));
	print_counts(members);
	return failures() != 0;
}

static void died(GBinderRemoteObject *remote, void *data)
{
	say(gbinder_remote_object_is_dead(remote) ? "died" : "notified of a death that did not happen");
	g_main_loop_quit(data);
}

int run_watch(int argc, char **argv)
{
	Peer peer = { .name = argv[0] };
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);

	manager = manager_of(device());
	if (!find(&peer)) {
		say("not found");
		return 1;
	}
	gbinder_remote_object_add_death_handler(peer.remote, died, loop);
	say("watching");
	g_main_loop_run(loop);
	return 0;
}

static void registered(GBinderServiceManager *sm, const char *name, void *data)
{
	say("registered %s", name);
	g_main_loop_quit(data);
}

int run_await(int argc, char **argv)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);

	manager = manager_of(device());
	if (!gbinder_servicemanager_add_registration_handler(manager, argv[0], registered, loop)) {
		say("refused");
		return 1;
	}
	say("waiting");
	g_main_loop_run(loop);
	return 0;
}

static void presence_changed(GBinderServiceManager *sm, void *data)
{
	say(gbinder_servicemanager_is_present(sm) ? "present" : "absent");
}

int run_presence(int argc, char **argv)
{
	manager = manager_of(device());
	gbinder_servicemanager_add_presence_handler(manager, presence_changed, NULL);
	presence_changed(manager, NULL);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}

// Does what binder-dump does, which Debian does not package.
int run_dump(int argc, char **argv)
{
	Peer peer = { .name = argv[0] };
	GBinderRemoteReply *reply;
	GBinderLocalRequest *req;
	GBinderWriter writer;
	int status;

	manager = manager_of(device());
	if (!find(&peer)) {
		say("not found");
		return 1;
	}
	gbinder_client_unref(peer.client);
	peer.client = gbinder_client_new(peer.remote, NULL);
	req = gbinder_client_new_request(peer.client);
	gbinder_local_request_init_writer(req, &writer);
	gbinder_writer_append_fd(&writer, STDOUT_FILENO);
	// No arguments.
	gbinder_writer_append_int32(&writer, 0);
	reply = gbinder_client_transact_sync_reply(peer.client, GBINDER_FOURCC('_', 'D', 'M', 'P'), req, &status);
	gbinder_local_request_unref(req);
	gbinder_remote_reply_unref(reply);
	return status != GBINDER_STATUS_OK;
}
