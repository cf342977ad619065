// rights: whom it runs as, which is its file's owner if that is marked so.
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    return printf("runs as %d for %d\n", (int)geteuid(), (int)getuid()) < 0;
}
