/* The fastest MCP server there is: it answers every request with a fixed result and the request's own id.
 *
 * A gateway is judged by what it adds, so what stands behind it must cost next to nothing, or a known
 * amount: WORK is the time in microseconds that each answer takes, spent computing. A modern server knows
 * no handshake; a legacy one knows nothing else, and gives each session an id of its own.
 * One thread, epoll, keep-alive, loopback only; or on its standard input and output.
 * Usage: fast_upstream PORT|stdio [WORK [modern|legacy]]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, BUFFER = 16384 };

static char buffers[MAX_CONNECTIONS][BUFFER];
static int lengths[MAX_CONNECTIONS];

#define INFO "{\"name\":\"zoo\",\"version\":\"1\"}"
#define META "\"ttlMs\":60000,\"cacheScope\":\"public\",\"_meta\":{\"io.modelcontextprotocol/serverInfo\":" INFO "}"
#define COMPLETE "\"result\":{\"resultType\":\"complete\","
#define CONTENT \
    "\"content\":[{\"type\":\"text\",\"text\":\"Waddles, Pip, Skipper, Chilly, Pingu and Noot live in The Arctic " \
    "Exhibit on the Polar Path\"}],\"isError\":false}}"
#define TOOLS \
    "\"tools\":[{\"name\":\"get_animals_by_species\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"species\":" \
    "{\"type\":\"string\"}}}}]"
#define UNKNOWN "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}"

typedef struct {
    const char *called, *listed, *discovered, *initialized;
} Era;

static const Era MODERN = {
    COMPLETE CONTENT,
    COMPLETE TOOLS "," META "}}",
    COMPLETE "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}}," META "}}",
    UNKNOWN,
};
static const Era LEGACY = {
    "\"result\":{" CONTENT,
    "\"result\":{" TOOLS "}}",
    UNKNOWN,
    "\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":" INFO "}}",
};

static const Era *era = &MODERN;
static double work;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void do_work(void) {
    if (work <= 0) return;
    double end = now() + work;
    while (now() < end) continue;
}

static void set_no_delay(int socket) {
    int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* The JSON that answers a message, or nothing for what wants no answer; returns its length. */
static int answer_message(const char *message, char *json, size_t room) {
    const char *id = strstr(message, "\"id\":");
    if (!id) return 0;
    do_work();
    const char *said = strstr(message, "\"tools/list\"")        ? era->listed
                       : strstr(message, "\"server/discover\"") ? era->discovered
                       : strstr(message, "\"initialize\"")      ? era->initialized
                                                                : era->called;
    int length = (int)strcspn(id + 5, ",}");
    return snprintf(json, room, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s", length < 100 ? length : 100, id + 5, said);
}

static int answer_request(const char *head, const char *body, char *json, char *answer, size_t room) {
    static int sessions;
    if (strncmp(head, "POST ", 5)) {
        const char *status = strncmp(head, "DELETE ", 7) ? "405 Method Not Allowed" : "200 OK";
        return snprintf(answer, room, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
    }
    int size = answer_message(body, json, 1024);
    if (!size) return snprintf(answer, room, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    char session[64] = "";
    if (era == &LEGACY && strstr(body, "\"initialize\""))
        snprintf(session, sizeof session, "Mcp-Session-Id: session-%d\r\n", ++sessions);
    return snprintf(answer, room, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
                    session, size, json);
}

static int serve_stdio(void) {
    static char line[BUFFER], json[1024];
    while (fgets(line, sizeof line, stdin)) {
        int size = answer_message(line, json, sizeof json - 1);
        json[size] = '\n';
        if (size && write(STDOUT_FILENO, json, (size_t)size + 1) != size + 1) return 1;
    }
    return 0;
}

/* Answer every whole request in the buffer; returns 0 when the connection is of no more use. */
static int answer(int socket) {
    char *buffer = buffers[socket];
    for (;;) {
        buffer[lengths[socket]] = 0;
        char *end = strstr(buffer, "\r\n\r\n");
        if (!end) return lengths[socket] < BUFFER - 1;
        char *length = strcasestr(buffer, "\r\ncontent-length:");
        int body = length && length < end ? atoi(length + 17) : 0;
        if (body < 0 || body >= BUFFER) return 0;
        int whole = (int)(end + 4 - buffer) + body;
        if (whole >= BUFFER) return 0;
        if (lengths[socket] < whole) return 1;
        char following = buffer[whole], answer[1280], json[1024];
        buffer[whole] = 0;
        int sent = answer_request(buffer, end + 4, json, answer, sizeof answer);
        buffer[whole] = following;
        if (write(socket, answer, (size_t)sent) != sent) return 0;
        lengths[socket] -= whole;
        memmove(buffer, buffer + whole, (size_t)lengths[socket]);
    }
}

int main(int count, char **arguments) {
    work = count > 2 ? atof(arguments[2]) : 0;
    if (count > 3 && !strcmp(arguments[3], "legacy")) era = &LEGACY;
    if (count > 1 && !strcmp(arguments[1], "stdio")) return serve_stdio();
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(count > 1 ? arguments[1] : "0")),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("fast_upstream");
        return 1;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int socket = events[i].data.fd;
            if (socket == listener) {
                int fresh = accept(listener, NULL, NULL);
                if (fresh < 0) continue;
                if (fresh >= MAX_CONNECTIONS) {
                    close(fresh);
                    continue;
                }
                set_no_delay(fresh);
                lengths[fresh] = 0;
                struct epoll_event added = {.events = EPOLLIN, .data.fd = fresh};
                epoll_ctl(poll, EPOLL_CTL_ADD, fresh, &added);
                continue;
            }
            ssize_t got = read(socket, buffers[socket] + lengths[socket], (size_t)(BUFFER - 1 - lengths[socket]));
            if (got > 0) lengths[socket] += (int)got;
            if (got <= 0 || !answer(socket)) close(socket);
        }
    }
}
