// An echo server with libwebsockets, and its check that a peer is still there. Arguments: the port, the seconds of silence
// before a ping, and those before the end.
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 65536 };

// One message at a time; who sends the next before it has been echoed is ended.
struct session {
	unsigned char message[LWS_PRE + LONGEST];
	size_t length;
	int is_binary, is_whole;
};

static int echo(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length)
{
	struct session *session = user;
	if (reason == LWS_CALLBACK_RECEIVE) {
		if (session->is_whole || session->length + length > LONGEST)
			return -1;
		memcpy(session->message + LWS_PRE + session->length, in, length);
		session->length += length;
		session->is_binary = lws_frame_is_binary(wsi);
		session->is_whole = lws_is_final_fragment(wsi);
		if (session->is_whole)
			lws_callback_on_writable(wsi);
	}
	if (reason == LWS_CALLBACK_SERVER_WRITEABLE && session->is_whole) {
		enum lws_write_protocol kind = session->is_binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
		int written = lws_write(wsi, session->message + LWS_PRE, session->length, kind);
		if (written < 0)
			return -1;
		session->length = 0;
		session->is_whole = 0;
	}
	return 0;
}

int main(int count, char **arguments)
{
	if (count != 4)
		return 2;
	lws_retry_bo_t silence = {
		.secs_since_valid_ping = atoi(arguments[2]),
		.secs_since_valid_hangup = atoi(arguments[3]),
	};
	struct lws_protocols protocols[] = {
		{ "echo", echo, sizeof(struct session), LONGEST, 0, NULL, 0 },
		{ NULL, NULL, 0, 0, 0, NULL, 0 },
	};
	struct lws_context_creation_info info = {
		.port = atoi(arguments[1]),
		.iface = "127.0.0.1",
		.protocols = protocols,
		.retry_and_idle_policy = &silence,
	};
	lws_set_log_level(LLL_ERR, NULL);
	struct lws_context *context = lws_create_context(&info);
	while (context && lws_service(context, 0) >= 0)
		;
	return 1;
}
