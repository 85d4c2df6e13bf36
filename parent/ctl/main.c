/*
 * main.c of holdctl, the operator's tool: options, then the row of commands.def with the first word.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "parent/ctl/ctl.h"

struct ctl_command {
    const char *word;
    ctl_fn *fn;
    const char *args;
    const char *help;
};

static const struct ctl_command ctl_commands[] = {
#define CMD(word, fn, args, help) { #word, fn, args, help },
#include "parent/ctl/commands.def"
};

#define CTL_COMMANDS (sizeof ctl_commands / sizeof ctl_commands[0])

static const struct ctl_command *ctl_find(const char *word)
{
    for (size_t i = 0; i < CTL_COMMANDS; i++)
        if (strcmp(ctl_commands[i].word, word) == 0)
            return &ctl_commands[i];
    return NULL;
}

static int ctl_usage(int fd, int status)
{
    dprintf(fd, "Usage: holdctl [--json] [-s SOCKET] COMMAND\n");
    for (size_t i = 0; i < CTL_COMMANDS; i++) {
        const struct ctl_command *k = &ctl_commands[i];
        int n = dprintf(fd, "  %s%s%s", k->word, k->args[0] != '\0' ? " " : "", k->args);
        dprintf(fd, "%*s%s\n", n < 31 ? 31 - n : 2, "", k->help);
    }
    dprintf(fd, "  -s SOCKET                    socket of the daemon (default " CTL_SOCKET_STATUS
                " for questions, " CTL_SOCKET " for orders)\n");
    return status;
}

int ctl_misused(const char *word)
{
    const struct ctl_command *k = ctl_find(word);
    dprintf(STDERR_FILENO, "Usage: holdctl %s %s\n", word, k != NULL ? k->args : "");
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "json", no_argument, NULL, 'j' },
        { "socket", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct ctl c = { .fd = -1 };
    for (int o; (o = getopt_long(argc, argv, "+js:h", longs, NULL)) != -1;) {
        switch (o) {
        case 'j': c.json = true; break;
        case 's': c.socket = optarg; break;
        case 'h': return ctl_usage(STDOUT_FILENO, CTL_OK);
        default: return ctl_usage(STDERR_FILENO, CTL_USAGE);
        }
    }
    if (optind >= argc)
        return ctl_usage(STDERR_FILENO, CTL_USAGE);
    const struct ctl_command *k = ctl_find(argv[optind]);
    if (k != NULL)
        return k->fn(&c, argc - optind - 1, argv + optind + 1);
    dprintf(STDERR_FILENO, "holdctl: unknown command '%s'\n", argv[optind]);
    return ctl_usage(STDERR_FILENO, CTL_USAGE);
}
