/* The fastest MCP server there is: it answers every POST with a fixed result and the request's own id.
 *
 * A gateway is judged by what it adds, so what stands behind it must cost next to nothing, or a known
 * amount: WORK is the time in microseconds that each answer takes, spent computing.
 * One thread, epoll, keep-alive, loopback only. Usage: fast_upstream PORT [WORK]
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

#define META "\"_meta\":{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"zoo\",\"version\":\"1\"}}"

static const char CALLED[] =
    "\"result\":{\"resultType\":\"complete\",\"content\":[{\"type\":\"text\",\"text\":\"Waddles, Pip, Skipper, Chilly, "
    "Pingu and Noot live in The Arctic Exhibit on the Polar Path\"}],\"isError\":false}}";
static const char LISTED[] =
    "\"result\":{\"resultType\":\"complete\",\"tools\":[{\"name\":\"get_animals_by_species\",\"inputSchema\":{\"type\":"
    "\"object\",\"properties\":{\"species\":{\"type\":\"string\"}}}}],\"ttlMs\":60000,\"cacheScope\":\"public\"," META "}}";
static const char DISCOVERED[] =
    "\"result\":{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\":{}},"
    "\"ttlMs\":60000,\"cacheScope\":\"public\"," META "}}";

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
        do_work();
        char *id = strstr(end, "\"id\":");
        int digits = id ? (int)strspn(id + 5, "0123456789") : 0;
        const char *result = strstr(end, "\"tools/list\"")        ? LISTED
                             : strstr(end, "\"server/discover\"") ? DISCOVERED
                                                                  : CALLED;
        char answer[1024], json[900];
        int size = snprintf(json, sizeof json, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s", digits ? digits : 4,
                            digits ? id + 5 : "null", result);
        int sent = snprintf(answer, sizeof answer,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", size, json);
        if (write(socket, answer, (size_t)sent) != sent) return 0;
        lengths[socket] -= whole;
        memmove(buffer, buffer + whole, (size_t)lengths[socket]);
    }
}

int main(int count, char **arguments) {
    work = count > 2 ? atof(arguments[2]) : 0;
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
