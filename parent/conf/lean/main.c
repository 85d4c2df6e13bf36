/* main.c of holdfast-conf-lean - the program without OpenSSL, PCRE2 and jansson; see parent/conf/program.h.
 * Run by the parent at start and reload. */
#include "parent/conf/program.h"

int main(int argc, char **argv)
{
    return program_run(argc, argv, NULL);
}
