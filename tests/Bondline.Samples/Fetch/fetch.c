// fetch ADDRESS PORT: prints what an HTTP server answers, with system calls alone.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    char buffer[4096];
    ssize_t length;
    if (count != 3 || inet_pton(AF_INET, arguments[1], &server.sin_addr) != 1) return 2;
    server.sin_port = htons((unsigned short)atoi(arguments[2]));
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&server, sizeof server) != 0) return perror("fetch"), 1;
    if (write(connection, "GET / HTTP/1.0\r\n\r\n", 18) != 18) return 1;
    while ((length = read(connection, buffer, sizeof buffer)) > 0)
        if (write(1, buffer, (size_t)length) != length) return 1;
    return length < 0;
}
